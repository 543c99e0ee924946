"""How many calls may be under way at once: adaptive inside the slots that the user allows.

A limit starts at all of the slots. An answer adds one part in *limit* to it, so that it grows by
about one for each round of calls (additive increase). A refusal for quota, a 429 or a header that
says that nothing is left, halves it (multiplicative decrease), for it shows that as many calls as
now come too fast. Several callers that share an endpoint converge to equal shares this way.

A round is cut once: when a quota runs out, every call under way is refused, and they all tell the
same news. So a call that was sent before the last cut does not cut again. Calls are numbered in
the order in which they are sent, and that number is all there is to know of one.

A refusal that names no time to stay away, among many answers, is no sign of too many calls but bad
luck: one for every ANSWERS_A_REFUSAL answers is forgiven. Else a gateway that refuses one call in
twenty, whatever it is asked, would keep 128 slots down to four.

Failures of the service (5xx, a cut connection, a timeout) cut nothing. A broken endpoint answers
no better when it is asked less, and a breaker takes care of it.
"""

from __future__ import annotations

ANSWERS_A_REFUSAL = 10


class Concurrency:
    """The number of calls that may be under way, from 1 to *slots*."""

    __slots__ = ("_cut_at", "_exact", "_to_forgive", "cuts", "limit", "slots")

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.limit = slots
        self.cuts = 0
        self._exact = float(slots)
        self._cut_at = 0  # the number of the first call sent after the last cut
        self._to_forgive = 0  # answers, no more than there are slots or one refusal needs

    def answered(self) -> None:
        """Take note of an answer."""
        if self._to_forgive < self.slots or self._to_forgive < ANSWERS_A_REFUSAL:
            self._to_forgive += 1
        if self.limit < self.slots:
            self._exact = min(float(self.slots), self._exact + 1.0 / self._exact)
            # A limit of n reached by n additions of 1/n falls short of it by a rounding error.
            self.limit = int(self._exact + 1e-9)

    def refused(self, number: int, sent: int, *, asked: bool = True) -> bool:
        """Take note that call *number* of *sent* so far was refused; return whether that cut.

        *asked* is whether the endpoint asked to be left alone for a time.
        """
        if number < self._cut_at:
            return False
        if not asked and self._to_forgive >= ANSWERS_A_REFUSAL:
            self._to_forgive -= ANSWERS_A_REFUSAL
            return False
        self._cut_at = sent
        self._exact = max(1.0, self._exact / 2)
        self.limit = int(self._exact)
        self.cuts += 1
        return True
