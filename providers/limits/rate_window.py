"""Sliding rate window of one endpoint: when the next call may be sent within rpm and tpm.

1. At every instant the calls of the last minute, the new one included, stay within rpm and tpm. A
   token bucket of the same rate would admit nearly twice as much in some minutes (a full bucket and
   its refill), and endpoints that count minutes refuse that.
2. The window is JITTER_S longer than a minute. The endpoint counts calls when they arrive, we count
   them when they are sent, and the travel time varies: a slow call and a fast one sent a minute
   later can arrive less than a minute apart. This costs 2% of the rate; a 429 costs more.
3. There are three sources of limits, and the lowest counts: *configured* by the user, *advertised*
   in the endpoint's headers, *inferred* from refusals (inferred_limit.py).
4. The calls of a minute may be sent in a burst. Some endpoints refuse bursts although the minute
   has room, because they count seconds or fill a small bucket. Then calls are *paced*: spaced
   evenly, with a small catch-up if the caller was late. Pacing is always safe, only slower at the
   start, so one refusal is enough to turn it on.

Nothing here waits or reads a clock. The caller asks `wait_s`, waits that long, and asks again,
because a correction may have arrived. At zero it calls `record` with the same *now*. Only one call
at a time may do this, which also makes the order first come, first served.
"""

from __future__ import annotations

from collections import deque

from ..quota import MINUTE_S
from .inferred_limit import InferredLimit

JITTER_S = 1.0
WINDOW_S = MINUTE_S + JITTER_S
CATCH_UP_S = 0.25
TICK_S = 0.01  # calls so close together share an entry, so memory does not grow with the rate

# A rounding error of the clock must not make a wait an instant too short: the caller would ask
# again, and be told to wait for a time too small to move the clock.
_MARGIN_S = 0.001
_NEARLY_FULL = 0.9  # of a limit: the endpoint may count calls of other clients


class Tick:
    """The calls sent within TICK_S, all counted at the time of the last one."""

    __slots__ = ("at_s", "began_s", "calls", "expired", "refused", "tokens")

    def __init__(self, began_s: float) -> None:
        self.began_s = began_s
        self.at_s = began_s
        self.calls = 0
        self.refused = 0
        self.tokens = 0
        self.expired = False


class RateWindow:
    """The calls of the last minute, against limits that may become known later.

    A call of more tokens than a minute may have waits for an empty window, not forever.
    """

    def __init__(self, *, rpm: int | None, tpm: int | None) -> None:
        self.rpm = self._configured_rpm = rpm
        self.tpm = self._configured_tpm = tpm
        self._advertised_rpm: int | None = None
        self._inferred = InferredLimit()
        self._paced = False
        self._next_s = 0.0  # when pacing lets the next call go
        self._ticks: deque[Tick] = deque()  # oldest first
        self._calls = 0  # sums over the ticks
        self._tokens = 0

    def wait_s(self, now: float, tokens: int) -> float:
        """Return how many seconds a call of *tokens* has to wait; at zero it may be sent."""
        if self.rpm is None and self.tpm is None:
            return 0.0
        self._expire(now)
        if self._paced and self._next_s > now:
            self._note_wait(now)
            return self._next_s - now + _MARGIN_S
        blocker = self._blocker(tokens)
        if blocker is None:
            return 0.0
        self._note_wait(now)
        return max(0.0, blocker.at_s + WINDOW_S - now) + _MARGIN_S

    def record(self, now: float, tokens: int) -> Tick:
        """Count one call of *tokens*, sent at *now*."""
        ticks = self._ticks
        if ticks and now - ticks[-1].began_s < TICK_S:
            tick = ticks[-1]
            tick.at_s = now
        else:
            self._expire(now)
            tick = Tick(now)
            ticks.append(tick)
        if self._paced and self.rpm is not None:
            self._next_s = max(self._next_s, now - CATCH_UP_S) + WINDOW_S / self.rpm
        tick.calls += 1
        tick.tokens += tokens
        self._calls += 1
        self._tokens += tokens
        return tick

    def on_answer(self, tick: Tick, estimate: int, tokens: int) -> None:
        """Replace the *estimate* for a call of *tick* by the *tokens* that its answer reports."""
        if self._inferred.answered(tick.at_s):
            self._update_rpm()
        if not tick.expired:
            tick.tokens += tokens - estimate
            self._tokens += tokens - estimate

    def set_advertised(self, *, rpm: int | None, tpm: int | None) -> None:
        """Apply the limits that the endpoint advertises now; None leaves one as it is."""
        if rpm is not None and rpm != self._advertised_rpm:
            self._advertised_rpm = rpm
            self._update_rpm()
        if tpm is not None:
            self.tpm = _least(self._configured_tpm, tpm)

    def on_refusal(self, tick: Tick, now: float, asked_s: float) -> bool:
        """Apply a refusal of a call of *tick*, with a cooldown of *asked_s*.

        The call still counts, because some endpoints count what they refuse. Return whether we
        caused the refusal ourselves, by probing above the inferred limit.
        """
        tick.refused += 1
        self._expire(now)
        if tick.expired:
            return False
        self._paced = self._paced or not _is_nearly_full(self._calls, self.rpm)
        since_s, until_s = tick.at_s - MINUTE_S, tick.at_s
        oldest_s = next(kept.at_s for kept in self._ticks if kept.at_s > since_s)
        if not self._inferred.refused(until_s, now, asked_s=asked_s, oldest_s=oldest_s):
            return False
        minute = (kept for kept in self._ticks if since_s < kept.at_s <= until_s)
        ours = self._inferred.infer(sum(kept.calls - kept.refused for kept in minute), now)
        self._update_rpm()
        return ours

    def sent(self, now: float) -> int:
        """Return how many calls were sent in the last minute."""
        return sum(tick.calls for tick in self._ticks if now - tick.at_s < MINUTE_S)

    def on_exhausted(self, *, requests: bool, tokens: bool) -> bool:
        """Apply that the endpoint has no requests or tokens left; return whether that is new.

        If this window is nearly full itself, it was expected.
        """
        expected = (not requests or _is_nearly_full(self._calls, self.rpm)) and (
            not tokens or _is_nearly_full(self._tokens, self.tpm)
        )
        self._paced = self._paced or not expected
        return not expected

    def _update_rpm(self) -> None:
        self.rpm = _least(self._configured_rpm, self._advertised_rpm, self._inferred.rpm)

    def _note_wait(self, now: float) -> None:
        """Record that a call waits; if it waits for the inferred limit, that may grow."""
        if (
            self.rpm is not None
            and self.rpm == self._inferred.rpm
            and self._inferred.call_waits(now)
        ):
            self._update_rpm()

    def _expire(self, now: float) -> None:
        ticks = self._ticks
        while ticks and now - ticks[0].at_s >= WINDOW_S:
            old = ticks.popleft()
            old.expired = True
            self._calls -= old.calls
            self._tokens -= old.tokens

    def _blocker(self, tokens: int) -> Tick | None:
        """Return the youngest tick that has to expire before the next call fits."""
        surplus_calls = 0 if self.rpm is None else self._calls + 1 - self.rpm
        surplus_tokens = 0
        if self.tpm is not None:
            surplus_tokens = self._tokens + min(tokens, self.tpm) - self.tpm
        if surplus_calls <= 0 and surplus_tokens <= 0:
            return None
        for tick in self._ticks:
            surplus_calls -= tick.calls
            surplus_tokens -= tick.tokens
            if surplus_calls <= 0 and surplus_tokens <= 0:
                return tick
        raise RuntimeError("an empty window refuses a call")


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _is_nearly_full(used: int, limit: int | None) -> bool:
    return limit is not None and used >= _NEARLY_FULL * limit
