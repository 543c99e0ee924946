"""Views of one pool: each observer receives its own attempts, and the limits are shared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import pytest

from hydrometer.providers.base import Adapter, Attempt, Provider
from hydrometer.providers.clock import SystemClock
from hydrometer.providers.errors import (
    AttemptsExhausted,
    BudgetReached,
    ConnectionFailed,
    Outage,
    RateLimited,
    RequestRejected,
    ServiceFailed,
    SettingsInvalid,
)
from hydrometer.providers.kinds import ProviderKinds
from hydrometer.providers.limits.budget import Budget
from hydrometer.providers.limits.failover import Endpoint, Failover
from hydrometer.providers.limits.limiter import Limited
from hydrometer.providers.limits.retry import Retrying
from hydrometer.providers.pool import Pool, open_pool, preflight
from hydrometer.providers.settings import BudgetTable, EndpointSettings, ModelSettings
from hydrometer.providers.types import Request, Response
from hydrometer.testing import (
    AdapterOf,
    FakeClock,
    FunctionProvider,
    GatedProvider,
    ListObserver,
    ScriptedProvider,
    make_request,
    make_response,
)

pytestmark = pytest.mark.anyio


def pool_of(
    *providers: Provider,
    clock: Any = None,
    slots: int = 4,
    attempts: int = 3,
    budget: Budget | None = None,
) -> Pool:
    """A pool named x; its endpoints are named a, b ... if there are several."""
    clock = clock or FakeClock()
    limits = [
        Limited(
            AdapterOf(provider),
            slots=slots,
            clock=clock,
            pool="x",
            endpoint=name if len(providers) > 1 else "",
            budget=budget,
        )
        for name, provider in zip("abc", providers, strict=False)
    ]
    endpoints = [Endpoint(name, limited) for name, limited in zip("abc", limits, strict=False)]
    limited = Failover(endpoints, clock=clock, budget=budget) if len(limits) > 1 else limits[0]
    return Pool("x", limited=limited, clock=clock, attempts=attempts, budget=budget)


def errors(observer: ListObserver) -> list[str]:
    return [attempt.error for attempt in observer.attempts]


def by_text(replies: Mapping[str, Response | Exception]) -> FunctionProvider:
    return FunctionProvider(lambda request: replies[request.messages[-1].content])


@pytest.mark.parametrize("count", [1, 2])
async def test_each_observer_receives_its_own_attempts_of_interleaved_calls(count: int) -> None:
    gates = [GatedProvider(make_response()) for _ in range(count)]
    pool = pool_of(*gates, clock=SystemClock())
    first, second = ListObserver(), ListObserver()

    async with anyio.create_task_group() as group:
        for observer in (first, second, first, second, first):
            group.start_soon(pool.watched_by(observer).complete, make_request())
            await anyio.wait_all_tasks_blocked()
        for gate in gates:
            gate.gate.set()
    await pool.complete(make_request())  # of no observer

    assert (len(first.attempts), len(second.attempts)) == (3, 2)
    assert pool.statistics().sent == 6


async def test_views_share_slots_and_queue() -> None:
    gate = GatedProvider(make_response())
    pool = pool_of(gate, slots=2)
    first, second = pool.watched_by(ListObserver()), pool.watched_by(ListObserver())

    async with anyio.create_task_group() as group:
        for view in (first, second, first, second):
            group.start_soon(view.complete, make_request())
        await anyio.wait_all_tasks_blocked()
        during = pool.statistics()
        gate.gate.set()

    assert (during.in_flight, during.waiting) == (2, 2)


async def test_failures_and_retries_belong_to_the_view_that_made_them() -> None:
    replies = iter((ServiceFailed("down", status=500), make_response(), make_response()))
    pool = pool_of(FunctionProvider(lambda request: next(replies)))
    unlucky, lucky = ListObserver(), ListObserver()

    await pool.watched_by(unlucky).complete(make_request())
    await pool.watched_by(lucky).complete(make_request())

    assert (errors(unlucky), errors(lucky)) == (["ServiceFailed", ""], [""])


async def test_rejected_call_is_reported_to_its_view_alone() -> None:
    pool = pool_of(by_text({"bad": RequestRejected("no", status=400), "good": make_response()}))
    bad, good = ListObserver(), ListObserver()

    with pytest.raises(RequestRejected):
        await pool.watched_by(bad).complete(make_request("bad"))
    await pool.watched_by(good).complete(make_request("good"))

    assert (errors(bad), errors(good)) == (["RequestRejected"], [""])


async def test_failover_reports_every_endpoint_s_attempt_to_the_view() -> None:
    pool = pool_of(
        ScriptedProvider(RateLimited("over quota", retry_after_s=9.0), make_response()),
        ScriptedProvider(make_response()),
    )
    first, second = ListObserver(), ListObserver()

    await pool.watched_by(first).complete(make_request())
    await pool.watched_by(second).complete(make_request())

    assert [(row.endpoint, row.error) for row in first.attempts] == [
        ("a", "RateLimited"),
        ("b", ""),
    ]
    assert [(row.endpoint, row.error) for row in second.attempts] == [("b", "")]


async def test_time_in_the_queue_of_failover_is_in_the_report() -> None:
    """Both endpoints have a cooldown of 9 s when the second call arrives, at 1 s."""
    clock = FakeClock()
    refusal = RateLimited("over quota", retry_after_s=9.0)
    endpoints = [ScriptedProvider(refusal, make_response()) for _ in range(2)]
    pool = pool_of(*endpoints, clock=clock, attempts=1)
    refused, queued = ListObserver(), ListObserver()

    with pytest.raises(Outage):
        await pool.watched_by(refused).complete(make_request())
    clock.time = 1.0
    await pool.watched_by(queued).complete(make_request(draw=1))

    assert errors(refused) == ["RateLimited"] * 2
    assert [attempt.waited_s for attempt in queued.attempts] == [8.0]


@pytest.mark.parametrize("count", [1, 2])
async def test_cancelled_view_leaves_the_other_view_s_attempt_and_both_are_reported(
    count: int,
) -> None:
    gates = [GatedProvider(make_response()) for _ in range(count)]
    pool = pool_of(*gates, clock=SystemClock())
    cancelled, other = ListObserver(), ListObserver()
    kept: list[Response] = []

    async def keep(view: Provider) -> None:
        kept.append(await view.complete(make_request()))

    async with anyio.create_task_group() as outer:
        outer.start_soon(keep, pool.watched_by(other))
        async with anyio.create_task_group() as inner:
            inner.start_soon(keep, pool.watched_by(cancelled))
            await anyio.wait_all_tasks_blocked()
            inner.cancel_scope.cancel()
            with anyio.CancelScope(shield=True):
                await anyio.wait_all_tasks_blocked()
                for gate in gates:
                    gate.gate.set()

    assert kept == [make_response()] * 2 if count == 1 else len(kept) == 2
    assert (errors(cancelled), errors(other)) == ([""], [""])


async def test_call_cancelled_in_the_queue_is_reported_to_nobody() -> None:
    gate = GatedProvider(make_response())
    pool = pool_of(gate, slots=1)
    holds, queued = ListObserver(), ListObserver()

    async with anyio.create_task_group() as outer:
        outer.start_soon(pool.watched_by(holds).complete, make_request())
        await anyio.wait_all_tasks_blocked()
        async with anyio.create_task_group() as inner:
            inner.start_soon(pool.watched_by(queued).complete, make_request())
            await anyio.wait_all_tasks_blocked()
            inner.cancel_scope.cancel()
        gate.gate.set()

    assert (errors(holds), errors(queued)) == ([""], [])
    assert pool.statistics().sent == 1


async def test_abandoned_attempts_are_reported_to_their_views() -> None:
    pool = pool_of(GatedProvider(make_response()))
    first, second = ListObserver(), ListObserver()

    async with anyio.create_task_group() as group:
        group.start_soon(pool.watched_by(first).complete, make_request())
        group.start_soon(pool.watched_by(second).complete, make_request())
        await anyio.wait_all_tasks_blocked()
        pool.abandon()
        group.cancel_scope.cancel()

    assert (errors(first), errors(second)) == (["CancelledError"], ["CancelledError"])


async def test_an_answer_to_one_view_shows_the_other_that_there_is_no_outage() -> None:
    """The small call that would decide it is not made."""
    pool: Pool

    class AnswersOthers:
        async def complete(self, request: Request) -> Response:
            if request.messages[-1].content == "good":
                return make_response()
            await pool.watched_by(other).complete(make_request("good"))
            raise ServiceFailed("down", status=500)

    pool = pool_of(AnswersOthers(), attempts=2)
    unlucky, other = ListObserver(), ListObserver()

    with pytest.raises(AttemptsExhausted):
        await pool.watched_by(unlucky).complete(make_request("bad"))

    assert errors(unlucky) == ["ServiceFailed"] * 2
    assert errors(other) == [""] * 2


async def test_small_call_that_finds_an_outage_is_reported_to_its_view() -> None:
    pool = pool_of(ScriptedProvider(ConnectionFailed("cut")), attempts=2)
    first, second = ListObserver(), ListObserver()
    pool.watched_by(second)

    with pytest.raises(Outage):
        await pool.watched_by(first).complete(make_request())

    assert (errors(first), errors(second)) == (["ConnectionFailed"] * 3, [])


async def test_views_share_the_budget() -> None:
    pool = pool_of(ScriptedProvider(make_response()), budget=Budget(calls=2))
    first, second = ListObserver(), ListObserver()

    await pool.watched_by(first).complete(make_request())
    await pool.watched_by(second).complete(make_request())
    with pytest.raises(BudgetReached):
        await pool.watched_by(second).complete(make_request())

    assert (len(first.attempts), len(second.attempts), pool.spent().calls) == (1, 1, 2)


async def test_views_share_the_breakers() -> None:
    dead, alive = ScriptedProvider(ConnectionFailed("cut")), ScriptedProvider(make_response())
    pool = pool_of(dead, alive)

    for draw in range(12):
        await pool.watched_by(ListObserver()).complete(make_request(draw=draw))

    assert pool.statistics().endpoints[0].breaker != "closed"
    assert len(dead.requests) < 12


async def test_preflight_through_a_view_is_reported_to_it() -> None:
    pool = pool_of(ScriptedProvider(make_response("OK")))
    observer, other = ListObserver(), ListObserver()
    pool.watched_by(other)

    response = await preflight(pool.watched_by(observer), make_request(), "models.x")

    assert response == make_response("OK")
    assert (len(observer.attempts), other.attempts) == (1, [])


async def test_preflight_through_a_view_names_the_settings_of_its_model() -> None:
    view = pool_of(ScriptedProvider(RequestRejected("m answered 400", status=400))).watched_by(None)

    with pytest.raises(SettingsInvalid, match=r"sampling and base_url of models\.x\)$"):
        await preflight(view, make_request(), "models.x")


def opens(make: Callable[[ModelSettings], Provider]) -> ProviderKinds:
    @asynccontextmanager
    async def open_fake(
        settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
    ) -> Any:
        yield AdapterOf(make(settings))

    def typed(
        settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[Adapter]:
        return open_fake(settings, slots=slots, api_key=api_key, headers=headers)

    return ProviderKinds({"fake": typed})


async def test_views_of_an_opened_pool_of_several_endpoints() -> None:
    settings = ModelSettings(
        provider="fake",
        model="m",
        endpoints=(
            EndpointSettings(base_url="http://a/v1"),
            EndpointSettings(base_url="http://b/v1"),
        ),
        budget=BudgetTable(calls=3),
    )
    first, second = ListObserver(), ListObserver()

    def answers(settings: ModelSettings) -> Provider:
        return ScriptedProvider(make_response(settings.base_url))

    async with open_pool(
        "x", settings, environ={}, clock=FakeClock(), kinds=opens(answers)
    ) as pool:
        texts = [
            (await pool.watched_by(observer).complete(make_request(draw=draw))).text
            for draw, observer in enumerate((first, second, first))
        ]

    assert set(texts) == {"http://a/v1"}
    assert [attempt.pool for attempt in first.attempts] == ["x", "x"]
    assert second.attempts == [
        Attempt(pool="x", waited_s=0.0, took_s=0.0, input_tokens=3, output_tokens=1, endpoint="1")
    ]


async def test_retry_layers_without_a_pool_count_answers_for_themselves() -> None:
    inner = ScriptedProvider(ServiceFailed("down", status=500))

    with pytest.raises(Outage):
        await Retrying(inner, attempts=2, clock=FakeClock()).complete(make_request())
