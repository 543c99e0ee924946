"""What an endpoint that only refuses teaches of the requests that its minute may have.

Where neither the user nor a header says how many requests a minute may have, the first sign of a
limit is a 429, and by then as many calls as are under way run into it. Once a minute that would be
one call in ten. So the limit is taken from what happened, if three things are true:

- The 429 asks to come back when a minute's quota would be there again: when the oldest call of the
  minute leaves it, or a whole minute later.
- It is a wall and no hole: of the calls that were sent between the first that was refused and the
  news of it, at least as many were refused as were answered, and at least WALL of them. With fewer
  under way there is no telling, and no need to: they are less than one in a hundred.
- It is lower than what was known.

Then the calls of that minute that were not refused are the limit. What the answers of the rest
say comes late. If it turns out that there is no wall, what it taught is forgotten.

The limit may have been taken too low: others share the quota, or it was raised. So while calls wait
for it and a minute passes without a refusal, it grows, by 1, 2, 4 ... calls at a time. The refusal
that ends this takes the last step back and is of our own making. It never takes back more than has
grown: refusals that have nothing to do with a rate must not wear it down.
"""

from __future__ import annotations

import math

from ..quota import MINUTE_S

WALL = 3
_FIT_S = 2.0  # endpoints round what they ask for up to whole seconds


class LearntLimit:
    """The requests that a minute may have, as far as refusals tell; None until they do."""

    def __init__(self) -> None:
        self.rpm: int | None = None
        self._base = 0  # of which growth takes nothing back
        self._step = 1
        self._changed_s = 0.0
        self._bound_s = -math.inf  # when a call last had to wait for it
        self._wall = _Wall(math.inf, -math.inf)

    def refused(self, sent_s: float, now: float, *, asked_s: float, oldest_s: float) -> bool:
        """Take note of a refusal, and return whether it may have hit a minute's limit.

        *oldest_s* is when the oldest call of the minute before *sent_s* was sent.
        """
        left_s = oldest_s + MINUTE_S - now
        if asked_s <= 0.0 or not left_s - _FIT_S <= asked_s <= MINUTE_S + _FIT_S:
            return False
        if sent_s > self._wall.until_s:
            self._wall = _Wall(sent_s, now)
        self._wall.refused += 1
        return True

    def take(self, admitted: int, now: float) -> bool:
        """Take what the refusal before teaches, *admitted* calls having been none.

        Return whether it is of our own making.
        """
        grown = self.rpm is not None and now - self._bound_s <= MINUTE_S
        if self._wall.stands and (self.rpm is None or admitted < self.rpm):
            if not self._wall.taught:
                self._wall.taught = True
                self._wall.before = (self.rpm, self._base)
            self.rpm = self._base = max(1, admitted)
        elif self.rpm is not None and grown and now - self._changed_s > 0.0:
            self.rpm = max(self._base, self.rpm - self._step // 2)
        self._step = 1
        self._changed_s = now
        return grown

    def answered(self, sent_s: float) -> bool:
        """Take note of an answer, and return whether that made us forget something."""
        wall = self._wall
        if not wall.from_s <= sent_s <= wall.until_s:
            return False
        wall.answered += 1
        if wall.stands or not wall.taught:
            return False
        wall.taught = False
        self.rpm, self._base = wall.before
        return True

    def bound(self, now: float) -> bool:
        """Take note that a call has to wait for it, and return whether it has grown."""
        assert self.rpm is not None
        self._bound_s = now
        if now - self._changed_s <= MINUTE_S:
            return False
        self.rpm += self._step
        self._step *= 2
        self._changed_s = now
        return True


class _Wall:
    """What came of the calls sent between the first that was refused and the news of it."""

    def __init__(self, from_s: float, until_s: float) -> None:
        self.from_s = from_s
        self.until_s = until_s
        self.refused = 0
        self.answered = 0
        self.taught = False
        self.before: tuple[int | None, int] = (None, 0)

    @property
    def stands(self) -> bool:
        return self.refused >= max(WALL, self.answered)
