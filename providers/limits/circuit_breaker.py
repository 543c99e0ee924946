"""Circuit breaker of one endpoint: stops calls to an endpoint that fails, and tries it again later.

A call to a dead endpoint costs an attempt and up to its timeout, while another endpoint of the
model would have answered. The states:

1. Closed: calls pass. FAILURES_IN_A_ROW failures without an answer between them open the breaker.
2. Open: no call passes. After *open_s* the breaker is half-open. Only time leads there, so this
   state is computed, not stored.
3. Half-open: one call passes, the trial call. An answer closes the breaker and resets it. A failure
   opens it again for twice as long, up to a bound. If the trial call ends with neither (its caller
   was cancelled), the breaker stays half-open, and the next call is the trial call.

A failure is one of the endpoint: no connection, a timeout, a 5xx, a malformed reply. Everything
else (4xx, 429) was sent by an endpoint that works, and counts as an answer.

A call that was sent before the last change of state and ends after it carries old information. An
answer to a call from before the breaker opened says nothing about the endpoint now, and a failure
of such a call was already counted. So each call keeps the *round* in which it was sent, each change
of state starts another round, and results of earlier rounds are ignored.
"""

from __future__ import annotations

import math
from typing import Literal

FAILURES_IN_A_ROW = 5
FIRST_OPEN_S = 1.0
LONGEST_OPEN_S = 60.0

BreakerState = Literal["closed", "open", "half-open"]


class Breaker:
    """Decides whether calls may go to one endpoint."""

    def __init__(
        self,
        *,
        failures: int = FAILURES_IN_A_ROW,
        open_s: float = FIRST_OPEN_S,
        longest_open_s: float = LONGEST_OPEN_S,
    ) -> None:
        self._most_failures = failures
        self._first_open_s = open_s
        self._longest_open_s = longest_open_s
        self._round = 0
        self._failures = 0
        self._closed = True
        self._open_s = open_s  # duration of the current or next open state
        self._until_s = 0.0
        self._trying = False  # the trial call is in flight

    def state(self, now: float) -> BreakerState:
        """Return the state at *now*."""
        if self._closed:
            return "closed"
        return "open" if now < self._until_s else "half-open"

    def wait_s(self, now: float) -> float:
        """Return for how many seconds no call may pass; infinite during the trial call."""
        if self._closed:
            return 0.0
        if self._trying:
            return math.inf
        return max(0.0, self._until_s - now)

    def begin(self) -> int:
        """Record that a call passes, and return its round."""
        self._trying = not self._closed
        return self._round

    def answered(self, round_: int) -> None:
        """Apply an answer to a call of *round_*."""
        if round_ != self._round:
            return
        self._failures = 0
        if not self._closed:
            self._change(closed=True)
            self._open_s = self._first_open_s

    def failed(self, round_: int, now: float) -> None:
        """Apply a failure of a call of *round_*."""
        if round_ != self._round:
            return
        self._failures += 1
        if self._closed and self._failures < self._most_failures:
            return
        if not self._closed:
            self._open_s = min(self._longest_open_s, 2 * self._open_s)
        self._until_s = now + self._open_s
        self._change(closed=False)

    def dropped(self, round_: int) -> None:
        """Record that a call of *round_* ended without an answer or a failure."""
        if round_ == self._round:
            self._trying = False

    def _change(self, *, closed: bool) -> None:
        self._round += 1
        self._closed = closed
        self._trying = False
        self._failures = 0
