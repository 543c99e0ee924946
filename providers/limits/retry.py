"""Which failed attempts are made again, how long to wait before, and what giving up means.

Only a TransientError is tried again: a rejected request stays rejected, an unusable reply was an
answer, and a cancelled task must not be revived. A wait holds no slot, because the limits lie
below this layer.

Waits are drawn, each between the first backoff and three times the one drawn before (decorrelated
jitter): they grow, and requests that failed together do not come back together. What the server
asked for is waited at the least.

A call may take *deadline_s* in all. It starts when its first attempt has had its turn, for a line
of our own making says nothing of the endpoint; everything after counts, waits and later turns
included. An attempt that was sent is never cut short, as it is paid for, but none is begun after:
an endpoint that asks for more peace than there is time left is as good as one that is silent.

When attempts or time are used up the reason decides what the run loses. If the endpoint answers
others, this request is at fault or had bad luck: AttemptsExhausted, one failed probe. If nobody
gets through, every probe would fail one after the other and the run would end as a table of
failures that says nothing of the model: Outage, and the run pauses until somebody resumes it.

Both cases look alike from inside one request. So the layer counts the answers of the whole pool:
responses, and errors about a request itself. A 429, a 5xx, a garbled reply, a cut connection and a
timeout are none, for a gateway gives them too while the model behind it is gone. If the count has
not moved since the request's last attempt began, one small call decides: a request that breaks its
endpoint must not pause the run at every resume, and where not even "OK" comes back there is an
outage. An answer from before the last attempt says nothing: an endpoint that dies gave some too.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from typing import assert_never

import anyio
import msgspec
import tenacity

from ..base import Clock, Provider
from ..errors import (
    AccessDenied,
    AttemptsExhausted,
    Outage,
    ProviderError,
    ReplyUnusable,
    RequestRejected,
    TransientError,
)
from ..quota import LONGEST_ASKED_S
from ..types import Message, Request, Response

FIRST_BACKOFF_S = 0.25
LONGEST_BACKOFF_S = 30.0
# How long the small call may wait for its turn: what the call has left, but enough for an endpoint
# that is merely busy, and no more than one of a call a minute takes.
SHORTEST_CHECK_S = 5.0
LONGEST_CHECK_S = 120.0


def next_backoff_s(previous_s: float, *, jitter: float) -> float:
    """Return the backoff after one of *previous_s*; *jitter* is in [0, 1)."""
    drawn_s = FIRST_BACKOFF_S + jitter * (3.0 * previous_s - FIRST_BACKOFF_S)
    return min(LONGEST_BACKOFF_S, max(FIRST_BACKOFF_S, drawn_s))


def wait_s(error: TransientError, *, backoff_s: float) -> float:
    """Return how long to wait after *error*: what the server asked for, within reason, or more.

    With several endpoints, that one asks for peace says nothing of the others: then less.
    """
    match error.again:
        case "as asked":
            return max(backoff_s, min(LONGEST_ASKED_S, error.retry_after_s or 0.0))
        case "after backoff":
            return backoff_s
        case "at once":
            return 0.0
        case _:
            assert_never(error.again)


def is_answer(error: ProviderError) -> bool:
    """Return whether *error* shows that the endpoint answers requests."""
    return isinstance(error, RequestRejected | ReplyUnusable | AccessDenied)


class Retrying:
    """Tries what *inner* failed at again, up to *attempts* in all and for about *deadline_s*.

    *rng* draws the jitter.
    """

    def __init__(
        self,
        inner: Provider,
        *,
        attempts: int,
        clock: Clock,
        deadline_s: float = math.inf,
        pool: str = "",
        rng: Random | None = None,
    ) -> None:
        self._inner = inner
        self._attempts = attempts
        self._clock = clock
        self._deadline_s = deadline_s
        self._pool = pool
        self._rng = rng or Random()
        self._answers = 0

    async def complete(self, request: Request) -> Response:
        """Return the first response; raise AttemptsExhausted or Outage when there is none."""
        answers_before = self._answers
        began_s = self._clock.now()
        # Entering tenacity costs 50 microseconds, a fifth of a live call, and most first attempts
        # succeed. So it is entered with the first failure in hand.
        try:
            return await self._attempt(request)
        except TransientError as error:
            first_error = error
        until_s = began_s + first_error.waited_s + self._deadline_s
        tries = _Tries(self._clock, self._rng, first_error, most=self._attempts, until_s=until_s)

        async def attempt() -> Response:
            nonlocal answers_before
            answers_before = self._answers  # an answer before the last attempt may be the last one
            return await self._attempt(request)

        try:
            return await tries.run(attempt)
        except TransientError as error:
            made = f"{tries.made} attempt{'s' if tries.made > 1 else ''}"
            within = f" within {self._deadline_s:g} s" if tries.late else ""
            if self._answers == answers_before and not await self._answers_at_all(request, until_s):
                raise Outage(
                    f"{self._pool}: no call was answered during {made}{within}, "
                    f"the last failed with: {error}"
                ) from error
            raise AttemptsExhausted(
                f"{self._pool}: {made} failed{within}, the last with: {error}",
                attempts=tries.made,
            ) from error

    async def _attempt(self, request: Request) -> Response:
        try:
            response = await self._inner.complete(request)
        except ProviderError as error:
            self._answers += is_answer(error)
            raise
        self._answers += 1
        return response

    async def _answers_at_all(self, request: Request, until_s: float) -> bool:
        """Make one small call in the manner of *request*, and tell whether any was answered."""
        left_s = max(SHORTEST_CHECK_S, until_s - self._clock.now())
        answers_before = self._answers
        small = msgspec.structs.replace(
            request, messages=(Message(role="user", content="Reply with OK."),)
        )
        with anyio.move_on_after(min(LONGEST_CHECK_S, left_s)), suppress(ProviderError):
            await self._attempt(small)
        return self._answers != answers_before


class _Tries:
    """The attempts of one call after the first, which failed with *error*."""

    def __init__(
        self, clock: Clock, rng: Random, error: TransientError, *, most: int, until_s: float
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._error = error
        self._most = most
        self._until_s = until_s
        self._backoff_s = FIRST_BACKOFF_S
        self._begun = False
        self.made = 1
        self.late = False

    async def run(self, attempt: Callable[[], Awaitable[Response]]) -> Response:
        """Return the first response, or raise the last TransientError."""

        async def next_attempt() -> Response:
            if not self._begun:
                self._begun = True
                raise self._error
            # Only waits end at the deadline: a call that was sent is shielded by the limits.
            with anyio.move_on_after(self._until_s - self._clock.now()):
                try:
                    response = await attempt()
                except TransientError as error:
                    self.made += 1
                    self._error = error
                    raise
                return response
            self.late = True
            raise self._error

        return await tenacity.AsyncRetrying(
            sleep=self._clock.sleep,
            stop=self._stop,
            wait=self._wait,
            retry=tenacity.retry_if_exception_type(TransientError),
            reraise=True,
        )(next_attempt)

    def _wait(self, state: tenacity.RetryCallState) -> float:
        self._backoff_s = next_backoff_s(self._backoff_s, jitter=self._rng.random())
        return wait_s(self._error, backoff_s=self._backoff_s)

    def _stop(self, state: tenacity.RetryCallState) -> bool:
        if self.made >= self._most:
            return True
        self.late = self.late or self._clock.now() + state.upcoming_sleep >= self._until_s
        return self.late
