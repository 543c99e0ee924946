"""Observers of calls and attempts: they write timings.jsonl and log.jsonl.

An observer is called in the middle of a model call. TimingLog only buffers its rows then, and they
are written together with the next events. So a full disk pauses the run in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, BinaryIO, Protocol

import msgspec

from ...cache.cached import AnsweredCall
from ...providers.base import Attempt
from ...providers.statistics import PoolStatistics
from .event_log import write_all
from .events import Event
from .timings import PoolRow, Timing

if TYPE_CHECKING:
    import structlog


class RunObserver(Protocol):
    """Receives every answered call and every attempt. Must not block."""

    def call_ended(self, call: AnsweredCall) -> None:
        """Record an answered call."""

    def attempt_ended(self, attempt: Attempt) -> None:
        """Record an attempt."""


class Observers:
    """Passes every call and attempt on to several observers."""

    def __init__(self, *observers: RunObserver) -> None:
        self._calls: list[Callable[[AnsweredCall], None]] = [o.call_ended for o in observers]
        self._attempts: list[Callable[[Attempt], None]] = [o.attempt_ended for o in observers]

    def call_ended(self, call: AnsweredCall) -> None:
        """Pass *call* to all observers."""
        for record in self._calls:
            record(call)

    def attempt_ended(self, attempt: Attempt) -> None:
        """Pass *attempt* to all observers."""
        for record in self._attempts:
            record(attempt)


class TimingLog:
    """Buffers a row for each answered call and each failed attempt until flush() writes them."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._rows = bytearray()
        self._encode = msgspec.json.Encoder().encode_into

    def call_ended(self, call: AnsweredCall) -> None:
        """Add a row for an answered call: its source, and the facts that the endpoint reported."""
        response = call.response
        self._add(
            Timing(
                key=call.key,
                pool=call.pool,
                source=call.source,
                took_s=round(call.took_s, 6),
                model=response.model,
                fingerprint=response.fingerprint,
                endpoint=response.endpoint,
                usage=response.usage,
                counted=call.counted,
            )
        )

    def attempt_ended(self, attempt: Attempt) -> None:
        """Add a row for an attempt that failed. The row of a call covers its successful attempt."""
        if attempt.error:
            self._add(attempt)

    def pool_ended(self, pool: str, statistics: PoolStatistics) -> None:
        """Add a row for the state of a pool at the end of the run."""
        self._add(PoolRow(pool=pool, statistics=statistics))

    def flush(self) -> None:
        """Write the buffered rows. Raises OSError."""
        if self._rows:
            rows, self._rows = self._rows, bytearray()
            write_all(self._file, bytes(rows))

    def _add(self, row: msgspec.Struct) -> None:
        self._encode(row, self._rows, len(self._rows))
        self._rows += b"\n"


class RunLog:
    """Logs the main steps and failures of a run, as JSON lines with a time, for people to read.

    It keeps *file* open for as long as it lives, whether or not structlog does.
    """

    def __init__(self, file: BinaryIO) -> None:
        import structlog  # noqa: PLC0415 (a quarter of the start-up time)

        self._file = file
        self._log: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
            structlog.BytesLogger(file),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(
                    serializer=lambda row, **_: msgspec.json.encode(row)
                ),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(0),
        )

    def note(self, name: str, **fields: str | int | float) -> None:
        """Log a step of the run."""
        self._log.info(name, **fields)

    def write(self, events: Sequence[Event]) -> None:
        """Log the log entries of *events*, and every call that failed for good."""
        for event in events:
            entry = event.log_entry
            if entry is not None:
                self._log.log(_LEVELS[entry.level], entry.name, **dict(entry.fields))
            for failure in event.failures:
                self._log.error("call_failed", role=failure.role, error=failure.message)

    def call_ended(self, call: AnsweredCall) -> None:
        """Log nothing: answered calls are in timings.jsonl."""

    def attempt_ended(self, attempt: Attempt) -> None:
        """Log an attempt that failed."""
        if attempt.error:
            self._log.warning(
                "attempt_failed",
                pool=attempt.pool,
                error=attempt.error,
                took_s=round(attempt.took_s, 3),
            )


_LEVELS = {"info": 20, "warning": 30}  # as in the standard library's logging
