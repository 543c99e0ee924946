"""Which failures are tried again, how long that takes, and what giving up means."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import anyio
import pytest
from fakes import (
    FakeClock,
    FunctionProvider,
    GatedProvider,
    ScriptedProvider,
    make_request,
    make_response,
)
from hydrometer.providers.base import Provider
from hydrometer.providers.clock import SystemClock
from hydrometer.providers.errors import (
    AccessDenied,
    AttemptsExhausted,
    BudgetReached,
    ConnectionFailed,
    Outage,
    ProviderError,
    RateLimited,
    ReplyUnusable,
    RequestRejected,
    ServiceFailed,
    SettingsInvalid,
    TimedOut,
    TransientError,
)
from hydrometer.providers.retry import Retrying, is_answer, wait_s
from hydrometer.providers.types import Request, Response
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.anyio

TRANSIENT = (
    RateLimited("over quota"),
    ServiceFailed("down", status=503),
    ConnectionFailed("cut"),
    TimedOut("late"),
)
FINAL = (
    AccessDenied("wrong key", status=401),
    BudgetReached("spent"),
    ReplyUnusable("no choices"),
    RequestRejected("too long", status=400),
    SettingsInvalid("no"),
)


class HighestDraw(Random):
    """Draws the upper end of every jitter."""

    def random(self) -> float:
        return 1.0


def retrying(inner: Provider, clock: FakeClock, *, attempts: int = 3) -> Retrying:
    return Retrying(inner, attempts=attempts, clock=clock, pool="qwen", rng=HighestDraw())


async def test_first_answer_is_returned_without_a_wait() -> None:
    clock = FakeClock()
    inner = ScriptedProvider(make_response("hi"))

    assert await retrying(inner, clock).complete(make_request()) == make_response("hi")
    assert clock.slept == []
    assert len(inner.requests) == 1


@pytest.mark.parametrize("error", TRANSIENT, ids=lambda error: type(error).__name__)
async def test_transient_error_is_tried_again(error: TransientError) -> None:
    clock = FakeClock()
    inner = ScriptedProvider(error, error, make_response("hi"))

    assert await retrying(inner, clock).complete(make_request()) == make_response("hi")
    assert clock.slept == [0.25, 0.5]
    assert inner.requests == [make_request()] * 3


@pytest.mark.parametrize("error", FINAL, ids=lambda error: type(error).__name__)
async def test_other_errors_are_not_tried_again(error: ProviderError) -> None:
    clock = FakeClock()
    inner = ScriptedProvider(ServiceFailed("down", status=500), error)

    with pytest.raises(type(error)) as caught:
        await retrying(inner, clock).complete(make_request())

    assert caught.value is error
    assert len(inner.requests) == 2


async def test_rate_limited_request_waits_as_long_as_the_server_asked() -> None:
    clock = FakeClock()
    inner = ScriptedProvider(RateLimited("over quota", retry_after_s=7.0), make_response("hi"))

    assert await retrying(inner, clock).complete(make_request()) == make_response("hi")
    assert clock.slept == [7.0]


async def test_exhausted_attempts_say_how_many_and_why() -> None:
    last = ServiceFailed("m answered 503: down", status=503)
    inner = ScriptedProvider(ConnectionFailed("cut"), TimedOut("late"), last, make_response("OK"))

    with pytest.raises(AttemptsExhausted) as caught:
        await retrying(inner, FakeClock()).complete(make_request())

    assert str(caught.value) == "qwen: 3 attempts failed, the last with: m answered 503: down"
    assert caught.value.attempts == 3
    assert caught.value.__cause__ is last
    assert [request.messages[-1].content for request in inner.requests] == [
        *(["Who made you?"] * 3),
        "Reply with OK.",
    ]


async def test_nobody_answered_is_an_outage() -> None:
    last = TimedOut("m: no complete reply within 2 s")
    inner = ScriptedProvider(ConnectionFailed("cut"), ConnectionFailed("cut"), last)

    with pytest.raises(Outage) as caught:
        await retrying(inner, FakeClock()).complete(make_request())

    assert str(caught.value) == (
        "qwen: no call was answered during 3 attempts, "
        "the last failed with: m: no complete reply within 2 s"
    )
    assert caught.value.__cause__ is last


@pytest.mark.parametrize("error", TRANSIENT, ids=lambda error: type(error).__name__)
async def test_what_a_gateway_says_for_a_dead_model_is_no_answer(error: TransientError) -> None:
    with pytest.raises(Outage):
        await retrying(ScriptedProvider(error), FakeClock()).complete(make_request())


async def test_a_request_that_breaks_its_endpoint_fails_alone() -> None:
    def answer(request: Request) -> Response | Exception:
        text = request.messages[-1].content
        return make_response("OK") if text == "Reply with OK." else ConnectionFailed("cut")

    with pytest.raises(AttemptsExhausted):
        await retrying(FunctionProvider(answer), FakeClock()).complete(make_request())


class Endpoint:
    """Cuts off some requests and answers the others with *answer*."""

    def __init__(self, answer: Response | ProviderError) -> None:
        self._answer = answer

    async def complete(self, request: Request) -> Response:
        await anyio.lowlevel.checkpoint()
        if request.draw == 0:
            raise ConnectionFailed("cut")
        if isinstance(self._answer, Response):
            return self._answer
        raise self._answer


class HookedClock(FakeClock):
    """Makes another call while the first one backs off."""

    def __init__(self) -> None:
        super().__init__()
        self.provider: Provider | None = None

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        if self.provider is not None:
            provider, self.provider = self.provider, None
            with suppress(ProviderError):
                await provider.complete(make_request(draw=1))


@pytest.mark.parametrize(
    "answer",
    [
        make_response(),
        RequestRejected("no", status=400),
        ReplyUnusable("no"),
        AccessDenied("no", status=403),
    ],
    ids=lambda answer: type(answer).__name__,
)
async def test_any_answer_to_another_call_rules_an_outage_out(
    answer: Response | ProviderError,
) -> None:
    clock = HookedClock()
    provider = retrying(Endpoint(answer), clock)
    clock.provider = provider

    with pytest.raises(AttemptsExhausted):
        await provider.complete(make_request())


@pytest.mark.parametrize("answer", [BudgetReached("spent"), SettingsInvalid("no")])
async def test_error_of_our_own_is_no_answer(answer: ProviderError) -> None:
    clock = HookedClock()
    provider = retrying(Endpoint(answer), clock)
    clock.provider = provider

    with pytest.raises(Outage):
        await provider.complete(make_request())


async def test_answer_from_before_the_first_attempt_does_not_count() -> None:
    provider = retrying(Endpoint(make_response()), FakeClock())
    await provider.complete(make_request(draw=1))

    with pytest.raises(Outage):
        await provider.complete(make_request())


async def test_single_attempt_is_all_there_is() -> None:
    clock = FakeClock()

    inner = ScriptedProvider(TRANSIENT[0], make_response("OK"))

    with pytest.raises(AttemptsExhausted):
        await retrying(inner, clock, attempts=1).complete(make_request())

    assert clock.slept == []


async def test_cancelled_attempt_is_not_made_again() -> None:
    inner = GatedProvider(make_response())
    provider = Retrying(inner, attempts=3, clock=SystemClock(), pool="qwen")

    async with anyio.create_task_group() as group:
        group.start_soon(provider.complete, make_request())
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()

    assert (inner.entered, inner.cancelled) == (1, 1)


async def test_second_attempt_cancelled_is_not_made_again() -> None:
    gated = GatedProvider(make_response())

    class FailsFirst:
        async def complete(self, request: Request) -> Response:
            if not clock.slept:
                raise ConnectionFailed("cut")
            return await gated.complete(request)

    clock = FakeClock()
    async with anyio.create_task_group() as group:
        group.start_soon(retrying(FailsFirst(), clock).complete, make_request())
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()

    assert (gated.entered, gated.cancelled, len(clock.slept)) == (1, 1, 1)


async def test_backoff_is_cancelled_at_once() -> None:
    inner = ScriptedProvider(RateLimited("over quota", retry_after_s=250.0))
    provider = Retrying(inner, attempts=3, clock=SystemClock(), pool="qwen")

    async with anyio.create_task_group() as group:
        group.start_soon(provider.complete, make_request())
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()

    assert len(inner.requests) == 1


@given(
    asked=st.none() | st.floats(0, 1e6),
    attempt=st.integers(1, 10_000),
    jitter=st.floats(0, 1, exclude_max=True),
)
def test_wait_is_what_was_asked_or_a_bounded_backoff(
    asked: float | None, attempt: int, jitter: float
) -> None:
    waited = wait_s(RateLimited("x", retry_after_s=asked), attempt=attempt, jitter=jitter)

    backoff = min(30.0, 0.25 * 2.0 ** min(attempt - 1, 100))
    assert waited >= min(asked or 0.0, 300.0)
    assert waited <= max(min(asked or 0.0, 300.0), jitter * backoff)


def test_backoff_doubles_up_to_its_bound() -> None:
    error = ConnectionFailed("cut")

    waits = [wait_s(error, attempt=attempt, jitter=1.0) for attempt in range(1, 11)]

    assert waits == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_what_counts_as_an_answer() -> None:
    answers = [type(error).__name__ for error in (*TRANSIENT, *FINAL) if is_answer(error)]

    assert answers == [
        "AccessDenied",
        "ReplyUnusable",
        "RequestRejected",
    ]
