"""Failover: chooses which of several endpoints of one model takes a call, and when.

1. A call goes to an endpoint that can send it now: its breaker passes it, it has a free slot, its
   rate window has room, it has no cooldown.
2. If several can, the one with the lowest load takes it; the user's order decides ties. An endpoint
   that has already failed this request comes after the others.
3. If none can, the call waits in one queue, which belongs to all endpoints: no call waits for one
   endpoint while another is idle. Only the head of the queue looks for an endpoint, whenever a call
   has ended or the shortest wait is over. First come, first served.
4. A queued call was not sent. It uses up no attempt, and cancelling it leaves nothing behind.
5. Retry-After starts a cooldown of the endpoint, not of the call. A refused call is retried at once
   if another endpoint can send it. If none can, or all have refused it, it backs off like any other
   failed call, so a request never goes round in a circle.
6. The endpoint is not part of a request's cache key: all endpoints give the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from ..base import AttemptObserver, Clock, Provider
from ..errors import (
    AccessDenied,
    Again,
    BudgetReached,
    ConnectionFailed,
    RateLimited,
    ReplyMalformed,
    ReplyUnusable,
    RequestRejected,
    ServiceFailed,
    SettingsInvalid,
    TimedOut,
    TransientError,
)
from ..statistics import PoolStatistics
from ..types import Request, Response
from .budget import Budget
from .circuit_breaker import Breaker
from .limiter import Limited
from .watched import Watched

# Failed requests that are remembered. One that is never retried would stay forever without a limit.
_MOST_REMEMBERED = 1024

_FAILURES = (ConnectionFailed, TimedOut, ServiceFailed, ReplyMalformed)


class Endpoint:
    """One of several endpoints: its limits and its breaker."""

    def __init__(self, name: str, limited: Limited, breaker: Breaker | None = None) -> None:
        self.name = name
        self.limited = limited
        self.breaker = breaker or Breaker()

    def wait_s(self, request: Request, now: float) -> float:
        """Return how many seconds *request* would wait; infinite until a call in flight ends."""
        return self.breaker.wait_s(now) or self.limited.wait_s(request)


class Failover:
    """Passes each request to one of *endpoints*, which share *budget*."""

    def __init__(
        self, endpoints: Sequence[Endpoint], *, clock: Clock, budget: Budget | None = None
    ) -> None:
        self._endpoints = tuple(endpoints)
        self._clock = clock
        self._budget = budget
        self._failed: dict[Request, tuple[Endpoint, ...]] = {}  # since its last backoff
        self._queue = anyio.Lock(fast_acquire=True)
        self._head_wait = anyio.CancelScope()  # of the head of the queue
        self._queued = 0

    async def complete(self, request: Request) -> Response:
        """Return the response, or raise a ProviderError; AccessDenied names the endpoint."""
        return await self._complete(request)

    def watched_by(self, observer: AttemptObserver | None) -> Provider:
        """Return a view of these endpoints whose attempts *observer* receives."""
        return Watched(partial(self._complete, observer=observer))

    def abandon(self) -> None:
        """Let cancellation reach the attempts in flight."""
        for endpoint in self._endpoints:
            endpoint.limited.abandon()

    def statistics(self) -> PoolStatistics:
        """Return the state of every endpoint at this moment."""
        now = self._clock.now()
        return PoolStatistics(
            endpoints=tuple(
                endpoint.limited.statistics(breaker=endpoint.breaker.state(now))
                for endpoint in self._endpoints
            ),
            queued=self._queued,
        )

    async def _complete(
        self, request: Request, *, observer: AttemptObserver | None = None
    ) -> Response:
        arrived_s = self._clock.now()
        endpoint = None if self._queued else self._choose(request, self._waits(request))
        if endpoint is None:
            endpoint = await self._wait_in_queue(request)
        limited = endpoint.limited.watched_by(observer, arrived_s=arrived_s)
        return await self._send(request, endpoint, limited)

    async def _send(self, request: Request, endpoint: Endpoint, limited: Provider) -> Response:
        breaker = endpoint.breaker
        round_ = breaker.begin()
        try:
            response = await limited.complete(request)
        except TransientError as error:
            if isinstance(error, _FAILURES):
                breaker.failed(round_, self._clock.now())
            else:
                breaker.answered(round_)
            error.again = self._when_again(request, endpoint, error)
            raise
        except AccessDenied as error:
            breaker.answered(round_)
            raise AccessDenied(f"endpoint {endpoint.name}: {error}", status=error.status) from error
        except SettingsInvalid as error:
            breaker.dropped(round_)
            raise SettingsInvalid(f"endpoint {endpoint.name}: {error}") from error
        except (RequestRejected, ReplyUnusable):
            breaker.answered(round_)
            raise
        except BaseException:  # cancelled, or stopped by our own budget
            breaker.dropped(round_)
            raise
        finally:
            if self._queued:  # the head of the queue may have waited for this
                self._head_wait.cancel()
        breaker.answered(round_)
        if self._failed:
            self._failed.pop(request, None)
        return response

    async def _wait_in_queue(self, request: Request) -> Endpoint:
        """Return the endpoint for *request*, once it is at the head and an endpoint is able."""
        self._queued += 1
        try:
            async with self._queue:
                while True:
                    waits = self._waits(request)
                    endpoint = self._choose(request, waits)
                    if endpoint is not None:
                        return endpoint
                    with anyio.CancelScope() as self._head_wait:
                        await self._sleep(min(waits))
                    await checkpoint_if_cancelled()
        finally:
            self._queued -= 1

    async def _sleep(self, wait_s: float) -> None:
        if wait_s < math.inf:
            await self._clock.sleep(wait_s)
        elif self._budget is not None:  # a call of another model may have to end first
            await self._budget.wait()
        else:
            await anyio.sleep_forever()

    def _waits(self, request: Request) -> list[float]:
        now = self._clock.now()
        return [endpoint.wait_s(request, now) for endpoint in self._endpoints]

    def _choose(self, request: Request, waits: Sequence[float]) -> Endpoint | None:
        """Return the endpoint for *request*; *waits* is how long it would wait at each of them."""
        able = [
            endpoint for endpoint, wait_s in zip(self._endpoints, waits, strict=True) if not wait_s
        ]
        if len(able) < 2:
            return able[0] if able else None
        failed = self._failed.get(request, ()) if self._failed else ()
        return min(able, key=lambda endpoint: (endpoint in failed, endpoint.limited.load))

    def _when_again(self, request: Request, endpoint: Endpoint, error: TransientError) -> Again:
        """Remember that *endpoint* failed *request*, and return when to retry."""
        failed = (*self._failed.pop(request, ()), endpoint)
        at_once = False
        if isinstance(error, RateLimited):
            with suppress(BudgetReached):  # the retry will raise it
                waits = self._waits(request)
                at_once = any(
                    not wait_s and other not in failed
                    for other, wait_s in zip(self._endpoints, waits, strict=True)
                )
        self._failed[request] = failed if at_once else (endpoint,)
        if len(self._failed) > _MOST_REMEMBERED:
            del self._failed[next(iter(self._failed))]
        return "at once" if at_once else "after backoff"
