"""What may be spent: exactly in calls, and in tokens and money as well as calls were estimated."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydrometer.providers.errors import (
    AccessDenied,
    BudgetReached,
    ConnectionFailed,
    ProviderError,
    RateLimited,
    ReplyMalformed,
    ReplyUnusable,
    RequestRejected,
    ServiceFailed,
    SettingsInvalid,
    TimedOut,
)
from hydrometer.providers.limits.budget import Budget, Spent
from hydrometer.providers.limits.limiter import Limited
from hydrometer.providers.settings import Price
from hydrometer.providers.types import Request, Response, Usage
from hydrometer.testing import (
    AdapterOf,
    FakeClock,
    GatedProvider,
    ListObserver,
    ScriptedProvider,
    make_request,
)

pytestmark = pytest.mark.anyio

TEN = Usage(input_tokens=6, output_tokens=4)


def test_call_that_might_exceed_what_is_left_is_the_end() -> None:
    budget = Budget(tokens=25)
    budget.admit(TEN)
    budget.settle(TEN, 0.0, need=TEN)
    budget.admit(TEN)
    budget.settle(TEN, 0.0, need=TEN)

    with pytest.raises(BudgetReached) as caught:
        budget.admit(TEN)

    assert str(caught.value) == (
        "budget tokens = 25 is reached: 20 tokens spent, and the next call may use 10"
    )
    assert budget.spent() == Spent(calls=2, input_tokens=12, output_tokens=8)


def test_call_that_might_exceed_with_those_in_flight_waits() -> None:
    budget = Budget(tokens=25)

    admitted = [budget.admit(TEN) for _ in range(3)]
    budget.settle(Usage(input_tokens=1), 0.0, need=TEN)
    again = budget.admit(TEN)

    assert admitted == [True, True, False]
    assert again
    assert budget.spent().calls == 3


def test_money_is_reserved_as_tokens_are() -> None:
    budget = Budget(cost_usd=1.0)

    admitted = [budget.admit(TEN, 0.4) for _ in range(3)]
    for _ in range(2):
        budget.settle(TEN, 0.4, need=TEN, need_usd=0.4)
    with pytest.raises(BudgetReached) as caught:
        budget.admit(TEN, 0.4)

    assert admitted == [True, True, False]
    assert str(caught.value) == (
        "budget cost_usd = 1.0 is reached: 0.8000 USD spent, and the next call may cost 0.4000 USD"
    )


def test_what_was_spent_before_counts() -> None:
    budget = Budget(calls=500, spent=Spent(calls=499, input_tokens=7, cost_usd=0.5))

    budget.admit()

    with pytest.raises(BudgetReached, match=r"^budget calls = 500 is reached: 500 calls sent$"):
        budget.admit()
    assert budget.spent() == Spent(calls=500, input_tokens=7, cost_usd=0.5)


def test_model_is_admitted_by_its_own_budget_and_the_run_s() -> None:
    run = Budget(calls=3)
    models = [Budget(calls=2, parent=run, path=f"models.{name}.budget") for name in ("a", "b")]

    for budget in (models[0], models[0], models[1]):
        budget.admit()

    with pytest.raises(BudgetReached, match=r"^models\.a\.budget calls = 2 is reached: 2 calls"):
        models[0].admit()
    with pytest.raises(BudgetReached, match=r"^budget calls = 3 is reached: 3 calls sent$"):
        models[1].admit()
    assert [budget.spent().calls for budget in (run, *models)] == [3, 2, 1]


def test_call_that_the_run_lets_wait_is_not_counted_by_its_model() -> None:
    run = Budget(tokens=15)
    model = Budget(parent=run)
    model.admit(TEN)

    assert not model.admit(TEN)
    assert (run.spent().calls, model.spent().calls) == (1, 1)


async def test_settling_any_call_of_the_run_wakes_who_waits() -> None:
    run = Budget(tokens=15)
    models = [Budget(parent=run), Budget(parent=run)]
    models[0].admit(TEN)
    woken = []

    async def wait() -> None:
        await models[1].wait()
        woken.append(models[1].admit(Usage(input_tokens=5)))

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await anyio.wait_all_tasks_blocked()
        models[0].settle(TEN, 0.0, need=TEN)

    assert woken == [True]


@given(
    limit=st.integers(1, 200),
    calls=st.lists(st.tuples(st.integers(1, 50), st.integers(0, 60), st.booleans()), max_size=60),
)
def test_tokens_exceed_their_limit_by_what_calls_in_flight_use_beyond_their_estimates(
    limit: int, calls: list[tuple[int, int, bool]]
) -> None:
    budget = Budget(tokens=limit)
    in_flight: list[tuple[Usage, Usage]] = []
    beyond = spent = 0
    for estimated, used, ends_first in calls:
        need = Usage(input_tokens=estimated)
        try:
            admitted = budget.admit(need)
        except BudgetReached:
            break
        if admitted:
            in_flight.append((need, Usage(input_tokens=used)))
        if in_flight and (ends_first or not admitted):
            need, usage = in_flight.pop(0)
            budget.settle(usage, 0.0, need=need)
            spent += usage.input_tokens
            beyond += max(0, usage.input_tokens - need.input_tokens)

    for need, usage in in_flight:
        budget.settle(usage, 0.0, need=need)
        spent += usage.input_tokens
        beyond += max(0, usage.input_tokens - need.input_tokens)
    assert budget.spent().input_tokens == spent
    assert spent <= limit + beyond


class Priced:
    """Answers with the longest answer that was asked for, and counts."""

    def __init__(self) -> None:
        self.answered = 0

    async def complete(self, request: Request) -> Response:
        await anyio.lowlevel.checkpoint()
        self.answered += 1
        assert request.sampling.max_tokens is not None
        return Response(
            text="x", usage=Usage(input_tokens=4, output_tokens=request.sampling.max_tokens)
        )


async def spend_all(limited: Limited, *, tasks: int, reached: list[str]) -> None:
    async def work() -> None:
        try:
            while True:
                await limited.complete(make_request())
        except BudgetReached as error:
            reached.append(str(error))

    async with anyio.create_task_group() as group:
        for _ in range(tasks):
            group.start_soon(work)


async def test_budget_of_calls_sends_exactly_as_many() -> None:
    inner, reached = Priced(), list[str]()
    limited = Limited(
        AdapterOf(inner), slots=16, clock=FakeClock(), pool="x", budget=Budget(calls=500)
    )

    await spend_all(limited, tasks=24, reached=reached)

    assert inner.answered == 500
    assert reached == ["budget calls = 500 is reached: 500 calls sent"] * 24


async def test_budget_of_money_is_used_up_and_not_exceeded() -> None:
    """Answers are as long as was asked for, so that the bound is the limit itself."""
    inner, reached = Priced(), list[str]()
    budget = Budget(cost_usd=1.0)
    price = Price(input_per_mtok=0.0, output_per_mtok=1e6 / 6400)  # 100 calls of 64 tokens
    limited = Limited(
        AdapterOf(inner), slots=16, clock=FakeClock(), pool="x", price=price, budget=budget
    )

    await spend_all(limited, tasks=24, reached=reached)

    assert inner.answered in (99, 100)  # rounding may find the last one too dear
    assert budget.spent().cost_usd <= 1.0 + 1e-9
    assert len(reached) == 24


REFUSALS = (
    RateLimited("over quota"),
    ServiceFailed("down", status=500),
    RequestRejected("too long", status=400),
    AccessDenied("wrong key", status=401),
    SettingsInvalid("no"),
    ConnectionFailed("cannot connect", sent=False),
)
UNKNOWN = (
    TimedOut("late"),
    ConnectionFailed("cut"),
    ReplyMalformed("not JSON"),
    ReplyUnusable("too large"),
)


def billed(error: ReplyMalformed | ReplyUnusable) -> ProviderError:
    error.usage = TEN
    return error


async def spent_by(error: ProviderError, budget: Budget) -> Spent:
    """Return what one attempt that ends in *error* counts as; it may need 68 tokens."""
    observer = ListObserver()
    limited = Limited(
        AdapterOf(ScriptedProvider(error)),
        slots=1,
        clock=FakeClock(),
        pool="x",
        price=Price(output_per_mtok=1e6),
        budget=budget,
    )
    with pytest.raises(type(error)):
        await limited.watched_by(observer).complete(make_request())
    spent, (attempt,) = budget.spent(), observer.attempts
    assert (attempt.input_tokens, attempt.output_tokens, attempt.cost_usd) == (
        *(spent.input_tokens, spent.output_tokens, spent.cost_usd),
    )
    return spent


@pytest.mark.parametrize("limit", [None, 200])
@pytest.mark.parametrize("error", REFUSALS, ids=lambda error: type(error).__name__)
async def test_refused_call_costs_nothing_and_leaves_room(
    error: ProviderError, limit: int | None
) -> None:
    assert await spent_by(error, Budget(tokens=limit)) == Spent(calls=1)


@pytest.mark.parametrize("limit", [None, 200])
@pytest.mark.parametrize("error", [ReplyMalformed("no choices"), ReplyUnusable("no content")])
async def test_reply_that_is_no_answer_costs_what_it_says(
    error: ReplyMalformed | ReplyUnusable, limit: int | None
) -> None:
    spent = await spent_by(billed(error), Budget(tokens=limit))

    assert spent == Spent(calls=1, input_tokens=6, output_tokens=4, cost_usd=4.0)


@pytest.mark.parametrize("limit", [None, 200])
@pytest.mark.parametrize("error", UNKNOWN, ids=lambda error: type(error).__name__)
async def test_call_of_which_nobody_knows_what_it_used_costs_what_it_might_have(
    error: ProviderError, limit: int | None
) -> None:
    spent = await spent_by(error, Budget(tokens=limit))

    assert spent == Spent(calls=1, input_tokens=4, output_tokens=64, cost_usd=64.0)


async def test_budget_of_tokens_holds_where_every_reply_is_paid_for_and_none_can_be_used() -> None:
    class Bills:
        """Uses all that was asked for, and says nothing."""

        billed = 0

        async def complete(self, request: Request) -> Response:
            await anyio.lowlevel.checkpoint()
            self.billed += 68
            error = ReplyMalformed("the reply has no choices")
            error.usage = Usage(input_tokens=4, output_tokens=64)
            raise error

    inner, budget, reached = Bills(), Budget(tokens=2000), list[str]()
    limited = Limited(AdapterOf(inner), slots=8, clock=FakeClock(), pool="x", budget=budget)

    async def work() -> None:
        while not reached:
            try:
                await limited.complete(make_request())
            except ReplyMalformed:
                continue
            except BudgetReached as error:
                reached.append(str(error))

    async with anyio.create_task_group() as group:
        for _ in range(12):
            group.start_soon(work)

    spent = budget.spent()
    assert inner.billed == spent.input_tokens + spent.output_tokens
    assert 2000 - 68 < inner.billed <= 2000


async def test_call_waits_for_those_in_flight_when_only_they_are_in_its_way() -> None:
    inner = GatedProvider(Response(text="x", usage=Usage(input_tokens=1, output_tokens=1)))
    limited = Limited(
        AdapterOf(inner), slots=8, clock=FakeClock(), pool="x", budget=Budget(tokens=100)
    )  # each may use 68

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(limited.complete, make_request())
        await anyio.wait_all_tasks_blocked()
        entered = inner.entered
        inner.gate.set()

    assert (entered, inner.entered) == (1, 3)
