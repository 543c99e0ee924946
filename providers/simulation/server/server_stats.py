"""Counts of a simulated endpoint, from which a test sees how its client behaved."""

from __future__ import annotations

from collections import Counter
from typing import Literal

import msgspec

from .server_quota import SPAN_S, ServerQuota
from .simulator_settings import PlantedFault

Ending = Literal["answered", "rejected", "limited", "dead", "gone"] | PlantedFault


class SimulatorStats(msgspec.Struct, frozen=True, kw_only=True):
    """Counts since the start. With no call in flight, *answered* to *gone* add up to *calls*.

    The first minute is the 60 seconds after the first call. *resent_after_answer* counts calls
    whose body had already got its whole answer, even if the client gave up before it arrived. Draws
    are not sent, so requests that differ only in the draw have the same body.
    """

    calls: int = 0
    answered: int = 0
    rejected: int = 0  # 400, the client's fault
    limited: int = 0  # 429 by rpm or tpm
    rate_limited: int = 0  # 429, planted
    failed: int = 0  # 5xx, planted
    cut: int = 0  # planted
    stalled: int = 0  # planted
    malformed: int = 0  # planted
    dead: int = 0  # closed connection or 503 while the endpoint was dead
    gone: int = 0  # the client closed the connection before the reply
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
    """Keeps the counts. Of each body it stores 8 bytes, and whether it was answered."""

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
        """Count a call that arrives at *now*, and return how many came before it."""
        if self._first_s is None:
            self._first_s = self._last_s = now
        self._calls_early += now - self._first_s < SPAN_S
        number = self.calls
        self.calls += 1
        self._in_flight += 1
        self._max_in_flight = max(self._max_in_flight, self._in_flight)
        return number

    def leave(self) -> None:
        """Count the end of a call."""
        self._in_flight -= 1

    def note(self, body: bytes) -> int:
        """Count a request's *body*, and return a number that stands for it."""
        name = hash(body)  # 64 bits, ten times faster than a digest, and never stored
        self._resent += self._answered.setdefault(name, False)
        return name

    def answer(self, now: float, name: int) -> None:
        """Record that the body with number *name* gets its whole answer at *now*."""
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
