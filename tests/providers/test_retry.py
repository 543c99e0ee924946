"""Which failures are tried again, how long that takes, and what giving up means."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydrometer.providers.base import Provider
from hydrometer.providers.clock import SystemClock
from hydrometer.providers.errors import (
    AccessDenied,
    Again,
    AttemptsExhausted,
    BudgetReached,
    ConnectionFailed,
    Outage,
    ProviderError,
    RateLimited,
    ReplyMalformed,
    ReplyUnusable,
    RequestRejected,
    ServiceFailed,
    SettingsInvalid,
    TimedOut,
    TransientError,
)
from hydrometer.providers.limits.retry import Retrying, is_answer, next_backoff_s, wait_s
from hydrometer.providers.types import Request, Response
from hydrometer.testing import (
    FakeClock,
    FunctionProvider,
    GatedProvider,
    LoopClock,
    ScriptedProvider,
    make_request,
    make_response,
    run_in_virtual_time,
)

pytestmark = pytest.mark.anyio

TRANSIENT = (
    RateLimited("over quota"),
    ServiceFailed("down", status=503),
    ConnectionFailed("cut"),
    TimedOut("late"),
    ReplyMalformed("not JSON"),
)
FINAL = (
    AccessDenied("wrong key", status=401),
    BudgetReached("spent"),
    ReplyUnusable("too large"),
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
    assert clock.slept == [0.75, 2.25]
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
    """Cuts off some requests and answers the others with *answer*.

    During the third that it cuts off, another call is made through *provider*.
    """

    def __init__(self, answer: Response | ProviderError) -> None:
        self._answer = answer
        self._cut = 0
        self.provider: Provider | None = None

    async def complete(self, request: Request) -> Response:
        await anyio.lowlevel.checkpoint()
        if request.draw == 0:
            self._cut += 1
            if self._cut == 3 and self.provider is not None:
                with suppress(ProviderError):
                    await self.provider.complete(make_request(draw=1))
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
async def test_any_answer_to_another_call_during_the_last_attempt_rules_an_outage_out(
    answer: Response | ProviderError,
) -> None:
    endpoint = Endpoint(answer)
    provider = retrying(endpoint, FakeClock())
    endpoint.provider = provider

    with pytest.raises(AttemptsExhausted):
        await provider.complete(make_request())


@pytest.mark.parametrize("answer", [BudgetReached("spent"), SettingsInvalid("no")])
async def test_error_of_our_own_is_no_answer(answer: ProviderError) -> None:
    endpoint = Endpoint(answer)
    provider = retrying(endpoint, FakeClock())
    endpoint.provider = provider

    with pytest.raises(Outage):
        await provider.complete(make_request())


async def test_answer_before_the_last_attempt_may_have_been_the_last_and_does_not_count() -> None:
    clock = HookedClock()
    provider = retrying(Endpoint(make_response()), clock)
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


@given(asked=st.none() | st.floats(0, 1e6), backoff_s=st.floats(0.25, 30.0))
def test_wait_is_what_was_asked_within_reason_or_the_backoff(
    asked: float | None, backoff_s: float
) -> None:
    waited = wait_s(RateLimited("x", retry_after_s=asked), backoff_s=backoff_s)

    assert waited == max(backoff_s, min(asked or 0.0, 300.0))


@pytest.mark.parametrize(("again", "waited_s"), [("after backoff", 0.75), ("at once", 0.0)])
def test_what_one_of_several_endpoints_asks_for_is_not_waited(
    again: Again, waited_s: float
) -> None:
    error = RateLimited("over quota", retry_after_s=60.0)
    error.again = again

    assert wait_s(error, backoff_s=0.75) == waited_s


@given(jitters=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=30))
def test_backoff_is_drawn_between_the_first_and_thrice_the_one_before(
    jitters: list[float],
) -> None:
    backoff_s = 0.25
    for jitter in jitters:
        before_s, backoff_s = backoff_s, next_backoff_s(backoff_s, jitter=jitter)

        assert 0.25 <= backoff_s <= min(30.0, 3 * before_s)
        assert backoff_s == pytest.approx(min(30.0, 0.25 + jitter * (3 * before_s - 0.25)))


def test_backoff_grows_up_to_its_bound() -> None:
    waits = [0.25]
    for _ in range(6):
        waits.append(next_backoff_s(waits[-1], jitter=1.0))

    assert waits == [0.25, 0.75, 2.25, 6.75, 20.25, 30.0, 30.0]


class TakesTenSeconds:
    """Fails after ten seconds of *clock*, and keeps when it was asked."""

    def __init__(self, clock: FakeClock, *, answers: str = "") -> None:
        self._clock = clock
        self._answers = answers
        self.asked_s: list[float] = []

    async def complete(self, request: Request) -> Response:
        if request.messages[-1].content == self._answers:
            return make_response()
        self.asked_s.append(self._clock.now())
        self._clock.time += 10.0
        raise TimedOut("m: no complete reply within 10 s")


async def test_no_attempt_begins_after_the_deadline() -> None:
    clock = FakeClock()
    inner = TakesTenSeconds(clock)
    provider = Retrying(
        inner, attempts=99, deadline_s=25.0, clock=clock, pool="qwen", rng=HighestDraw()
    )

    with pytest.raises(Outage) as caught:
        await provider.complete(make_request())

    assert inner.asked_s == [0.0, 10.75, 23.0, 33.0]  # the last asks whether anybody is answered
    assert clock.slept == [0.75, 2.25]
    assert str(caught.value) == (
        "qwen: no call was answered during 3 attempts within 25 s, "
        "the last failed with: m: no complete reply within 10 s"
    )


async def test_deadline_of_a_call_whose_endpoint_answers_others() -> None:
    clock = FakeClock()
    inner = TakesTenSeconds(clock, answers="Reply with OK.")
    provider = Retrying(inner, attempts=99, deadline_s=25.0, clock=clock, pool="qwen")

    with pytest.raises(AttemptsExhausted) as caught:
        await provider.complete(make_request())

    assert caught.value.attempts == len(inner.asked_s)
    assert str(caught.value) == (
        f"qwen: {len(inner.asked_s)} attempts failed within 25 s, "
        "the last with: m: no complete reply within 10 s"
    )


async def test_waiting_longer_than_the_deadline_is_not_begun() -> None:
    clock = FakeClock()
    inner = ScriptedProvider(RateLimited("over quota", retry_after_s=250.0))
    provider = Retrying(inner, attempts=99, deadline_s=200.0, clock=clock, pool="qwen")

    with pytest.raises(Outage):
        await provider.complete(make_request())

    assert clock.slept == []


async def test_deadline_starts_with_the_first_turn() -> None:
    clock = FakeClock()
    late = TimedOut("late")
    late.waited_s = 1000.0

    class WaitedLong:
        async def complete(self, request: Request) -> Response:
            if not clock.slept:
                clock.time += 1000.0
                raise late
            return make_response()

    provider = Retrying(WaitedLong(), attempts=2, deadline_s=5.0, clock=clock, pool="qwen")

    assert await provider.complete(make_request()) == make_response()


def test_attempt_that_is_not_sent_before_the_deadline_is_given_up() -> None:
    gated = GatedProvider(make_response())

    class FailsThenHangs:
        def __init__(self) -> None:
            self.failed = False

        async def complete(self, request: Request) -> Response:
            if not self.failed:
                self.failed = True
                raise ConnectionFailed("cut")
            if request.messages[-1].content == "Reply with OK.":
                raise ConnectionFailed("cut")
            return await gated.complete(request)

    class NoDraw(Random):
        def random(self) -> float:
            return 0.0

    async def main() -> tuple[str, float]:
        provider = Retrying(
            FailsThenHangs(),
            attempts=99,
            deadline_s=0.3,
            clock=LoopClock(),
            pool="qwen",
            rng=NoDraw(),
        )
        with pytest.raises(Outage) as caught:
            await provider.complete(make_request())
        return str(caught.value), LoopClock().now()

    said, at_s = run_in_virtual_time(main)

    assert said == (
        "qwen: no call was answered during 1 attempt within 0.3 s, the last failed with: cut"
    )
    assert at_s == pytest.approx(0.3)
    assert gated.cancelled == 1


def test_what_counts_as_an_answer() -> None:
    answers = [type(error).__name__ for error in (*TRANSIENT, *FINAL) if is_answer(error)]

    assert answers == [
        "AccessDenied",
        "ReplyUnusable",
        "RequestRejected",
    ]
