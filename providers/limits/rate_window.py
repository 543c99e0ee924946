"""When the next call may be sent so that no minute holds more than the endpoint allows.

The window slides: at every instant the calls of the last minute, the new one included, stay within
rpm and tpm. A token bucket of the same rate would let nearly twice as much into some minute (a full
bucket, then its refill), and endpoints that count minutes answer that with 429.

The endpoint counts calls as they arrive, we as they are sent, and no two take equally long to get
there: a call that was slow and one a minute later that was quick arrive less than a minute apart.
So the window is JITTER_S longer than a minute. That costs 2% of the rate, and a 429 costs more.

Three sources say how wide the window is, and the narrowest counts. The user *set* limits. The
endpoint *told* some in its headers. And where it only refuses, a limit is *learnt* (learn.py).

A minute's calls may be sent as fast as they come. Some endpoints mind that and refuse, though the
minute has room: they count seconds, or fill a small bucket. Then calls are spaced *evenly*, in a
rhythm that catches up a little when the caller was late. That is never wrong, only slow to begin
with, so it takes no more than one refusal.

Nothing here waits or reads a clock. The caller asks `wait_s`, waits that long, asks again (a
correction may have arrived meanwhile), and on zero calls `record` with the same *now*. Whoever
asks must be alone in doing so, which also makes the order first come, first served.
"""

from __future__ import annotations

import math
from collections import deque

from ..errors import (
    AccessDenied,
    ConnectionFailed,
    RateLimited,
    ReplyMalformed,
    ReplyUnusable,
    RequestRejected,
    ServiceFailed,
    SettingsInvalid,
)
from ..quota import MINUTE_S
from ..types import Request, Response, Usage
from .inferred_limit import LearntLimit

JITTER_S = 1.0
WINDOW_S = MINUTE_S + JITTER_S
CATCH_UP_S = 0.25
TICK_S = 0.01  # calls sent so close together are one entry: an hour's run has as many as a minute's

# Rounding in a clock must not leave a wait an instant too short: the caller would ask again and
# be told to wait for a time that no longer moves the clock.
_MARGIN_S = 0.001
_FULL = 0.9  # of a limit: the endpoint may know of calls that we do not
_CHARACTERS_PER_TOKEN = 3.5
_UNKNOWN_OUTPUT_TOKENS = 512
_NO_USAGE = Usage()


class Tick:
    """The calls sent within TICK_S, as the window counts them: all at the time of the last."""

    __slots__ = ("at_s", "began_s", "calls", "expired", "refused", "tokens")

    def __init__(self, began_s: float) -> None:
        self.began_s = began_s
        self.at_s = began_s
        self.calls = 0
        self.refused = 0
        self.tokens = 0
        self.expired = False


class RateWindow:
    """The calls of the last minute, held against limits that may become known later.

    A call of more tokens than a minute may have waits for an empty window, not forever.
    """

    def __init__(self, *, rpm: int | None, tpm: int | None) -> None:
        self.rpm = self._set_rpm = rpm
        self.tpm = self._set_tpm = tpm
        self._told_rpm: int | None = None
        self._learnt = LearntLimit()
        self._evenly = False
        self._next_s = 0.0  # when the rhythm lets the next call go
        self._ticks: deque[Tick] = deque()  # oldest first
        self._calls = 0  # of all of them
        self._tokens = 0

    def wait_s(self, now: float, tokens: int) -> float:
        """Return how long a call of *tokens* has to wait; zero means that it may be sent."""
        if self.rpm is None and self.tpm is None:
            return 0.0
        self._forget(now)
        if self._evenly and self._next_s > now:
            self._note_bound(now)
            return self._next_s - now + _MARGIN_S
        blocker = self._blocker(tokens)
        if blocker is None:
            return 0.0
        self._note_bound(now)
        return max(0.0, blocker.at_s + WINDOW_S - now) + _MARGIN_S

    def record(self, now: float, tokens: int) -> Tick:
        """Count one call of *tokens*, sent at *now*."""
        ticks = self._ticks
        if ticks and now - ticks[-1].began_s < TICK_S:
            tick = ticks[-1]
            tick.at_s = now
        else:
            self._forget(now)
            tick = Tick(now)
            ticks.append(tick)
        if self._evenly and self.rpm is not None:
            self._next_s = max(self._next_s, now - CATCH_UP_S) + WINDOW_S / self.rpm
        tick.calls += 1
        tick.tokens += tokens
        self._calls += 1
        self._tokens += tokens
        return tick

    def correct(self, tick: Tick, estimate: int, tokens: int) -> None:
        """Replace the *estimate* for a call of *tick* by what its answer reports."""
        if self._learnt.answered(tick.at_s):
            self._settle()
        if not tick.expired:
            tick.tokens += tokens - estimate
            self._tokens += tokens - estimate

    def tell(self, *, rpm: int | None, tpm: int | None) -> None:
        """Take the limits that the endpoint states now; one that it leaves out stays."""
        if rpm is not None and rpm != self._told_rpm:
            self._told_rpm = rpm
            self._settle()
        if tpm is not None:
            self.tpm = _least(self._set_tpm, tpm)

    def refuse(self, tick: Tick, now: float, asked_s: float) -> bool:
        """Take note that a call of *tick* was refused, and of how long the endpoint wants peace.

        It still counts: some endpoints count what they refuse. Return whether the refusal is of our
        own making, because what was learnt before had grown.
        """
        tick.refused += 1
        self._forget(now)
        if tick.expired:
            return False
        self._evenly = self._evenly or not _is_full(self._calls, self.rpm)
        since_s, until_s = tick.at_s - MINUTE_S, tick.at_s
        oldest_s = next(held.at_s for held in self._ticks if held.at_s > since_s)
        if not self._learnt.refused(until_s, now, asked_s=asked_s, oldest_s=oldest_s):
            return False
        minute = (held for held in self._ticks if since_s < held.at_s <= until_s)
        ours = self._learnt.take(sum(held.calls - held.refused for held in minute), now)
        self._settle()
        return ours

    def sent(self, now: float) -> int:
        """Return how many calls were sent in the last minute."""
        return sum(tick.calls for tick in self._ticks if now - tick.at_s < MINUTE_S)

    def run_out(self, *, requests: bool, tokens: bool) -> bool:
        """Take note that the endpoint has nothing left of either, and return whether that is news.

        It is none where the window itself is full of it, or nearly.
        """
        foreseen = (not requests or _is_full(self._calls, self.rpm)) and (
            not tokens or _is_full(self._tokens, self.tpm)
        )
        self._evenly = self._evenly or not foreseen
        return not foreseen

    def _settle(self) -> None:
        self.rpm = _least(self._set_rpm, self._told_rpm, self._learnt.rpm)

    def _note_bound(self, now: float) -> None:
        """Take note that a call has to wait; if that is for what was learnt, that may grow."""
        if self.rpm is not None and self.rpm == self._learnt.rpm and self._learnt.bound(now):
            self._settle()

    def _forget(self, now: float) -> None:
        ticks = self._ticks
        while ticks and now - ticks[0].at_s >= WINDOW_S:
            old = ticks.popleft()
            old.expired = True
            self._calls -= old.calls
            self._tokens -= old.tokens

    def _blocker(self, tokens: int) -> Tick | None:
        """Return the youngest tick that has to leave the window before the next call fits in."""
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


def estimate_need(request: Request) -> Usage:
    """Return a guess at what *request* will be charged, its longest answer included."""
    prompt = sum(len(message.content) for message in request.messages)
    return Usage(
        input_tokens=_to_tokens(prompt),
        output_tokens=request.sampling.max_tokens or _UNKNOWN_OUTPUT_TOKENS,
    )


def estimate_usage(request: Request, response: Response) -> Usage:
    """Return a guess at the usage of a call whose endpoint reported none."""
    prompt = sum(len(message.content) for message in request.messages)
    return Usage(
        input_tokens=_to_tokens(prompt),
        output_tokens=_to_tokens(len(response.text) + len(response.reasoning)),
    )


def estimate_charge(request: Request, error: BaseException) -> Usage:
    """Return what an attempt that ended in *error* may have been charged.

    A reply that is no answer was generated all the same, and so may one have been that never
    arrived: where it does not say what it used, that is what the attempt was estimated to need.
    Another status than success is no answer that anybody is charged for.
    """
    if isinstance(error, ReplyMalformed | ReplyUnusable) and error.usage is not None:
        return error.usage
    unsent = isinstance(error, ConnectionFailed) and not error.sent
    free = isinstance(
        error, RateLimited | ServiceFailed | RequestRejected | AccessDenied | SettingsInvalid
    )
    return _NO_USAGE if unsent or free else estimate_need(request)


def _to_tokens(characters: int) -> int:
    return math.ceil(characters / _CHARACTERS_PER_TOKEN)


def _least(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _is_full(held: int, limit: int | None) -> bool:
    return limit is not None and held >= _FULL * limit
