"""Slots, the order of the gates, budgets, and what a paid attempt survives."""

from __future__ import annotations

from collections.abc import Callable

import anyio
import pytest

from hydrometer.providers.base import Attempt, Provider
from hydrometer.providers.clock import SystemClock
from hydrometer.providers.errors import BudgetReached, ProviderError, ServiceFailed
from hydrometer.providers.limits.budget import Budget, Spent
from hydrometer.providers.limits.limiter import Limited
from hydrometer.providers.limits.retry import Retrying
from hydrometer.providers.settings import Price
from hydrometer.providers.types import Request, Response, Usage
from hydrometer.testing import (
    AdapterOf,
    FakeClock,
    GatedProvider,
    ListObserver,
    ScriptedProvider,
    make_request,
    make_response,
)

pytestmark = pytest.mark.anyio


class Keeper:
    """Keeps every response at once, as a cache does, and every error."""

    def __init__(self, inner: Provider) -> None:
        self._inner = inner
        self.kept: list[Response] = []
        self.errors: list[str] = []

    async def complete(self, request: Request) -> None:
        try:
            self.kept.append(await self._inner.complete(request))
        except ProviderError as error:
            self.errors.append(str(error))


class TakesTime:
    """Answers after *took_s* on *clock*."""

    def __init__(self, clock: FakeClock, *, took_s: float, answer: Response | Exception) -> None:
        self._clock = clock
        self._took_s = took_s
        self._answer = answer

    async def complete(self, request: Request) -> Response:
        await self._clock.sleep(self._took_s)
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def counts(limited: Limited) -> tuple[int, int, int, int]:
    """How many attempts were sent, are in flight, wait and failed."""
    found = limited.statistics()
    return found.sent, found.in_flight, found.waiting, found.failed


async def test_no_more_attempts_run_than_there_are_slots() -> None:
    inner = GatedProvider(make_response())
    limited = Limited(AdapterOf(inner), slots=2, clock=FakeClock(), pool="qwen")

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(limited.complete, make_request())
        await anyio.wait_all_tasks_blocked()
        during = counts(limited)
        inner.gate.set()

    assert during == (2, 2, 3, 0)
    assert counts(limited) == (5, 0, 0, 0)


async def test_failed_attempt_gives_its_slot_back() -> None:
    inner = ScriptedProvider(ServiceFailed("down", status=500), make_response())
    limited = Limited(AdapterOf(inner), slots=1, clock=FakeClock(), pool="qwen")

    with pytest.raises(ServiceFailed):
        await limited.complete(make_request())

    assert await limited.complete(make_request()) == make_response()
    assert counts(limited) == (2, 0, 0, 1)


async def test_observer_receives_what_an_attempt_took_and_cost() -> None:
    clock = FakeClock()
    observer = ListObserver()
    limited = Limited(
        AdapterOf(TakesTime(clock, took_s=2.0, answer=make_response())),
        slots=1,
        rpm=1,
        clock=clock,
        pool="qwen",
        price=Price(input_per_mtok=1e6, output_per_mtok=2e6),
    )
    view = limited.watched_by(observer)

    await view.complete(make_request())
    await view.complete(make_request())

    first = Attempt(
        pool="qwen", waited_s=0.0, took_s=2.0, input_tokens=3, output_tokens=1, cost_usd=5.0
    )
    assert observer.attempts[0] == first
    assert observer.attempts[1].waited_s == pytest.approx(59.0, abs=0.01)


async def test_observer_receives_failures_by_class() -> None:
    clock = FakeClock()
    observer = ListObserver()
    inner = TakesTime(clock, took_s=2.0, answer=ServiceFailed("down", status=500))
    limited = Limited(AdapterOf(inner), slots=1, clock=clock, pool="qwen")

    with pytest.raises(ServiceFailed):
        await limited.watched_by(observer).complete(make_request())

    assert observer.attempts == [
        Attempt(pool="qwen", waited_s=0.0, took_s=2.0, error="ServiceFailed")
    ]


async def test_usage_is_estimated_where_none_is_reported() -> None:
    budget = Budget()
    observer = ListObserver()
    limited = Limited(
        AdapterOf(ScriptedProvider(Response(text="x" * 35))),
        slots=1,
        clock=FakeClock(),
        pool="qwen",
        price=Price(output_per_mtok=1e6),
        budget=budget,
    )

    await limited.watched_by(observer).complete(make_request("y" * 70))

    assert budget.spent() == Spent(calls=1, input_tokens=20, output_tokens=10, cost_usd=10.0)
    assert (observer.attempts[0].input_tokens, observer.attempts[0].output_tokens) == (20, 10)


async def test_reported_usage_lets_more_calls_into_the_minute() -> None:
    clock = FakeClock()
    inner = ScriptedProvider(make_response())  # reports 4 tokens; about 70 are estimated
    limited = Limited(AdapterOf(inner), slots=1, tpm=80, clock=clock, pool="qwen")

    await limited.complete(make_request())
    await limited.complete(make_request())

    assert clock.slept == []


async def cancelled_while_blocked(call: Callable[[Request], object], *, calls: int) -> None:
    """Start *calls* calls, and cancel them when all wait for something."""
    async with anyio.create_task_group() as group:
        for _ in range(calls):
            group.start_soon(call, make_request())  # type: ignore[arg-type] # any awaitable
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()


async def test_waiting_for_a_slot_is_cancelled_at_once() -> None:
    inner = GatedProvider(make_response())
    limited = Limited(AdapterOf(inner), slots=1, clock=FakeClock(), pool="qwen")

    async with anyio.create_task_group() as group:
        group.start_soon(limited.complete, make_request())
        await anyio.wait_all_tasks_blocked()
        await cancelled_while_blocked(limited.complete, calls=3)
        waiting = limited.statistics().waiting
        inner.gate.set()

    assert waiting == 0
    assert await limited.complete(make_request()) == make_response()
    assert limited.statistics().sent == 2


async def test_waiting_for_the_rate_is_cancelled_at_once() -> None:
    inner = ScriptedProvider(make_response())
    limited = Limited(AdapterOf(inner), slots=8, rpm=1, clock=SystemClock(), pool="qwen")

    await limited.complete(make_request())
    await cancelled_while_blocked(limited.complete, calls=3)

    assert counts(limited) == (1, 0, 0, 0)


async def test_cancelled_task_sends_nothing_more() -> None:
    inner = ScriptedProvider(make_response())
    budget = Budget()
    limited = Limited(AdapterOf(inner), slots=1, clock=FakeClock(), pool="qwen", budget=budget)

    with anyio.CancelScope() as scope:
        scope.cancel()
        await limited.complete(make_request())

    assert scope.cancelled_caught
    assert inner.requests == []
    assert budget.spent() == Spent()


async def test_task_cancelled_as_it_is_handed_its_slot_sends_nothing() -> None:
    inner = GatedProvider(make_response())
    limited = Limited(AdapterOf(inner), slots=1, clock=FakeClock(), pool="qwen")
    scope = anyio.CancelScope()

    async def first() -> None:
        await limited.complete(make_request())
        scope.cancel()

    async def second() -> None:
        with scope:
            await limited.complete(make_request())

    async with anyio.create_task_group() as group:
        group.start_soon(first)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(second)
        await anyio.wait_all_tasks_blocked()
        inner.gate.set()

    assert scope.cancelled_caught
    assert inner.entered == 1
    assert await limited.complete(make_request()) == make_response()


@pytest.mark.parametrize("layers", ["limited", "retrying"])
async def test_attempt_in_flight_is_kept_though_its_task_is_cancelled(layers: str) -> None:
    inner = GatedProvider(make_response())
    observer = ListObserver()
    provider: Provider
    limited = Limited(AdapterOf(inner), slots=2, clock=SystemClock(), pool="qwen")
    provider = limited.watched_by(observer)
    if layers == "retrying":
        provider = Retrying(provider, attempts=3, clock=SystemClock(), pool="qwen")
    keeper = Keeper(provider)

    async with anyio.create_task_group() as group:
        group.start_soon(keeper.complete, make_request())
        group.start_soon(keeper.complete, make_request())
        group.start_soon(keeper.complete, make_request())  # waits for a slot, so it is dropped
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await anyio.wait_all_tasks_blocked()
            inner.gate.set()

    assert keeper.kept == [make_response()] * 2
    assert (inner.entered, inner.cancelled) == (2, 0)
    assert [attempt.error for attempt in observer.attempts] == ["", ""]


async def test_failure_in_flight_is_not_tried_again_when_cancelled() -> None:
    class FailsAtTheGate(GatedProvider):
        async def complete(self, request: Request) -> Response:
            await super().complete(request)
            raise ServiceFailed("down", status=500)

    inner = FailsAtTheGate(make_response())
    limited = Limited(AdapterOf(inner), slots=1, clock=SystemClock(), pool="qwen")
    keeper = Keeper(Retrying(limited, attempts=3, clock=SystemClock(), pool="qwen"))

    async with anyio.create_task_group() as group:
        group.start_soon(keeper.complete, make_request())
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
        inner.gate.set()

    assert inner.entered == 1
    assert (keeper.kept, keeper.errors) == ([], [])


@pytest.mark.parametrize("order", ["cancel first", "abandon first"])
async def test_abandoned_attempts_are_cancelled(order: str) -> None:
    inner = GatedProvider(make_response())
    observer = ListObserver()
    limited = Limited(AdapterOf(inner), slots=2, clock=FakeClock(), pool="qwen")
    view = limited.watched_by(observer)

    async with anyio.create_task_group() as group:
        group.start_soon(view.complete, make_request())
        group.start_soon(view.complete, make_request())
        await anyio.wait_all_tasks_blocked()
        if order == "abandon first":
            limited.abandon()
        group.cancel_scope.cancel()
        if order == "cancel first":
            with anyio.CancelScope(shield=True):
                await anyio.wait_all_tasks_blocked()
                assert inner.cancelled == 0
                limited.abandon()

    assert inner.cancelled == 2
    assert [attempt.error for attempt in observer.attempts] == ["CancelledError"] * 2
    assert counts(limited) == (2, 0, 0, 2)


async def test_abandoning_cancels_nothing_that_nobody_cancelled() -> None:
    inner = GatedProvider(make_response())
    keeper = Keeper(Limited(AdapterOf(inner), slots=1, clock=FakeClock(), pool="qwen"))

    async with anyio.create_task_group() as group:
        group.start_soon(keeper.complete, make_request())
        await anyio.wait_all_tasks_blocked()
        inner.gate.set()

    assert keeper.kept == [make_response()]


async def test_budget_of_calls_is_exact_with_calls_in_flight() -> None:
    inner = GatedProvider(make_response())
    keeper = Keeper(
        Limited(AdapterOf(inner), slots=8, clock=FakeClock(), pool="qwen", budget=Budget(calls=3))
    )

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(keeper.complete, make_request())
        await anyio.wait_all_tasks_blocked()
        inner.gate.set()

    assert inner.entered == 3
    assert keeper.errors == ["budget calls = 3 is reached: 3 calls sent"] * 2


async def test_budget_is_shared_by_pools() -> None:
    budget = Budget(calls=2)
    pools = [
        Limited(
            AdapterOf(ScriptedProvider(make_response())),
            slots=1,
            clock=FakeClock(),
            pool=name,
            budget=budget,
        )
        for name in ("qwen", "llama", "judge")
    ]

    await pools[0].complete(make_request())
    await pools[1].complete(make_request())
    with pytest.raises(BudgetReached):
        await pools[2].complete(make_request())

    assert counts(pools[2]) == (0, 0, 0, 0)


def test_budgets_of_tokens_and_money_count_what_is_spent() -> None:
    tokens, money = Budget(tokens=10), Budget(cost_usd=0.5)
    for budget in (tokens, money):
        budget.admit()
        budget.settle(Usage(input_tokens=6, output_tokens=3), 0.25)
        budget.admit()
        budget.settle(Usage(input_tokens=6, output_tokens=3), 0.25)

    with pytest.raises(BudgetReached, match=r"^budget tokens = 10 is reached: 18 tokens spent$"):
        tokens.admit()
    with pytest.raises(
        BudgetReached, match=r"^budget cost_usd = 0\.5 is reached: 0\.5000 USD spent$"
    ):
        money.admit()
    assert tokens.spent() == Spent(calls=2, input_tokens=12, output_tokens=6, cost_usd=0.5)


def test_budget_without_limits_admits_everything() -> None:
    budget = Budget()
    for _ in range(3):
        budget.admit()

    assert budget.spent() == Spent(calls=3)
