"""Inferred requests-per-minute limit of an endpoint that states none and only refuses.

If neither the user nor a header states a limit, the first sign of one is a 429, and by then all
calls in flight run into it. Once a minute that would be one call in ten. So the limit is inferred:

1. A 429 is evidence if its Retry-After fits a minute's quota: it ends when the oldest call of the
   minute leaves the minute, or a whole minute later.
2. The refusals must come from a hard limit and must not be sporadic. A burst is the calls sent from
   the first refused one until its refusal arrived. In it at least as many calls must be refused as
   answered, and at least BURST_REFUSALS. With fewer in flight there is too little evidence, and
   little to gain: such refusals are less than one call in a hundred.
3. The new limit is the number of calls of that minute that were not refused. It is taken only if it
   is lower than the inferred limit so far.
4. The other answers of a burst arrive late. If they show that rule 2 does not hold after all, the
   limit from before the burst is restored.
5. The limit may be too low: other clients share the quota, or it was raised. So if calls wait for
   it and a minute passes without a refusal, it grows by 1, 2, 4 ... calls at a time.
6. A refusal ends the growth and takes back half of the last step; we caused it ourselves. It takes
   back no more than was grown, because refusals that have nothing to do with a rate must not lower
   the limit.
"""

from __future__ import annotations

import math

from ..quota import MINUTE_S

BURST_REFUSALS = 3
_TOLERANCE_S = 2.0  # endpoints round Retry-After up to whole seconds


class InferredLimit:
    """The inferred requests per minute; *rpm* is None until refusals show one."""

    def __init__(self) -> None:
        self.rpm: int | None = None
        self._base = 0  # the limit before growth
        self._step = 1
        self._changed_s = 0.0
        self._waited_s = -math.inf  # when a call last had to wait for this limit
        self._burst = _Burst(math.inf, -math.inf)

    def refused(self, sent_s: float, now: float, *, asked_s: float, oldest_s: float) -> bool:
        """Apply a refusal with a cooldown of *asked_s*; return whether it fits a minute's limit.

        *oldest_s* is when the oldest call of the minute before *sent_s* was sent.
        """
        left_s = oldest_s + MINUTE_S - now
        if asked_s <= 0.0 or not left_s - _TOLERANCE_S <= asked_s <= MINUTE_S + _TOLERANCE_S:
            return False
        if sent_s > self._burst.until_s:
            self._burst = _Burst(sent_s, now)
        self._burst.refused += 1
        return True

    def infer(self, admitted: int, now: float) -> bool:
        """Infer the limit from the last refusal, in whose minute *admitted* calls were not refused.

        Return whether growth of the limit caused that refusal.
        """
        grown = self.rpm is not None and now - self._waited_s <= MINUTE_S
        if self._burst.is_hard and (self.rpm is None or admitted < self.rpm):
            if not self._burst.used:
                self._burst.used = True
                self._burst.before = (self.rpm, self._base)
            self.rpm = self._base = max(1, admitted)
        elif self.rpm is not None and grown and now - self._changed_s > 0.0:
            self.rpm = max(self._base, self.rpm - self._step // 2)
        self._step = 1
        self._changed_s = now
        return grown

    def answered(self, sent_s: float) -> bool:
        """Apply an answer, and return whether it restored an earlier limit (rule 4)."""
        burst = self._burst
        if not burst.from_s <= sent_s <= burst.until_s:
            return False
        burst.answered += 1
        if burst.is_hard or not burst.used:
            return False
        burst.used = False
        self.rpm, self._base = burst.before
        return True

    def call_waits(self, now: float) -> bool:
        """Record that a call waits for this limit, and return whether the limit grew (rule 5)."""
        assert self.rpm is not None
        self._waited_s = now
        if now - self._changed_s <= MINUTE_S:
            return False
        self.rpm += self._step
        self._step *= 2
        self._changed_s = now
        return True


class _Burst:
    """Results of the calls sent from the first refused one until its refusal arrived."""

    def __init__(self, from_s: float, until_s: float) -> None:
        self.from_s = from_s
        self.until_s = until_s
        self.refused = 0
        self.answered = 0
        self.used = False  # a limit was inferred from it
        self.before: tuple[int | None, int] = (None, 0)

    @property
    def is_hard(self) -> bool:
        return self.refused >= max(BURST_REFUSALS, self.answered)
