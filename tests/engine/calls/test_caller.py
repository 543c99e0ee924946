"""Model caller: which failures are kept, which pause the run, and what cancellation does."""

from __future__ import annotations

from collections.abc import Mapping

import anyio
import pytest

from hydrometer.cache.cached import Cached
from hydrometer.cache.errors import CacheMiss, CacheUnreadable
from hydrometer.cache.keys import KeyedRequest, request_key, with_key
from hydrometer.cache.replay_only import ReplayOnly
from hydrometer.cache.store import MemoryStore
from hydrometer.engine.calls.answers import CallFailed
from hydrometer.engine.calls.caller import CHECKPOINT_EVERY, FAILURES_IN_A_ROW, ModelCaller
from hydrometer.engine.calls.stages import Answered, Call, Stage
from hydrometer.engine.errors import CallsKeepFailing
from hydrometer.providers.base import Provider
from hydrometer.providers.errors import AccessDenied, RequestRejected, SettingsInvalid
from hydrometer.providers.types import Request, Response
from hydrometer.testing import (
    FunctionProvider,
    GatedProvider,
    ScriptedProvider,
    make_request,
    make_response,
)

FAILED = CallFailed(role="judge", key="k", error="RequestRejected", message="no")


def call(text: str = "Who made you?", role: str = "judge") -> Call:
    return Call(role=role, request=make_request(text))


def caller_of(
    provider: Provider, *roles: str, failures: Mapping[str, CallFailed] | None = None
) -> ModelCaller:
    cached = Cached(provider, MemoryStore(), pool="all")
    return ModelCaller(dict.fromkeys(roles or ("judge",), cached), failures or {})


async def test_an_answered_call_carries_its_key() -> None:
    caller = caller_of(ScriptedProvider(make_response("yes")))

    found = await caller.ask(call())

    assert found == Answered(key=request_key(call().request), response=make_response("yes"))


async def test_a_rejected_call_is_a_failure_and_is_not_sent_again() -> None:
    provider = ScriptedProvider(RequestRejected("too long", status=400), make_response())
    caller = caller_of(provider)

    first, second = await caller.ask(call()), await caller.ask(call())

    assert first == CallFailed(
        role="judge",
        key=request_key(call().request),
        error="RequestRejected",
        message="too long",
    )
    assert second == first
    assert len(provider.requests) == 1


async def test_a_failure_that_the_events_record_is_not_sent() -> None:
    provider = ScriptedProvider(make_response())
    key = request_key(call().request)

    found = await caller_of(provider, failures={key: FAILED}).ask(call())

    assert found == FAILED
    assert provider.requests == []


@pytest.mark.parametrize(
    "error",
    [
        AccessDenied("the key is wrong", status=401),
        SettingsInvalid("models.x.base_url is missing"),
    ],
)
async def test_what_pauses_a_run_is_raised_and_not_kept_as_a_failure(error: Exception) -> None:
    caller = caller_of(ScriptedProvider(error, make_response("later")))

    with pytest.raises(type(error)) as raised:
        await caller.ask(call())
    later = await caller.ask(call())

    assert raised.value is error
    assert isinstance(later, Answered)


async def test_a_cache_error_is_raised() -> None:
    class Unreadable:
        async def complete(self, keyed: KeyedRequest) -> Response:
            raise CacheUnreadable("c", "disk error")

    with pytest.raises(CacheUnreadable):
        await ModelCaller({"judge": Unreadable()}, {}).ask(call())


def rejecting(good: str) -> FunctionProvider:
    """Return a provider that answers *good* alone."""

    def answer(request: Request) -> Response | Exception:
        if request.messages[-1].content == good:
            return make_response()
        return RequestRejected("no such model", status=400)

    return FunctionProvider(answer)


async def test_failures_in_a_row_pause_the_run_with_the_last_as_the_cause() -> None:
    caller = caller_of(rejecting("good"))
    for number in range(FAILURES_IN_A_ROW - 1):
        await caller.ask(call(f"bad {number}"))

    with pytest.raises(CallsKeepFailing) as raised:
        await caller.ask(call("the last straw"))

    assert str(raised.value) == (
        f"{FAILURES_IN_A_ROW} calls in a row to the judge failed for good, the last with: "
        "no such model"
    )
    assert isinstance(raised.value.__cause__, RequestRejected)


async def test_an_answer_in_between_starts_the_count_again() -> None:
    caller = caller_of(rejecting("good"))

    for number in range(3 * FAILURES_IN_A_ROW):
        if number % (FAILURES_IN_A_ROW - 1) == 0:
            await caller.ask(call("good"))
        await caller.ask(call(f"bad {number}"))


async def test_failures_are_counted_for_each_role_apart() -> None:
    caller = caller_of(rejecting("good"), "judge", "target")

    for number in range(2 * FAILURES_IN_A_ROW - 2):
        await caller.ask(call(f"bad {number}", role=("judge", "target")[number % 2]))

    with pytest.raises(CallsKeepFailing, match="to the target failed"):
        await caller.ask(call("one too many", role="target"))


async def test_a_known_failure_does_not_count_towards_failures_in_a_row() -> None:
    caller = caller_of(rejecting("good"))

    for _ in range(2 * FAILURES_IN_A_ROW):
        await caller.ask(call("bad"))


async def test_calls_of_one_step_are_sent_together_and_come_back_in_their_order() -> None:
    gate = anyio.Event()

    class SecondFirst:
        async def complete(self, request: Request) -> Response:
            text = request.messages[-1].content
            if text == "one":
                await gate.wait()
            else:
                gate.set()
            return make_response(f"{text} answered")

    def both() -> Stage[list[str]]:
        outcomes = yield (call("one"), call("two"))
        return [found.response.text for found in outcomes if isinstance(found, Answered)]

    assert await caller_of(SecondFirst()).drive(both()) == ["one answered", "two answered"]


async def test_a_stage_that_makes_no_call_is_driven_to_its_result() -> None:
    def nothing() -> Stage[int]:
        yield from ()
        return 3

    assert await caller_of(ScriptedProvider(make_response())).drive(nothing()) == 3


async def test_a_miss_among_several_calls_is_a_group_of_misses() -> None:
    """The ordered map takes the group apart, so that the first miss waits for its turn."""

    def both() -> Stage[None]:
        yield (call("one"), call("two"))

    caller = ModelCaller({"judge": ReplayOnly(MemoryStore(), pool="judge")}, {})

    with pytest.raises(ExceptionGroup) as raised:
        await caller.drive(both())

    assert {type(error) for error in raised.value.exceptions} == {CacheMiss}


async def test_cancelling_a_stage_cancels_the_calls_that_are_not_sent_yet() -> None:
    """A call in flight is awaited by its pool; without a pool around it, it is cancelled."""
    provider = GatedProvider(make_response())

    def both() -> Stage[None]:
        yield (call("one"), call("two"))

    class Bare:
        async def complete(self, keyed: KeyedRequest) -> Response:
            return await provider.complete(make_request())

    caller = ModelCaller({"judge": Bare()}, {})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(caller.drive, both())
        await anyio.wait_all_tasks_blocked()
        entered = provider.entered
        tasks.cancel_scope.cancel()

    assert (entered, provider.cancelled) == (2, 2)


async def test_calls_that_are_all_stored_can_be_cancelled() -> None:
    """A stored answer comes without a checkpoint, and Ctrl-C has to be heard all the same."""
    made = 0

    def ask_for_ever() -> Stage[None]:
        nonlocal made
        while made < 10 * CHECKPOINT_EVERY:
            made += 1
            yield (call(),)

    store = MemoryStore()
    await Cached(FunctionProvider(lambda _: make_response()), store, pool="judge").complete(
        with_key(call().request)
    )
    for failures in ({}, {request_key(call().request): FAILED}):
        made = 0
        caller = ModelCaller({"judge": ReplayOnly(store, pool="judge")}, failures)
        with anyio.CancelScope() as scope:
            scope.cancel()
            await caller.drive(ask_for_ever())

        assert scope.cancelled_caught
        assert made <= CHECKPOINT_EVERY
