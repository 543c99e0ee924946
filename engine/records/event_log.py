"""Event log: compares the events of a run with the recorded events, then appends the new ones.

Replay and resume both use this check. Both do the run again from the cache, and both must give the
recorded bytes. On resume, events after the recorded ones are appended. In a replay nothing is
appended: an event after the recorded ones raises RecordingEnded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import BinaryIO

from ..errors import EventsDiffer, RecordingEnded
from .events import Event, encode_event


class EventLog:
    """Receives events in order. *recorded* are the recorded lines. New lines go to *file*."""

    def __init__(self, recorded: Iterator[bytes], file: BinaryIO | None) -> None:
        self._recorded: Iterator[bytes] | None = recorded
        self._file = file
        self.compared = 0  # recorded events that were given again, with equal bytes

    def at_end(self) -> bool:
        """Return whether every recorded event has been given again. Reads one line ahead."""
        if self._recorded is not None:
            following = next(self._recorded, None)
            self._recorded = None if following is None else chain((following,), self._recorded)
        return self._recorded is None

    def write(self, events: Sequence[Event]) -> None:
        """Compare or append *events*. Raises EventsDiffer, RecordingEnded or OSError."""
        fresh = bytearray()
        for event in events:
            line = encode_event(event)
            if self._recorded is not None and self._matches(line):
                continue
            if self._file is None:
                raise RecordingEnded(f"the recording ends after {self.compared} events")
            fresh += line
        if self._file is not None and fresh:
            write_all(self._file, bytes(fresh))

    def finish(self) -> None:
        """Raise EventsDiffer if there are recorded events that the run did not give."""
        if not self.at_end():
            number = self.compared + 1
            raise EventsDiffer(f"event {number} was recorded after the run's end", line=number)

    def _matches(self, line: bytes) -> bool:
        assert self._recorded is not None
        expected = next(self._recorded, None)
        if expected is None:
            self._recorded = None
            return False
        number = self.compared + 1
        if line != expected:
            raise EventsDiffer(
                f"event {number} differs: recorded {_excerpt(expected, line)}, "
                f"replayed {_excerpt(line, expected)}",
                line=number,
            )
        self.compared = number
        return True


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write every byte to an unbuffered *file*, or raise OSError."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _excerpt(line: bytes, other: bytes) -> str:
    """Return the part of *line* around the first byte that differs from *other*."""
    at = next(
        (index for index, pair in enumerate(zip(line, other, strict=False)) if pair[0] != pair[1]),
        min(len(line), len(other)),
    )
    return repr(line[max(0, at - 30) : at + 30].decode("utf-8", errors="replace"))
