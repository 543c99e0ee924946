"""When an endpoint that fails is left alone, and when it is asked again.

Why it works: a call to a dead endpoint costs an attempt and up to its timeout, and with several
endpoints another one would have answered. So after some failures in a row the endpoint is left
alone for a while; then one call finds out whether it is back.

States, and what leads from one to the next:

- closed: calls go. FAILURES_IN_A_ROW failures with no answer between them open it.
- open: no call goes. After a while, open_s, it is half-open; time alone leads there, so that
  state is computed and not kept.
- half-open: one call goes, the probe. If it is answered the breaker is closed, and forgets; if it
  fails the breaker is open again, for twice as long, up to a bound. A probe that ends without
  either (its caller gave up) leaves it half-open, and the next call is the probe.

A failure is one of the endpoint: no connection, a timeout, a 5xx, a garbled reply. Whatever else
comes back, a 4xx or a 429 among it, was said by an endpoint that is alive: an answer.

The odd case is a call that was sent before the last change of state and ends after it. What it
tells is old: a call that was sent while the breaker was closed and answered after it opened says
nothing of the endpoint as it is now, and its failure is one that was counted on already. So each
call keeps the *round* in which it was sent, a change of state begins another one, and a call of an
earlier round is not listened to.
"""

from __future__ import annotations

import math
from typing import Literal

FAILURES_IN_A_ROW = 5
FIRST_OPEN_S = 1.0
LONGEST_OPEN_S = 60.0

BreakerState = Literal["closed", "open", "half-open"]


class Breaker:
    """Decides whether calls go to one endpoint."""

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
        self._open_s = open_s  # how long it is open, or would be next
        self._until_s = 0.0
        self._probing = False

    def state(self, now: float) -> BreakerState:
        """Return what it is at *now*."""
        if self._closed:
            return "closed"
        return "open" if now < self._until_s else "half-open"

    def wait_s(self, now: float) -> float:
        """Return how long no call may go; infinite until the probe that is under way ends."""
        if self._closed:
            return 0.0
        if self._probing:
            return math.inf
        return max(0.0, self._until_s - now)

    def begin(self) -> int:
        """Take note of a call that may go, and return its round."""
        self._probing = not self._closed
        return self._round

    def answered(self, round_: int) -> None:
        """Take note that a call of *round_* was answered."""
        if round_ != self._round:
            return
        self._failures = 0
        if not self._closed:
            self._change(closed=True)
            self._open_s = self._first_open_s

    def failed(self, round_: int, now: float) -> None:
        """Take note that a call of *round_* failed."""
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
        """Take note that a call of *round_* ended and told nothing."""
        if round_ == self._round:
            self._probing = False

    def _change(self, *, closed: bool) -> None:
        self._round += 1
        self._closed = closed
        self._probing = False
        self._failures = 0
