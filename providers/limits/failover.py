"""Which of several endpoints of one model a call goes to, and when.

A call goes to an endpoint that can send it now: its breaker lets it, it has a slot, its minute has
room, it has not asked to be left alone. Among several the one with the least to do is asked, calls
under way for each that may be, ties in the order in which the user wrote them. One that failed this
very request comes after the others: another opinion is worth more than the same again.

Where none can, the call stands in line, and the line is here and not at an endpoint: nobody waits
for the quota of one while another is idle. Only the first in line looks around, whenever a call
has ended or the soonest wait is over, and goes wherever it can: first come, first served. What is
in line was not sent: waiting uses up no attempt, and who is cancelled leaves nothing behind.

What an endpoint asks for after a 429 holds the endpoint, and no call. A call that was refused is
made again at once where another endpoint can send it. When no other can, or all have refused, it
backs off first like any other that failed: so the same request never goes round in a circle.

Where a call is sent is not part of its key: whoever answers, it is the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from ..base import Clock
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

# Failed requests that are remembered; those that are not tried again would stay for ever.
_MOST_REMEMBERED = 1024

_FAILURES = (ConnectionFailed, TimedOut, ServiceFailed, ReplyMalformed)


class Endpoint:
    """One of several: its limits and its breaker."""

    def __init__(self, name: str, limited: Limited, breaker: Breaker | None = None) -> None:
        self.name = name
        self.limited = limited
        self.breaker = breaker or Breaker()

    def wait_s(self, request: Request, now: float) -> float:
        """Return how long *request* would wait here; infinite until something under way ends."""
        return self.breaker.wait_s(now) or self.limited.wait_s(request)


class Failover:
    """Passes each request to one of *endpoints*, which share *budget*."""

    def __init__(
        self, endpoints: Sequence[Endpoint], *, clock: Clock, budget: Budget | None = None
    ) -> None:
        self._endpoints = tuple(endpoints)
        self._clock = clock
        self._budget = budget
        self._failed: dict[Request, tuple[Endpoint, ...]] = {}  # since it last backed off
        self._line = anyio.Lock(fast_acquire=True)
        self._nap = anyio.CancelScope()  # of the first in line
        self._parked = 0

    async def complete(self, request: Request) -> Response:
        """Return the response, or raise a ProviderError; AccessDenied names the endpoint."""
        arrived_s = self._clock.now()
        endpoint = None if self._parked else self._choose(request, self._waits(request))
        if endpoint is None:
            endpoint = await self._stand_in_line(request)
        return await self._ask(endpoint, request, arrived_s)

    def abandon(self) -> None:
        """Let cancellation reach the attempts that are under way."""
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
            parked=self._parked,
        )

    async def _ask(self, endpoint: Endpoint, request: Request, arrived_s: float) -> Response:
        breaker = endpoint.breaker
        round_ = breaker.begin()
        try:
            response = await endpoint.limited.complete_since(request, arrived_s)
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
        except BaseException:  # cancelled, or refused by ourselves
            breaker.dropped(round_)
            raise
        finally:
            if self._parked:  # the first in line may have waited for this
                self._nap.cancel()
        breaker.answered(round_)
        if self._failed:
            self._failed.pop(request, None)
        return response

    async def _stand_in_line(self, request: Request) -> Endpoint:
        """Return the endpoint that *request* goes to, when there is one and it is its turn."""
        self._parked += 1
        try:
            async with self._line:
                while True:
                    waits = self._waits(request)
                    endpoint = self._choose(request, waits)
                    if endpoint is not None:
                        return endpoint
                    with anyio.CancelScope() as self._nap:
                        await self._sleep(min(waits))
                    await checkpoint_if_cancelled()
        finally:
            self._parked -= 1

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
        """Return the endpoint to ask, of those that would have *request* wait for so long."""
        able = [
            endpoint for endpoint, wait_s in zip(self._endpoints, waits, strict=True) if not wait_s
        ]
        if len(able) < 2:
            return able[0] if able else None
        failed = self._failed.get(request, ()) if self._failed else ()
        return min(able, key=lambda endpoint: (endpoint in failed, endpoint.limited.load))

    def _when_again(self, request: Request, endpoint: Endpoint, error: TransientError) -> Again:
        """Remember that *endpoint* failed *request*, and return when that is worth another try."""
        failed = (*self._failed.pop(request, ()), endpoint)
        at_once = False
        if isinstance(error, RateLimited):
            with suppress(BudgetReached):  # whoever tries again will find out
                waits = self._waits(request)
                at_once = any(
                    not wait_s and other not in failed
                    for other, wait_s in zip(self._endpoints, waits, strict=True)
                )
        self._failed[request] = failed if at_once else (endpoint,)
        if len(self._failed) > _MOST_REMEMBERED:
            del self._failed[next(iter(self._failed))]
        return "at once" if at_once else "after backoff"
