"""Limiter of one endpoint: a slot for every attempt, the rate limits, the budget.

1. An attempt is sent when four conditions hold at once: fewer attempts are in flight than the
   concurrency limit, the endpoint has no cooldown, the rate window has room, the budget admits it.
   Most attempts find all four true on arrival and never wait.
2. The others wait in one queue. Only the head of the queue waits for a condition, whichever it is.
   The next one follows when the head leaves, sent or cancelled: first come, first served.
3. An attempt is counted in the same step in which it leaves the queue, with no checkpoint between.
   So an attempt that is cancelled in the queue has nothing to give back.
4. A sent attempt is paid for, so cancelling its caller does not stop it: it runs in a shielded
   scope, bounded by the adapter's timeout. `abandon` lifts the shield.
5. There is no checkpoint behind the response. Even in a cancelled scope `complete` returns it to
   the caller, who must store it before awaiting anything.
6. Replies adjust the limits. A 429 halves the concurrency limit (aimd.py), starts a cooldown of the
   length that Retry-After asks for, and may reveal a rate limit (rate_window.py). Headers advertise
   rate limits and what is left of them. If our own window is already full, a `remaining: 0` header
   is expected, so limits do not change.

The limits are shared by all callers. `watched_by` returns a view of them for one observer, which
receives the attempts of that view only.
"""

from __future__ import annotations

import math
from collections import deque
from functools import partial

import anyio
import msgspec
from anyio.lowlevel import checkpoint_if_cancelled

from ..base import Adapter, AdapterReply, Attempt, AttemptObserver, Clock, Provider
from ..errors import RateLimited, TransientError
from ..quota import LONGEST_ASKED_S, Quota
from ..settings import Price
from ..statistics import EndpointStatistics
from ..tokens import estimate_charge, estimate_need, estimate_usage
from ..types import Request, Response, Usage
from .aimd import Concurrency
from .budget import Budget
from .circuit_breaker import BreakerState
from .rate_window import RateWindow, Tick
from .watched import Watched

_NO_USAGE = Usage()


class _Turn:
    """One attempt, from its arrival until it has ended."""

    __slots__ = ("arrived_s", "need", "need_usd", "number", "observer", "started_s", "tick")

    def __init__(self, now: float, arrived_s: float, observer: AttemptObserver | None) -> None:
        self.arrived_s = arrived_s
        self.started_s = now
        self.observer = observer
        self.need = _NO_USAGE  # estimated only if a limit depends on it
        self.need_usd = 0.0
        self.number = 0
        self.tick: Tick

    @property
    def tokens(self) -> int:
        return self.need.input_tokens + self.need.output_tokens


class Limited:
    """Passes requests to *adapter*, at most *slots* at a time, within *rpm*, *tpm* and *budget*.

    *endpoint* is the user's name for where *adapter* leads. It is noted in each response.
    """

    def __init__(
        self,
        adapter: Adapter,
        *,
        slots: int,
        clock: Clock,
        pool: str,
        endpoint: str = "",
        rpm: int | None = None,
        tpm: int | None = None,
        price: Price | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._adapter = adapter
        self._concurrency = Concurrency(slots)
        self._window = RateWindow(rpm=rpm, tpm=tpm)
        self._clock = clock
        self._pool = pool
        self._endpoint = endpoint
        self._price = price or Price()
        self._budget = budget
        self._queue: deque[anyio.Event] = deque()
        self._freed: anyio.Event | None = None  # created by the head of the queue when needed
        self._cooldown_until_s = 0.0
        self._shields: set[anyio.CancelScope] = set()
        self._in_flight = 0
        self._inside = 0
        self._sent = 0
        self._failed = 0

    async def complete(self, request: Request) -> Response:
        """Return the response, or raise a ProviderError. BudgetReached means nothing was sent."""
        return await self._complete(request)

    def watched_by(
        self, observer: AttemptObserver | None, *, arrived_s: float | None = None
    ) -> Provider:
        """Return a view of these limits whose attempts *observer* receives, failed ones included.

        *arrived_s* is since when a call of the view has waited, if it waited before it came here.
        """
        return Watched(partial(self._complete, observer=observer, arrived_s=arrived_s))

    def abandon(self) -> None:
        """Let cancellation reach the attempts in flight."""
        for scope in self._shields:
            scope.shield = False

    @property
    def load(self) -> float:
        """Calls inside, in flight or queued, divided by the concurrency limit."""
        return self._inside / self._concurrency.limit

    def wait_s(self, request: Request) -> float:
        """Return how many seconds *request* would wait before it is sent, as things are now.

        Infinite if an attempt in flight has to end first, here or elsewhere on the same budget.
        Raises BudgetReached where `complete` would.
        """
        now = self._clock.now()
        turn = _Turn(now, now, None)
        self._estimate(turn, request)
        return self._wait_s(turn)

    def statistics(self, breaker: BreakerState = "closed") -> EndpointStatistics:
        """Return the counts at this moment, with the state of the endpoint's *breaker*."""
        now = self._clock.now()
        return EndpointStatistics(
            name=self._endpoint,
            sent=self._sent,
            in_flight=self._in_flight,
            waiting=self._inside - self._in_flight,
            failed=self._failed,
            limit=self._concurrency.limit,
            decreases=self._concurrency.decreases,
            rate=self._window.sent(now),
            cooldown_s=max(0.0, self._cooldown_until_s - now),
            breaker=breaker,
        )

    async def _complete(
        self,
        request: Request,
        *,
        observer: AttemptObserver | None = None,
        arrived_s: float | None = None,
    ) -> Response:
        now = self._clock.now()
        turn = _Turn(now, now if arrived_s is None else arrived_s, observer)
        self._inside += 1
        try:
            await checkpoint_if_cancelled()  # the last chance: a sent attempt is not taken back
            self._estimate(turn, request)
            if self._queue or self._wait_s(turn):
                await self._wait_in_queue(turn)
            else:
                self._count(turn)
            return await self._attempt(request, turn)
        finally:
            self._inside -= 1

    def _estimate(self, turn: _Turn, request: Request) -> None:
        """Estimate what *request* needs, if a limit depends on it."""
        for_budget = self._budget is not None and self._budget.needs_estimate
        if for_budget or self._window.tpm is not None:
            turn.need = estimate_need(request)
            turn.need_usd = self._price.cost_usd(turn.need.input_tokens, turn.need.output_tokens)

    def _wait_s(self, turn: _Turn) -> float:
        """Return how long the attempt of *turn* has to wait; infinite until another has ended."""
        if self._in_flight >= self._concurrency.limit:
            return math.inf
        cooldown_s = self._cooldown_until_s - turn.started_s
        wait_s = max(0.0, cooldown_s, self._window.wait_s(turn.started_s, turn.tokens))
        if wait_s or self._budget is None or self._budget.has_room(turn.need, turn.need_usd):
            return wait_s
        return math.inf

    def _count(self, turn: _Turn) -> None:
        """Count the attempt of *turn*, for which all conditions hold."""
        admitted = self._budget is None or self._budget.admit(turn.need, turn.need_usd)
        assert admitted
        turn.tick = self._window.record(turn.started_s, turn.tokens)
        turn.number = self._sent
        self._sent += 1
        self._in_flight += 1

    async def _wait_in_queue(self, turn: _Turn) -> None:
        """Return when the attempt of *turn* has been counted."""
        at_head = anyio.Event()
        self._queue.append(at_head)
        try:
            if self._queue[0] is not at_head:
                await at_head.wait()
            while True:
                await checkpoint_if_cancelled()
                turn.started_s = self._clock.now()
                wait_s = self._wait_s(turn)
                if not wait_s:
                    self._count(turn)
                    return
                await self._sleep(wait_s)
        finally:
            self._queue.remove(at_head)
            if self._queue:
                self._queue[0].set()

    async def _sleep(self, wait_s: float) -> None:
        if wait_s < math.inf:
            await self._clock.sleep(wait_s)
        elif self._in_flight >= self._concurrency.limit:
            self._freed = anyio.Event()
            await self._freed.wait()
        else:
            assert self._budget is not None  # the only other condition without a time
            await self._budget.wait()

    async def _attempt(self, request: Request, turn: _Turn) -> Response:
        try:
            reply = await self._send_shielded(request)
        except BaseException as error:
            self._failed += 1
            if isinstance(error, TransientError):
                error.waited_s = turn.started_s - turn.arrived_s
                if isinstance(error, RateLimited):
                    self._on_refusal(turn, error)
            self._end(turn, estimate_charge(request, error), error=type(error).__name__)
            raise
        response = reply.response
        self._concurrency.answered()
        if reply.quota is not None:
            self._apply_headers(reply.quota, turn)
        usage = response.usage or estimate_usage(request, response)
        self._end(turn, usage)
        if self._endpoint:
            response = msgspec.structs.replace(response, endpoint=self._endpoint)
        return response

    async def _send_shielded(self, request: Request) -> AdapterReply:
        with anyio.CancelScope(shield=True) as scope:
            self._shields.add(scope)
            try:
                return await self._adapter.send(request)
            finally:
                self._shields.discard(scope)
        raise AssertionError("nothing cancels this scope itself")

    def _on_refusal(self, turn: _Turn, error: RateLimited) -> None:
        """Adjust the limits after a 429."""
        now = self._clock.now()
        asked_s = min(LONGEST_ASKED_S, error.retry_after_s or 0.0)
        self._cool_down(now + asked_s)
        if error.quota is not None:
            self._set_advertised(error.quota)
        if not self._window.on_refusal(turn.tick, now, asked_s):
            self._concurrency.refused(turn.number, self._sent, asked=asked_s > 0.0)

    def _apply_headers(self, quota: Quota, turn: _Turn) -> None:
        """Adjust the limits after an answer whose headers state a *quota*.

        Headers can be as old as the call, so the cooldown counts from when the call was sent.
        """
        self._set_advertised(quota)
        no_requests, no_tokens = quota.requests.asked_s > 0.0, quota.tokens.asked_s > 0.0
        if not no_requests and not no_tokens:
            return
        if self._window.on_exhausted(requests=no_requests, tokens=no_tokens):
            self._concurrency.refused(turn.number, self._sent)
            self._cool_down(turn.started_s + quota.asked_s)

    def _set_advertised(self, quota: Quota) -> None:
        self._window.set_advertised(rpm=quota.requests.per_minute, tpm=quota.tokens.per_minute)

    def _cool_down(self, until_s: float) -> None:
        self._cooldown_until_s = max(self._cooldown_until_s, until_s)

    def _end(self, turn: _Turn, usage: Usage, *, error: str = "") -> None:
        """Free the slot, settle the budget, and report the attempt."""
        self._in_flight -= 1
        if self._freed is not None:
            self._freed.set()
            self._freed = None
        tokens = usage.input_tokens + usage.output_tokens
        cost_usd = self._price.cost_usd(usage.input_tokens, usage.output_tokens)
        if not error:
            self._window.on_answer(turn.tick, turn.tokens, tokens)
        if self._budget is not None:
            self._budget.settle(usage, cost_usd, need=turn.need, need_usd=turn.need_usd)
        if turn.observer is not None:
            turn.observer.attempt_ended(
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
