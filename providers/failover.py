"""Which of several endpoints of one model a call goes to.

A call goes to the endpoint with the least to do among those whose breaker lets it: calls inside for
each that may be under way, ties in the order in which the user wrote them. One that has asked to be
left alone comes after the others, and so does the one that failed this very request last: another
opinion is worth more than the same again.

When a breaker opens, the calls that wait for their turn there move on, and those that were sent are
waited for: they may be answered yet. When all breakers are open, calls wait in line until the first
is half-open. That uses up no attempt of theirs, for nothing was sent.

Where a call is sent is not part of its key: whoever answers, it is the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from .base import Clock
from .breaker import Breaker
from .errors import (
    AccessDenied,
    ConnectionFailed,
    RateLimited,
    ReplyMalformed,
    ReplyUnusable,
    RequestRejected,
    ServiceFailed,
    TimedOut,
)
from .limit import Limited
from .statistics import PoolStatistics
from .types import Request, Response

# Failed requests that are remembered; those that are not tried again would stay for ever.
_MOST_REMEMBERED = 1024

_FAILURES = (ConnectionFailed, TimedOut, ServiceFailed, ReplyMalformed)


class Endpoint:
    """One of several: its limits and its breaker."""

    def __init__(self, name: str, limited: Limited, breaker: Breaker | None = None) -> None:
        self.name = name
        self.limited = limited
        self.breaker = breaker or Breaker()
        self.calls: set[anyio.CancelScope] = set()


class Failover:
    """Passes each request to one of *endpoints*."""

    def __init__(self, endpoints: Sequence[Endpoint], *, clock: Clock) -> None:
        self._endpoints = tuple(endpoints)
        self._clock = clock
        self._failed_last: dict[Request, Endpoint] = {}
        self._line = anyio.Lock(fast_acquire=True)
        self._nap = anyio.CancelScope()  # of the first in line
        self._parked = 0

    async def complete(self, request: Request) -> Response:
        """Return the response, or raise a ProviderError; AccessDenied names the endpoint."""
        while True:
            endpoint = None if self._parked else self._choose(request)
            if endpoint is None:
                endpoint = await self._wait_in_line(request)
            # Only a call that waits for its turn is moved: what was sent is shielded.
            with anyio.CancelScope() as scope:
                endpoint.calls.add(scope)
                try:
                    return await self._ask(endpoint, request)
                finally:
                    endpoint.calls.discard(scope)
            await checkpoint_if_cancelled()

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

    async def _ask(self, endpoint: Endpoint, request: Request) -> Response:
        breaker = endpoint.breaker
        round_ = breaker.begin()
        try:
            response = await endpoint.limited.complete(request)
        except _FAILURES:
            self._remember(request, endpoint)
            if breaker.failed(round_, self._clock.now()):
                self._move_on(endpoint)
            raise
        except RateLimited:
            self._remember(request, endpoint)
            breaker.answered(round_)
            raise
        except AccessDenied as error:
            breaker.answered(round_)
            raise AccessDenied(f"endpoint {endpoint.name}: {error}", status=error.status) from error
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
        if self._failed_last:
            self._failed_last.pop(request, None)
        return response

    async def _wait_in_line(self, request: Request) -> Endpoint:
        """Return the endpoint that *request* may go to, when there is one and it is its turn."""
        self._parked += 1
        try:
            async with self._line:
                while (endpoint := self._choose(request)) is None:
                    now = self._clock.now()
                    wait_s = min(endpoint.breaker.wait_s(now) for endpoint in self._endpoints)
                    with anyio.CancelScope() as self._nap:
                        if wait_s < math.inf:
                            await self._clock.sleep(wait_s)
                        else:
                            await anyio.sleep_forever()
                    await checkpoint_if_cancelled()
                return endpoint
        finally:
            self._parked -= 1

    def _choose(self, request: Request) -> Endpoint | None:
        now = self._clock.now()
        able = [endpoint for endpoint in self._endpoints if not endpoint.breaker.wait_s(now)]
        if len(able) < 2:
            return able[0] if able else None
        failed_last = self._failed_last.get(request) if self._failed_last else None
        return min(
            able,
            key=lambda endpoint: (
                endpoint is failed_last,
                endpoint.limited.held_s() > 0.0,
                endpoint.limited.load,
            ),
        )

    def _remember(self, request: Request, endpoint: Endpoint) -> None:
        self._failed_last.pop(request, None)
        self._failed_last[request] = endpoint
        if len(self._failed_last) > _MOST_REMEMBERED:
            del self._failed_last[next(iter(self._failed_last))]

    def _move_on(self, endpoint: Endpoint) -> None:
        for scope in endpoint.calls:
            scope.cancel()
