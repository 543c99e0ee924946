"""Tally: running counts of a run, for progress displays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import msgspec

from .events import Event, Finished

if TYPE_CHECKING:
    from ...cache.cached import AnsweredCall
    from ...providers.base import Attempt
    from ...providers.statistics import PoolStatistics


class UnitCounts(Protocol):
    """Counts of the events of one measurement."""

    units: int  # probes or prompts that have been applied
    states: Counter[str]  # units without a result, by state: failed, refused, truncated, unparsed

    def add(self, event: Event) -> None:
        """Count one event."""
        ...

    def headline(self) -> str:
        """Return the result so far, in a few words."""
        ...


class NoCounts:
    """Counts nothing. For a tally that counts only calls."""

    def __init__(self) -> None:
        self.units = 0
        self.states: Counter[str] = Counter()

    def add(self, event: Event) -> None:
        """Ignore *event*."""

    def headline(self) -> str:
        """Return an empty text."""
        return ""


class Tally:
    """Counts calls, attempts and events. *counts* are the counts of the measurement."""

    def __init__(self, counts: UnitCounts | None = None) -> None:
        self.counts: UnitCounts = counts or NoCounts()
        self.calls: Counter[str] = Counter()  # by source: cache, sent, shared
        self.attempts_failed: Counter[str] = Counter()  # by error
        self.attempts = 0
        self.tokens = 0
        self.cost_usd = 0.0
        self.calls_failed = 0  # calls that failed for good
        self.finished: Finished | None = None
        self.statistics: Callable[[], Mapping[str, PoolStatistics]] = dict  # current, by pool

    @property
    def units(self) -> int:
        """Probes or prompts that have been applied."""
        return self.counts.units

    def call_ended(self, call: AnsweredCall) -> None:
        """Count an answered call."""
        self.calls[call.source] += 1

    def attempt_ended(self, attempt: Attempt) -> None:
        """Count an attempt: one request that was sent, with its tokens and its cost."""
        self.attempts += 1
        self.tokens += attempt.input_tokens + attempt.output_tokens
        self.cost_usd += attempt.cost_usd
        if attempt.error:
            self.attempts_failed[attempt.error] += 1

    def write(self, events: Sequence[Event]) -> None:
        """Count the units in *events*."""
        for event in events:
            self.calls_failed += len(event.failures)
            self.counts.add(event)
            if isinstance(event, Finished):
                self.finished = event


class RunProgress(msgspec.Struct, frozen=True, kw_only=True):
    """A run that has begun, for progress displays. *size* is the number of its units."""

    name: str
    unit: str
    size: int
    tally: Tally
    priced: bool = False  # whether any of its models has a price
