"""How many calls may be under way at once: adaptive inside the slots that the user allows.

A limit starts at all of the slots. An answer adds one part in *limit* to it, so that it grows by
about one for each round of calls (additive increase). A refusal for quota, a 429 or a header that
says that nothing is left, halves it (multiplicative decrease), for it shows that as many calls as
now come too fast. Several callers that share an endpoint converge to equal shares this way.

A round is cut once: when a quota runs out, every call under way is refused, and they all tell the
same news. So a call that was sent before the last cut does not cut again. Calls are numbered in
the order in which they are sent, and that number is all there is to know of one.

Failures of the service (5xx, a cut connection, a timeout) cut nothing. A broken endpoint answers
no better when it is asked less, and a breaker takes care of it.
"""

from __future__ import annotations


class Concurrency:
    """The number of calls that may be under way, from 1 to *slots*."""

    __slots__ = ("_cut_at", "_exact", "cuts", "limit", "slots")

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.limit = slots
        self.cuts = 0
        self._exact = float(slots)
        self._cut_at = 0  # the number of the first call sent after the last cut

    def answered(self) -> None:
        """Take note of an answer."""
        if self.limit < self.slots:
            self._exact = min(float(self.slots), self._exact + 1.0 / self._exact)
            # A limit of n reached by n additions of 1/n falls short of it by a rounding error.
            self.limit = int(self._exact + 1e-9)

    def refused(self, number: int, sent: int) -> bool:
        """Take note that call *number* of *sent* so far was refused; return whether that cut."""
        if number < self._cut_at:
            return False
        self._cut_at = sent
        self._exact = max(1.0, self._exact / 2)
        self.limit = int(self._exact)
        self.cuts += 1
        return True
