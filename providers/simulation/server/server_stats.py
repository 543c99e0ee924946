"""What a simulated endpoint counts, so that a test can ask how its client behaved."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import msgspec

from .server_quota import SPAN_S, ServerQuota
from .simulator_settings import PlantedFault

Ending = Literal["answered", "rejected", "limited", "dead", "gone"] | PlantedFault


class SimulatorStats(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the start; *calls* is the sum of what follows it up to *gone*, at rest.

    The first minute is the 60 seconds after the first call. *resent_after_answer* counts calls
    whose body had already been given its whole answer: a client that gave up while the answer was
    on its way to it is counted, too. Draws do not travel, so requests that differ in nothing else
    have the same body.
    """

    calls: int = 0
    answered: int = 0
    rejected: int = 0  # 400, the caller's fault
    limited: int = 0  # 429 by rpm or tpm
    rate_limited: int = 0  # 429, planted
    failed: int = 0  # 5xx, planted
    cut: int = 0  # planted
    stalled: int = 0  # planted
    malformed: int = 0  # planted
    dead: int = 0  # hung up on, or 503, while the endpoint was dead
    gone: int = 0  # callers who left before their reply was written
    in_flight: int = 0
    max_in_flight: int = 0
    calls_first_minute: int = 0
    limited_first_minute: int = 0
    limited_later: int = 0
    max_calls_per_minute: int = 0  # admitted in any 60 seconds, wherever they start
    max_tokens_per_minute: int = 0
    distinct_bodies: int = 0
    resent_after_answer: int = 0
    seconds: float = 0.0  # from the first call to the last answer
    answered_per_s: float = 0.0


class Ledger:
    """Keeps the counts. Of a body it keeps 8 bytes, and whether it was answered."""

    def __init__(self, quota: ServerQuota) -> None:
        self.calls = 0
        self._quota = quota
        self._endings: Counter[str] = Counter()
        self._in_flight = 0
        self._max_in_flight = 0
        self._first_s: float | None = None
        self._last_s = 0.0
        self._calls_early = 0
        self._limited_early = 0
        self._answered: dict[int, bool] = {}
        self._resent = 0

    def enter(self, now: float) -> int:
        """Count a call that comes in *now*, and return how many came before it."""
        if self._first_s is None:
            self._first_s = self._last_s = now
        self._calls_early += now - self._first_s < SPAN_S
        number = self.calls
        self.calls += 1
        self._in_flight += 1
        self._max_in_flight = max(self._max_in_flight, self._in_flight)
        return number

    def leave(self) -> None:
        """Count a call that came in as over."""
        self._in_flight -= 1

    def note(self, body: bytes) -> int:
        """Count a request's *body*, and return what it is remembered by."""
        name = hash(body)  # of 64 bits, in a tenth of what a digest takes; it lives no longer
        self._resent += self._answered.setdefault(name, False)
        return name

    def answer(self, now: float, name: int) -> None:
        """Remember that the request called *name* is given its whole answer *now*."""
        self._answered[name] = True
        self._last_s = now

    def end(self, ending: Ending, now: float) -> None:
        """Count how a call ends."""
        self._endings[ending] += 1
        if ending == "limited" and self._first_s is not None:
            self._limited_early += now - self._first_s < SPAN_S

    def statistics(self) -> SimulatorStats:
        """Return the counts of this moment."""
        ended = self._endings
        seconds = self._last_s - (self._first_s or 0.0)
        return SimulatorStats(
            calls=self.calls,
            **ended,
            in_flight=self._in_flight,
            max_in_flight=self._max_in_flight,
            calls_first_minute=self._calls_early,
            limited_first_minute=self._limited_early,
            limited_later=ended["limited"] - self._limited_early,
            max_calls_per_minute=self._quota.most_calls,
            max_tokens_per_minute=self._quota.most_tokens,
            distinct_bodies=len(self._answered),
            resent_after_answer=self._resent,
            seconds=seconds,
            answered_per_s=ended["answered"] / seconds if seconds > 0.0 else 0.0,
        )
