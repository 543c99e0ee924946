"""Concurrency limit of one endpoint, adjusted by AIMD within the slots that the user allows.

1. The limit starts at *slots*.
2. An answer adds 1/limit to it, so that it grows by about one for each round of calls (additive
   increase).
3. A refusal for quota halves it (multiplicative decrease). A refusal is a 429, or a header that
   says that no quota is left. It shows that as many calls as now are too many. Several clients of
   one endpoint converge to equal shares this way.
4. Each round of calls causes one decrease at most. When a quota runs out, every call in flight is
   refused, and all of those refusals carry the same information. So a call that was sent before
   the last decrease causes none. Calls are numbered in the order in which they are sent.
5. A refusal without Retry-After among many answers is sporadic: one refusal for every
   ANSWERS_PER_REFUSAL answers is ignored. Otherwise a gateway that refuses one call in twenty,
   whatever the load, would reduce 128 slots to four.
6. Failures of the service (5xx, a lost connection, a timeout) change nothing. A broken endpoint
   does not recover because it gets fewer calls, and the circuit breaker handles it.
"""

from __future__ import annotations

ANSWERS_PER_REFUSAL = 10


class Concurrency:
    """The number of calls that may be in flight, from 1 to *slots*."""

    __slots__ = ("_credit", "_decreased_at", "_exact", "decreases", "limit", "slots")

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.limit = slots
        self.decreases = 0
        self._exact = float(slots)
        self._decreased_at = 0  # number of the first call sent after the last decrease
        self._credit = 0  # answers that later refusals may use up (rule 5)

    def answered(self) -> None:
        """Apply an answer."""
        if self._credit < self.slots or self._credit < ANSWERS_PER_REFUSAL:
            self._credit += 1
        if self.limit < self.slots:
            self._exact = min(float(self.slots), self._exact + 1.0 / self._exact)
            # A limit of n reached by n additions of 1/n falls short of it by a rounding error.
            self.limit = int(self._exact + 1e-9)

    def refused(self, number: int, sent: int, *, asked: bool = True) -> bool:
        """Apply a refusal of call *number* out of *sent* so far; return whether it decreased.

        *asked* is whether the endpoint asked for a cooldown.
        """
        if number < self._decreased_at:
            return False
        if not asked and self._credit >= ANSWERS_PER_REFUSAL:
            self._credit -= ANSWERS_PER_REFUSAL
            return False
        self._decreased_at = sent
        self._exact = max(1.0, self._exact / 2)
        self.limit = int(self._exact)
        self.decreases += 1
        return True
