"""Retry layer: which failed attempts are made again, after which wait, and when to give up.

1. Only a TransientError is retried. A rejected request stays rejected, an unusable reply was an
   answer, and a cancelled task must not be revived.
2. A wait holds no slot, because the limits lie below this layer.
3. Backoffs are random, each between the first backoff and three times the one before (decorrelated
   jitter). They grow, and requests that failed together do not return together. A wait lasts at
   least as long as Retry-After asks.
4. A call may take *deadline_s* in all. The time starts when the first attempt was sent: time spent
   in our own queue does not count. Everything after it counts, waits and later queueing included.
   An attempt that was sent is never cut short, because it is paid for, but no attempt begins after
   the deadline. If Retry-After exceeds the time left, the call ends as rule 5 says.
5. When attempts or time are used up, the cause decides. If the endpoint answers other calls, this
   request is at fault or had bad luck: AttemptsExhausted, one failed probe. If no call gets
   through, all probes would fail one by one, and the run would end as a table of failures that says
   nothing about the model: Outage, and the run pauses until the user resumes it.

One request cannot tell these two cases apart. So the answers of the whole pool are counted:
responses, and errors about a request itself. A 429, a 5xx, a malformed reply, a lost connection and
a timeout do not count, because a gateway returns them even when the model behind it is gone. If the
count has not grown since the request's last attempt began, one small call decides. Without it, a
request that breaks its endpoint would pause the run at every resume. If even "Reply with OK." gets
no answer, it is an outage. Answers from before the last attempt prove nothing: an endpoint that has
just died gave some, too.
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
# How long the small call may be queued: the time that its call has left, but at least enough for an
# endpoint that is only busy, and at most enough for one that takes a call a minute.
SHORTEST_CHECK_S = 5.0
LONGEST_CHECK_S = 120.0


def next_backoff_s(previous_s: float, *, jitter: float) -> float:
    """Return the backoff after one of *previous_s*; *jitter* is in [0, 1)."""
    drawn_s = FIRST_BACKOFF_S + jitter * (3.0 * previous_s - FIRST_BACKOFF_S)
    return min(LONGEST_BACKOFF_S, max(FIRST_BACKOFF_S, drawn_s))


def wait_s(error: TransientError, *, backoff_s: float) -> float:
    """Return how many seconds to wait after *error*: at least what Retry-After asks, up to a bound.

    With several endpoints, the cooldown of one does not hold for the others: the wait is shorter.
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


class AnswerCount:
    """Answers of a whole pool so far. All retry layers of the pool share one."""

    __slots__ = ("total",)

    def __init__(self) -> None:
        self.total = 0


class Retrying:
    """Repeats calls that *inner* failed, up to *attempts* in all and for about *deadline_s*.

    *rng* draws the jitter. *answers* is shared by the retry layers of one pool.
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
        answers: AnswerCount | None = None,
    ) -> None:
        self._inner = inner
        self._attempts = attempts
        self._clock = clock
        self._deadline_s = deadline_s
        self._pool = pool
        self._rng = rng or Random()
        self._answers = answers or AnswerCount()

    async def complete(self, request: Request) -> Response:
        """Return the first response; raise AttemptsExhausted or Outage when there is none."""
        answers_before = self._answers.total
        began_s = self._clock.now()
        # Entering tenacity costs 50 microseconds, a fifth of a live call, and most first attempts
        # succeed. So it is entered only after the first attempt has failed.
        try:
            return await self._attempt(request)
        except TransientError as error:
            first_error = error
        until_s = began_s + first_error.waited_s + self._deadline_s
        tries = _Tries(self._clock, self._rng, first_error, most=self._attempts, until_s=until_s)

        async def attempt() -> Response:
            nonlocal answers_before
            answers_before = self._answers.total  # earlier answers prove nothing
            return await self._attempt(request)

        try:
            return await tries.run(attempt)
        except TransientError as error:
            made = f"{tries.made} attempt{'s' if tries.made > 1 else ''}"
            within = f" within {self._deadline_s:g} s" if tries.late else ""
            unanswered = self._answers.total == answers_before
            if unanswered and not await self._answers_small_call(request, until_s):
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
            self._answers.total += is_answer(error)
            raise
        self._answers.total += 1
        return response

    async def _answers_small_call(self, request: Request, until_s: float) -> bool:
        """Make one small call like *request*; return whether it, or any other, was answered."""
        left_s = max(SHORTEST_CHECK_S, until_s - self._clock.now())
        answers_before = self._answers.total
        small = msgspec.structs.replace(
            request, messages=(Message(role="user", content="Reply with OK."),)
        )
        with anyio.move_on_after(min(LONGEST_CHECK_S, left_s)), suppress(ProviderError):
            await self._attempt(small)
        return self._answers.total != answers_before


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
            # The deadline ends only waits: the limiter shields an attempt that was sent.
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
