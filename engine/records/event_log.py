"""Where events and reports go: events.jsonl, timings.jsonl, log.jsonl and the running tally.

Observers are called from the middle of a call and only take notes; what they noted is written when
the next events are, so that a full disk pauses the run in one place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from ...cache.cached import AnsweredCall
from ...providers.base import Attempt
from ...providers.statistics import PoolStatistics
from ...strategies.similarity.similarity_types import Weights, combine, overall
from ...strategies.types import Verdict
from ..errors import EventsDiffer, RecordingEnded
from ..ice.ice_events import (
    Answer,
    CallFailed,
    Compared,
    Credited,
    Event,
    Finished,
    NoMutant,
    Probed,
    encode_event,
    failures_of,
)
from ..ice.ice_fold import fold_pairs

if TYPE_CHECKING:
    import structlog


class EventLog:
    """Compares events with those recorded, then appends those that are new.

    Resuming and replaying are the same: the run is done again from the cache, and must give the
    bytes that are there. Without *file* nothing is appended, and the end of the recording raises
    RecordingEnded.
    """

    def __init__(self, recorded: Iterator[bytes], file: BinaryIO | None) -> None:
        self._recorded: Iterator[bytes] | None = recorded
        self._file = file
        self.compared = 0

    @property
    def at_end(self) -> bool:
        """Whether every recorded event has come out again."""
        if self._recorded is not None:
            following = next(self._recorded, None)
            self._recorded = None if following is None else chain((following,), self._recorded)
        return self._recorded is None

    def write(self, events: tuple[Event, ...]) -> None:
        """Take *events*. Raises EventsDiffer, RecordingEnded, or OSError from the disk."""
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
        """Raise EventsDiffer when more was recorded than the run gave."""
        if not self.at_end:
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


class TimingLog:
    """Keeps one row for each answered call until it is written to timings.jsonl."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._rows = bytearray()
        self._encode = msgspec.json.Encoder().encode_into

    def call_ended(self, call: AnsweredCall) -> None:
        """Note one answered call: where it came from and what the endpoint reported."""
        response = call.response
        row = {
            "key": call.key,
            "pool": call.pool,
            "source": call.source,
            "took_s": round(call.took_s, 6),
            "model": response.model,
            "fingerprint": response.fingerprint,
            "endpoint": response.endpoint,
            "usage": response.usage,
            "counted": call.counted,
        }
        self._encode(row, self._rows, len(self._rows))
        self._rows += b"\n"

    def pool_ended(self, pool: str, statistics: PoolStatistics) -> None:
        """Note what a pool has to tell at the end of the run."""
        row = {"pool": pool, "statistics": statistics}
        self._encode(row, self._rows, len(self._rows))
        self._rows += b"\n"

    def attempt_ended(self, attempt: Attempt) -> None:
        """Note an attempt that failed; those that succeeded show in the call's row."""
        if attempt.error:
            self._encode(attempt, self._rows, len(self._rows))
            self._rows += b"\n"

    def flush(self) -> None:
        """Write what was noted. Raises OSError."""
        if self._rows:
            rows, self._rows = self._rows, bytearray()
            write_all(self._file, bytes(rows))


class RunLog:
    """Logs what a person would look for afterwards, as JSON lines with a time."""

    def __init__(self, file: BinaryIO) -> None:
        import structlog  # noqa: PLC0415 (a quarter of a start, and only a run that is made logs)

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
        """Log one thing that happened to the run."""
        self._log.info(name, **fields)

    def write(self, events: tuple[Event, ...]) -> None:
        """Log the events that sum up a ticket, and every call that failed for good."""
        for event in events:
            if isinstance(event, Credited):
                self._log.info(
                    "ticket_applied",
                    ticket=event.ticket,
                    successes=event.successes,
                    judged=event.judged,
                )
            elif isinstance(event, NoMutant):
                faults = [rejection.fault for rejection in event.rejections]
                self._log.warning("no_usable_mutant", ticket=event.ticket, faults=faults)
            elif isinstance(event, Finished):
                self._log.info("run_finished", reason=event.reason, probes=event.probes)
            for failure in failures_of(event):
                self._log.error("call_failed", role=failure.role, error=failure.message)

    def attempt_ended(self, attempt: Attempt) -> None:
        """Log an attempt that failed."""
        if attempt.error:
            self._log.warning(
                "attempt_failed",
                pool=attempt.pool,
                error=attempt.error,
                took_s=round(attempt.took_s, 3),
            )


class Tally:
    """Running counts of a run, for whoever watches it.

    Prompts are counted as scores count them; *weights* are those of the plan.
    """

    def __init__(self, weights: Weights | None = None) -> None:
        self._weights = weights or Weights()
        self.calls: Counter[str] = Counter()  # by source: cache, sent, shared
        self.attempts_failed: Counter[str] = Counter()  # by error
        self.attempts = 0
        self.tokens = 0
        self.cost_usd = 0.0
        self.tickets = 0
        self.barren = 0
        self.calls_failed = 0  # for good
        self.finished: Finished | None = None
        self.probes = 0
        self.states: Counter[str] = Counter()  # failed, refused, truncated, unparsed
        self.judged: Counter[str] = Counter()  # by metric
        self.positives: Counter[str] = Counter()  # by metric
        self.statistics: Callable[[], Mapping[str, PoolStatistics]] = dict  # of the pools now
        self.grades: dict[str, list[float]] = {}  # by set, of every prompt that has one

    def call_ended(self, call: AnsweredCall) -> None:
        """Count an answered call."""
        self.calls[call.source] += 1

    def attempt_ended(self, attempt: Attempt) -> None:
        """Count a call that was sent."""
        self.attempts += 1
        self.tokens += attempt.input_tokens + attempt.output_tokens
        self.cost_usd += attempt.cost_usd
        if attempt.error:
            self.attempts_failed[attempt.error] += 1

    def write(self, events: tuple[Event, ...]) -> None:
        """Count what was applied."""
        for event in events:
            self.calls_failed += len(failures_of(event))
            if isinstance(event, Probed):
                self._count_probe(event)
            elif isinstance(event, Compared):
                self._count_prompt(event)
            elif isinstance(event, Credited):
                self.tickets += 1
            elif isinstance(event, NoMutant):
                self.tickets += 1
                self.barren += 1
            elif isinstance(event, Finished):
                self.finished = event

    def _count_probe(self, event: Probed) -> None:
        self.probes += 1
        if isinstance(event.outcome, Answer):
            for state in ("refused", "truncated"):
                self.states[state] += getattr(event.outcome, state)
        self.states["failed"] += isinstance(event.outcome, CallFailed)
        for opinion in event.judgement.opinions:
            if isinstance(opinion, Verdict):
                self.judged[opinion.metric] += 1
                self.positives[opinion.metric] += opinion.positive
            else:
                self.states["unparsed"] += 1
        if event.judgement.failures:
            self.states["failed"] += 1

    def _count_prompt(self, event: Compared) -> None:
        """Count one prompt as one thing: graded, or why not."""
        self.tickets += 1
        self.probes += 1
        (row,) = fold_pairs((event,))
        graded = combine(row.gradings)
        if graded.means is not None:
            self.grades.setdefault(event.set, []).append(overall(graded.means, self._weights))
        elif row.state != "compared":
            self.states[row.state] += 1
        else:
            self.states["unparsed" if graded.unreadable else "failed"] += 1


class Observers:
    """Hands every attempt and call on to several observers."""

    def __init__(self, *observers: Tally | TimingLog | RunLog) -> None:
        self._calls: list[Callable[[AnsweredCall], None]] = [
            observer.call_ended for observer in observers if not isinstance(observer, RunLog)
        ]
        self._attempts = [observer.attempt_ended for observer in observers]

    def call_ended(self, call: AnsweredCall) -> None:
        """Tell all."""
        for tell in self._calls:
            tell(call)

    def attempt_ended(self, attempt: Attempt) -> None:
        """Tell all."""
        for tell in self._attempts:
            tell(attempt)


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write every byte to an unbuffered *file*, or raise OSError."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _excerpt(line: bytes, other: bytes) -> str:
    """Return *line* around the first byte in which it differs from *other*."""
    at = next(
        (index for index, pair in enumerate(zip(line, other, strict=False)) if pair[0] != pair[1]),
        min(len(line), len(other)),
    )
    return repr(line[max(0, at - 30) : at + 30].decode("utf-8", errors="replace"))
