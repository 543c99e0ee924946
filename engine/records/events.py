"""Events: the lines of events.jsonl. They contain only facts that a replay gives again.

Each measurement has its own event types, distinguished by the key ``type``. This file contains the
base class, through which shared code uses any event, and the event that ends every run.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ..calls.answers import CallFailed


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A line for log.jsonl."""

    name: str
    level: Literal["info", "warning"] = "info"
    fields: tuple[tuple[str, object], ...] = ()


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """The base class of all event types. A subclass has a ``tag``, and may override properties."""

    @property
    def failures(self) -> tuple[CallFailed, ...]:
        """The calls of this event that failed for good, in any role."""
        return ()

    @property
    def log_entry(self) -> LogEntry | None:
        """The line for log.jsonl about this event, if there is one."""
        return None


class Finished(Event, frozen=True, kw_only=True, tag="finished"):
    """The last event of a finished run. *reason* is a word of the measurement for why it ended.

    *units* is the number of probes or prompts that the run measured.
    """

    reason: str
    tickets: int
    units: int = msgspec.field(name="probes")

    @property
    def log_entry(self) -> LogEntry:
        """The log entry of this event: the run has ended."""
        return LogEntry(
            name="run_finished", fields=(("reason", self.reason), ("probes", self.units))
        )


FINISHED_START = b'{"type":"finished"'  # the first bytes of the line of a Finished event

_ENCODER = msgspec.json.Encoder()


def encode_event(event: Event) -> bytes:
    """Return *event* as one line, with its newline."""
    return _ENCODER.encode(event) + b"\n"
