"""Calls over endpoints of unequal quota: nobody waits for one while another could send.

Time is virtual, so that minutes of waiting are exact and cost nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from random import Random

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hydrometer.providers.base import Adapter, AdapterReply, Provider
from hydrometer.providers.errors import (
    BudgetReached,
    Outage,
    ProviderError,
    RateLimited,
    ServiceFailed,
)
from hydrometer.providers.limits.budget import Budget
from hydrometer.providers.limits.failover import Endpoint, Failover
from hydrometer.providers.limits.limiter import Limited
from hydrometer.providers.limits.retry import Retrying
from hydrometer.providers.quota import Allowance, Quota
from hydrometer.providers.statistics import PoolStatistics
from hydrometer.providers.types import Request
from hydrometer.testing import (
    AdapterOf,
    LoopClock,
    ScriptedProvider,
    make_request,
    make_response,
    run_in_virtual_time,
)

LATENCY_S = 0.05
MINUTE_S = 60.0


class Place:
    """Answers after LATENCY_S; refuses what exceeds *rpm*, and says of it what *tells* names."""

    def __init__(self, *, rpm: float = math.inf, tells: str = "retry-after") -> None:
        self._rpm = rpm
        self._tells = tells
        self._clock = LoopClock()
        self.sent: list[tuple[float, int]] = []  # when, and which draw
        self.refused = 0

    async def send(self, request: Request) -> AdapterReply:
        now = self._clock.now()
        self.sent.append((now, request.draw))
        minute = [at_s for at_s, _ in self.sent if at_s > now - MINUTE_S]
        await self._clock.sleep(LATENCY_S)
        if len(minute) > self._rpm:
            self.refused += 1
            raise RateLimited("m answered 429", retry_after_s=MINUTE_S)
        return AdapterReply(response=make_response(), quota=self._quota(minute))

    def _quota(self, minute: list[float]) -> Quota | None:
        if self._tells != "headers" or self._rpm == math.inf:
            return None
        limit = int(self._rpm)
        reset_s = minute[0] + MINUTE_S - self._clock.now()
        return Quota(
            requests=Allowance(limit=limit, remaining=limit - len(minute), reset_s=reset_s)
        )


class Refuses:
    """Answers 429 whatever comes, and asks for *retry_after_s*."""

    def __init__(self, retry_after_s: float | None = None) -> None:
        self._retry_after_s = retry_after_s
        self.sent: list[float] = []

    async def send(self, request: Request) -> AdapterReply:
        self.sent.append(LoopClock().now())
        await anyio.lowlevel.checkpoint()
        raise RateLimited("m answered 429", retry_after_s=self._retry_after_s)


def spread(
    *adapters: Adapter,
    slots: int = 8,
    rpms: tuple[int | None, ...] = (),
    budget: Budget | None = None,
) -> Failover:
    """Endpoints a, b, c ..., the first with the first of *rpms*."""
    clock = LoopClock()
    limits = (*rpms, *[None] * len(adapters))
    return Failover(
        [
            Endpoint(
                name,
                Limited(
                    adapter,
                    slots=slots,
                    rpm=rpm,
                    clock=clock,
                    pool="x",
                    endpoint=name,
                    budget=budget,
                ),
            )
            for name, adapter, rpm in zip("abc", adapters, limits, strict=False)
        ],
        clock=clock,
        budget=budget,
    )


def retrying(layer: Provider, *, attempts: int = 8, deadline_s: float = math.inf) -> Retrying:
    return Retrying(
        layer,
        attempts=attempts,
        deadline_s=deadline_s,
        clock=LoopClock(),
        pool="x",
        rng=Random(1),
    )


async def send_all(provider: Provider, calls: int, *, tasks: int = 32) -> None:
    """Make *calls* calls, from so many tasks at once."""
    draws = iter(range(calls))

    async def work() -> None:
        for draw in draws:
            await provider.complete(make_request(draw=draw))

    async with anyio.create_task_group() as group:
        for _ in range(tasks):
            group.start_soon(work)


def time_of(open_door: Callable[[], Provider], calls: int, *, tasks: int = 32) -> float:
    """Return how long *calls* calls took."""

    async def main() -> float:
        await send_all(open_door(), calls, tasks=tasks)
        return LoopClock().now()

    return run_in_virtual_time(main)


@pytest.mark.parametrize(
    ("configured_rpm", "advertised_rpm", "tells"),
    [(60, math.inf, "nothing"), (None, 60, "headers"), (None, 60, "retry-after")],
    ids=["configured", "advertised", "refused"],
)
def test_endpoint_of_less_quota_costs_no_time_while_another_is_free(
    configured_rpm: int | None, advertised_rpm: float, tells: str
) -> None:
    east, west = Place(rpm=advertised_rpm, tells=tells), Place()

    alone_s = time_of(lambda: retrying(spread(Place())), 400)
    both_s = time_of(lambda: retrying(spread(east, west, rpms=(configured_rpm,))), 400)

    assert both_s <= alone_s
    assert len(west.sent) >= 330


def test_refusal_that_asks_for_a_minute_costs_nothing_where_another_endpoint_is_free() -> None:
    east, west = Refuses(60.0), Place()

    took_s = time_of(lambda: retrying(spread(east, west)), 1)

    assert (len(east.sent), took_s) == (1, LATENCY_S)


def test_failure_that_asks_for_a_minute_keeps_the_call_from_no_other_endpoint() -> None:
    class Down:
        async def send(self, request: Request) -> AdapterReply:
            raise ServiceFailed("m answered 503", status=503, retry_after_s=60.0)

    took_s = time_of(lambda: retrying(spread(Down(), Place())), 1)

    assert took_s < 1.0  # a backoff, for what broke here may be broken there


@pytest.mark.parametrize(("asked_s", "where", "at_s"), [(30.0, "a", 30), (100.0, "b", 61)])
def test_when_all_are_full_the_call_goes_to_the_one_that_has_room_first(
    asked_s: float, where: str, at_s: int
) -> None:
    """One has a cooldown, and the minute of the other is full."""
    east = AdapterOf(
        ScriptedProvider(RateLimited("over quota", retry_after_s=asked_s), make_response())
    )

    async def main() -> tuple[str, float]:
        provider = retrying(spread(east, Place(), rpms=(None, 1)))
        await provider.complete(make_request())
        await anyio.sleep(10.0)
        response = await provider.complete(make_request(draw=1))
        return response.endpoint, round(LoopClock().now())

    assert run_in_virtual_time(main) == (where, at_s)


def test_call_in_the_queue_takes_the_slot_that_is_free_first() -> None:
    """Two calls hold all slots, one for a second and one for a minute."""

    class Takes:
        def __init__(self, took_s: float) -> None:
            self._took_s = took_s
            self.draws: list[int] = []

        async def send(self, request: Request) -> AdapterReply:
            self.draws.append(request.draw)
            await anyio.sleep(self._took_s)
            return AdapterReply(response=make_response())

    slow, quick = Takes(60.0), Takes(1.0)

    took_s = time_of(lambda: spread(slow, quick, slots=1), 20, tasks=20)

    assert took_s == 60.0
    assert quick.draws == list(range(1, 20))  # in the order in which they came


def test_when_all_refuse_the_call_backs_off_and_its_attempts_are_counted() -> None:
    east, west = Refuses(), Refuses()

    async def main() -> None:
        with pytest.raises(Outage, match="during 8 attempts"):
            await retrying(spread(east, west), attempts=8).complete(make_request())

    run_in_virtual_time(main)

    sent = sorted(east.sent + west.sent)
    assert len(sent) == 9  # the last asks whether anybody is answered
    rounds = Counter(sent)
    assert max(rounds.values()) == 2  # once at each, and then a backoff
    assert len(rounds) >= 4


@pytest.mark.parametrize("endpoints", [1, 2])
def test_deadline_ends_the_wait_for_endpoints_that_ask_for_a_minute(endpoints: int) -> None:
    ended: list[tuple[float, str]] = []

    async def call(provider: Provider, draw: int) -> None:
        try:
            await provider.complete(make_request(draw=draw))
        except ProviderError as error:
            ended.append((LoopClock().now(), type(error).__name__))

    async def main() -> None:
        layer: Provider = spread(Refuses(60.0), Refuses(60.0))
        if endpoints == 1:
            layer = Limited(Refuses(60.0), slots=8, clock=LoopClock(), pool="x")
        provider = retrying(layer, deadline_s=8.0)
        async with anyio.create_task_group() as group:
            for draw in range(4):
                group.start_soon(call, provider, draw)

    run_in_virtual_time(main)

    assert {kind for _, kind in ended} == {"Outage"}
    assert max(at_s for at_s, _ in ended) <= 8.0 + 5.0  # and the check that nobody is answered


def test_call_in_the_queue_is_woken_when_another_model_leaves_it_room_in_the_budget() -> None:
    budget = Budget(tokens=150)  # two calls of 68 tokens at most, until one tells that it used 4
    at_s: list[float] = []

    async def main() -> None:
        first = spread(Place(), Place(), budget=Budget(parent=budget))
        second = spread(Place(), Place(), budget=Budget(parent=budget))

        async def call(layer: Failover, draw: int) -> None:
            await layer.complete(make_request(draw=draw))
            at_s.append(LoopClock().now())

        async with anyio.create_task_group() as group:
            group.start_soon(call, first, 0)
            group.start_soon(call, first, 1)
            await anyio.sleep(LATENCY_S / 2)
            group.start_soon(call, second, 2)

    run_in_virtual_time(main)

    assert at_s == pytest.approx([LATENCY_S, LATENCY_S, 2 * LATENCY_S])
    assert budget.spent().calls == 3


def test_budget_of_calls_is_exact_over_several_endpoints() -> None:
    places = [Place(), Place(), Place()]

    async def main() -> None:
        layer = retrying(spread(*places, rpms=(5,), budget=Budget(calls=50)))
        with pytest.raises(BaseExceptionGroup) as caught:
            await send_all(layer, 400)
        assert caught.group_contains(BudgetReached)

    run_in_virtual_time(main)

    assert sum(len(place.sent) for place in places) == 50


@settings(max_examples=40)
@given(
    rpms=st.lists(st.integers(1, 12), min_size=2, max_size=3),
    slots=st.integers(1, 6),
    arrivals=st.lists(st.floats(0.0, 20.0), min_size=1, max_size=60),
    given_up=st.sets(st.integers(0, 59), max_size=20),
)
def test_calls_go_in_the_order_they_came_and_no_minute_of_any_endpoint_holds_too_many(
    rpms: list[int], slots: int, arrivals: list[float], given_up: set[int]
) -> None:
    """Some give up while they wait: nothing is left behind, and nobody waits longer for that."""
    places = [Place() for _ in rpms]
    came: list[int] = []

    async def main() -> PoolStatistics:
        layer = spread(*places, rpms=tuple(rpms), slots=slots)

        async def call(draw: int, at_s: float) -> None:
            await anyio.sleep(at_s)
            came.append(draw)
            with anyio.move_on_after(3.0 if draw in given_up else math.inf):
                await layer.complete(make_request(draw=draw))

        async with anyio.create_task_group() as group:
            for draw, at_s in enumerate(sorted(arrivals)):
                group.start_soon(call, draw, at_s)
        return layer.statistics()

    statistics = run_in_virtual_time(main)

    for place, rpm in zip(places, rpms, strict=True):
        times = [at_s for at_s, _ in place.sent]
        for start in times:
            assert sum(start <= at_s < start + MINUTE_S for at_s in times) <= rpm
    sent_s = {draw: at_s for place in places for at_s, draw in place.sent}
    in_order = [sent_s[draw] for draw in came if draw in sent_s]
    assert in_order == sorted(in_order)
    assert set(came) - given_up <= set(sent_s)
    assert (statistics.in_flight, statistics.waiting) == (0, 0)
    assert statistics.sent == sum(len(place.sent) for place in places)
