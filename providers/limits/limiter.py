"""Who may send, and when: a slot for every attempt, the endpoint's rate, the budget.

An attempt has its turn when four things hold at once: fewer attempts are under way than may be,
the endpoint has not asked to be left alone, the rate window has room, the budget admits it. Most
find all four true as they come, and pass without waiting. The others stand in one line. Only the
first in line waits for something, whatever that is, and the next steps up when it leaves, sent or
cancelled: first come, first served. What is counted is counted in the step in which the attempt
goes, with no checkpoint between: who is cancelled in the line has nothing to give back.

From there on the attempt is paid for, so cancelling the caller no longer stops it: it runs in a
shielded scope, bounded by the adapter's timeout. No gate lies behind the answer, and no checkpoint
either: even in a cancelled scope `complete` returns it to the caller, who must put it away before
awaiting anything.

What comes back moves the limits: a 429 halves the attempts that may be under way (aimd.py), holds
everybody for as long as it asks, and may teach a rate (rate.py); headers tell rates and what is
left. That nothing is left is no news where the rate window is full itself, and moves nothing then.
"""

from __future__ import annotations

import math
from collections import deque

import anyio
import msgspec
from anyio.lowlevel import checkpoint_if_cancelled

from ..base import Attempt, AttemptObserver, Clock, Provider, QuotedProvider
from ..errors import RateLimited, TransientError
from ..quota import LONGEST_ASKED_S, Quota
from ..settings import Price
from ..statistics import EndpointStatistics
from ..types import Request, Response, Usage
from .aimd import Concurrency
from .budget import Budget
from .circuit_breaker import BreakerState
from .rate_window import RateWindow, Tick, estimate_charge, estimate_need, estimate_usage

_NO_USAGE = Usage()


class _Turn:
    """One attempt that was counted, until it has ended."""

    __slots__ = ("arrived_s", "need", "need_usd", "number", "started_s", "tick")

    def __init__(self, now: float, arrived_s: float) -> None:
        self.arrived_s = arrived_s
        self.started_s = now
        self.need = _NO_USAGE  # estimated, where somebody asks
        self.need_usd = 0.0
        self.number = 0
        self.tick: Tick

    @property
    def tokens(self) -> int:
        return self.need.input_tokens + self.need.output_tokens


class Limited:
    """Passes requests to *inner*, at most *slots* at a time and within *rpm*, *tpm* and *budget*.

    Every attempt that was sent is told to *observer*, also one that failed or was abandoned.
    *endpoint* is the user's name of where *inner* leads, and is noted in what it answers.
    """

    def __init__(
        self,
        inner: Provider,
        *,
        slots: int,
        clock: Clock,
        pool: str,
        endpoint: str = "",
        rpm: int | None = None,
        tpm: int | None = None,
        observer: AttemptObserver | None = None,
        price: Price | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._inner = inner
        self._quoted = inner if isinstance(inner, QuotedProvider) else None
        self._concurrency = Concurrency(slots)
        self._window = RateWindow(rpm=rpm, tpm=tpm)
        self._clock = clock
        self._pool = pool
        self._endpoint = endpoint
        self._observer = observer
        self._price = price or Price()
        self._budget = budget
        self._line: deque[anyio.Event] = deque()
        self._freed: anyio.Event | None = None  # made by the first in line when it needs one
        self._held_until_s = 0.0
        self._in_flight: set[anyio.CancelScope] = set()
        self._running = 0
        self._inside = 0
        self._sent = 0
        self._failed = 0

    async def complete(self, request: Request) -> Response:
        """Return the response, or raise a ProviderError; BudgetReached means nothing was sent."""
        return await self.complete_since(request, self._clock.now())

    async def complete_since(self, request: Request, arrived_s: float) -> Response:
        """Do the same for a call that has waited for its turn since *arrived_s*."""
        turn = _Turn(self._clock.now(), arrived_s)
        self._inside += 1
        try:
            await checkpoint_if_cancelled()  # what is sent is not taken back
            self._weigh(turn, request)
            if self._line or self._wait_s(turn):
                await self._stand_in_line(turn)
            else:
                self._count(turn)
            return await self._attempt(request, turn)
        finally:
            self._inside -= 1

    def abandon(self) -> None:
        """Let cancellation reach the attempts that are under way."""
        for scope in self._in_flight:
            scope.shield = False

    @property
    def load(self) -> float:
        """Calls inside, sent or waiting, for each that may be under way."""
        return self._inside / self._concurrency.limit

    def wait_s(self, request: Request) -> float:
        """Return how long *request* would have to wait for its turn, as things stand.

        Infinite until an attempt under way has ended, here or elsewhere on the same budget. Raises
        BudgetReached where `complete` would.
        """
        now = self._clock.now()
        turn = _Turn(now, now)
        self._weigh(turn, request)
        return self._wait_s(turn)

    def statistics(self, breaker: BreakerState = "closed") -> EndpointStatistics:
        """Return the counts of this moment, and the state of the *breaker* that lies above."""
        now = self._clock.now()
        return EndpointStatistics(
            name=self._endpoint,
            sent=self._sent,
            in_flight=self._running,
            waiting=self._inside - self._running,
            failed=self._failed,
            limit=self._concurrency.limit,
            cuts=self._concurrency.cuts,
            rate=self._window.sent(now),
            held_s=max(0.0, self._held_until_s - now),
            breaker=breaker,
        )

    def _weigh(self, turn: _Turn, request: Request) -> None:
        """Estimate what *request* needs, if that matters to anybody."""
        weighs = self._budget is not None and self._budget.weighs
        if weighs or self._window.tpm is not None:
            turn.need = estimate_need(request)
            turn.need_usd = self._price.cost_usd(turn.need.input_tokens, turn.need.output_tokens)

    def _wait_s(self, turn: _Turn) -> float:
        """Return how long the attempt of *turn* has to wait; infinite until another has ended."""
        if self._running >= self._concurrency.limit:
            return math.inf
        held_s = self._held_until_s - turn.started_s
        wait_s = max(0.0, held_s, self._window.wait_s(turn.started_s, turn.tokens))
        if wait_s or self._budget is None or self._budget.has_room(turn.need, turn.need_usd):
            return wait_s
        return math.inf

    def _count(self, turn: _Turn) -> None:
        """Count the attempt of *turn*, which nothing stands in the way of."""
        admitted = self._budget is None or self._budget.admit(turn.need, turn.need_usd)
        assert admitted
        turn.tick = self._window.record(turn.started_s, turn.tokens)
        turn.number = self._sent
        self._sent += 1
        self._running += 1

    async def _stand_in_line(self, turn: _Turn) -> None:
        """Return when the attempt of *turn* has been counted."""
        place = anyio.Event()
        self._line.append(place)
        try:
            if self._line[0] is not place:
                await place.wait()
            while True:
                await checkpoint_if_cancelled()
                turn.started_s = self._clock.now()
                wait_s = self._wait_s(turn)
                if not wait_s:
                    self._count(turn)
                    return
                await self._sleep(wait_s)
        finally:
            self._line.remove(place)
            if self._line:
                self._line[0].set()

    async def _sleep(self, wait_s: float) -> None:
        if wait_s < math.inf:
            await self._clock.sleep(wait_s)
        elif self._running >= self._concurrency.limit:
            self._freed = anyio.Event()
            await self._freed.wait()
        else:
            assert self._budget is not None  # nothing else is left
            await self._budget.wait()

    async def _attempt(self, request: Request, turn: _Turn) -> Response:
        try:
            response, quota = await self._send_shielded(request)
        except BaseException as error:
            self._failed += 1
            if isinstance(error, TransientError):
                error.waited_s = turn.started_s - turn.arrived_s
                if isinstance(error, RateLimited):
                    self._refused(turn, error)
            self._end(turn, estimate_charge(request, error), error=type(error).__name__)
            raise
        self._concurrency.answered()
        if quota is not None:
            self._heed(quota, turn)
        usage = response.usage or estimate_usage(request, response)
        self._end(turn, usage)
        if self._endpoint:
            response = msgspec.structs.replace(response, endpoint=self._endpoint)
        return response

    async def _send_shielded(self, request: Request) -> tuple[Response, Quota | None]:
        with anyio.CancelScope(shield=True) as scope:
            self._in_flight.add(scope)
            try:
                if self._quoted is not None:
                    return await self._quoted.complete_quoted(request)
                return await self._inner.complete(request), None
            finally:
                self._in_flight.discard(scope)
        raise AssertionError("nothing cancels this scope itself")

    def _refused(self, turn: _Turn, error: RateLimited) -> None:
        """Do what a 429 asks for."""
        now = self._clock.now()
        asked_s = min(LONGEST_ASKED_S, error.retry_after_s or 0.0)
        self._hold(now + asked_s)
        if error.quota is not None:
            self._learn(error.quota)
        if not self._window.refuse(turn.tick, now, asked_s):
            self._concurrency.refused(turn.number, self._sent, asked=asked_s > 0.0)

    def _heed(self, quota: Quota, turn: _Turn) -> None:
        """Do what the headers of an answer ask for.

        They may be as old as the call: how long to stay away counts from when that was sent.
        """
        self._learn(quota)
        requests_gone, tokens_gone = quota.requests.asked_s > 0.0, quota.tokens.asked_s > 0.0
        if not requests_gone and not tokens_gone:
            return
        if self._window.run_out(requests=requests_gone, tokens=tokens_gone):
            self._concurrency.refused(turn.number, self._sent)
            self._hold(turn.started_s + quota.asked_s)

    def _learn(self, quota: Quota) -> None:
        self._window.tell(rpm=quota.requests.per_minute, tpm=quota.tokens.per_minute)

    def _hold(self, until_s: float) -> None:
        self._held_until_s = max(self._held_until_s, until_s)

    def _end(self, turn: _Turn, usage: Usage, *, error: str = "") -> None:
        """Give the slot back, and tell whom it concerns how the attempt ended."""
        self._running -= 1
        if self._freed is not None:
            self._freed.set()
            self._freed = None
        tokens = usage.input_tokens + usage.output_tokens
        cost_usd = self._price.cost_usd(usage.input_tokens, usage.output_tokens)
        if not error:
            self._window.correct(turn.tick, turn.tokens, tokens)
        if self._budget is not None:
            self._budget.settle(usage, cost_usd, need=turn.need, need_usd=turn.need_usd)
        if self._observer is not None:
            self._observer.attempt_ended(
                Attempt(
                    pool=self._pool,
                    endpoint=self._endpoint,
                    waited_s=turn.started_s - turn.arrived_s,
                    took_s=self._clock.now() - turn.started_s,
                    error=error,
                    input_tokens=usage.input_tokens,
                    output_tokens=usage.output_tokens,
                    cost_usd=cost_usd,
                )
            )
