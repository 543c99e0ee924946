"""Which failed attempts are made again, how long to wait before, and what giving up means.

Only a TransientError is tried again: a rejected request stays rejected, an unusable reply was an
answer, and a cancelled task must not be revived. A wait holds no slot, because the limits lie
below this layer.

When the attempts are used up the reason decides what the run loses. If the endpoint answers
others, this request is at fault or had bad luck: AttemptsExhausted, one failed probe. If nobody
gets through, every probe would fail one after the other and the run would end as a table of
failures that says nothing of the model: Outage, and the run pauses until somebody resumes it.

Both cases look alike from inside one request. So the layer counts the answers of the whole pool:
responses, and errors about a request itself. A 429, a 5xx, a cut connection and a timeout are
none, for a gateway gives them too while the model behind it is gone. If the count has not moved
since the request's first attempt, one small call decides: a request that breaks its endpoint must
not pause the run at every resume, and where not even "OK" comes back there is an outage.
"""

from __future__ import annotations

from random import Random

import msgspec
import tenacity

from .base import Clock, Provider
from .errors import (
    AccessDenied,
    AttemptsExhausted,
    Outage,
    ProviderError,
    ReplyUnusable,
    RequestRejected,
    TransientError,
)
from .types import Message, Request, Response

FIRST_BACKOFF_S = 0.25
LONGEST_BACKOFF_S = 30.0
LONGEST_ASKED_S = 300.0


def wait_s(error: TransientError, *, attempt: int, jitter: float) -> float:
    """Return how long to wait after *attempt* (the first is 1) failed; *jitter* is in [0, 1).

    Never less than the server asked for, up to LONGEST_ASKED_S. The jitter spans all of the
    backoff: requests that failed together should not come back together.
    """
    backoff_s = min(LONGEST_BACKOFF_S, FIRST_BACKOFF_S * 2.0 ** min(attempt - 1, 16))
    asked_s = min(LONGEST_ASKED_S, error.retry_after_s or 0.0)
    return max(asked_s, jitter * backoff_s)


def is_answer(error: ProviderError) -> bool:
    """Return whether *error* shows that the endpoint answers requests."""
    return isinstance(error, RequestRejected | ReplyUnusable | AccessDenied)


class Retrying:
    """Tries what *inner* failed at again, up to *attempts* in all; *rng* draws the jitter."""

    def __init__(
        self,
        inner: Provider,
        *,
        attempts: int,
        clock: Clock,
        pool: str = "",
        rng: Random | None = None,
    ) -> None:
        self._inner = inner
        self._attempts = attempts
        self._clock = clock
        self._pool = pool
        self._rng = rng or Random()
        self._answers = 0

    async def complete(self, request: Request) -> Response:
        """Return the first response; raise AttemptsExhausted or Outage when there is none."""
        answers_before = self._answers
        # Entering tenacity costs 50 microseconds, a fifth of a live call, and most first attempts
        # succeed. So it is entered with the first failure in hand.
        try:
            return await self._attempt(request)
        except TransientError as error:
            first_error = error
        try:
            return await self._try_again(request, first_error)
        except TransientError as error:
            if self._answers == answers_before and not await self._answers_at_all(request):
                raise Outage(
                    f"{self._pool}: no call was answered during {self._attempts} attempts, "
                    f"the last failed with: {error}"
                ) from error
            raise AttemptsExhausted(
                f"{self._pool}: {self._attempts} attempts failed, the last with: {error}",
                attempts=self._attempts,
            ) from error

    async def _try_again(self, request: Request, first_error: TransientError) -> Response:
        failed_already: list[TransientError] = [first_error]

        async def attempt() -> Response:
            if failed_already:
                raise failed_already.pop()
            return await self._attempt(request)

        return await tenacity.AsyncRetrying(
            sleep=self._clock.sleep,
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=self._wait,
            retry=tenacity.retry_if_exception_type(TransientError),
            reraise=True,
        )(attempt)

    async def _attempt(self, request: Request) -> Response:
        try:
            response = await self._inner.complete(request)
        except ProviderError as error:
            self._answers += is_answer(error)
            raise
        self._answers += 1
        return response

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        assert isinstance(error, TransientError)
        return wait_s(error, attempt=state.attempt_number, jitter=self._rng.random())

    async def _answers_at_all(self, request: Request) -> bool:
        """Make one small call in the manner of *request*, and tell whether it was answered."""
        small = msgspec.structs.replace(
            request, messages=(Message(role="user", content="Reply with OK."),)
        )
        try:
            await self._attempt(small)
        except ProviderError as error:
            return is_answer(error)
        return True
