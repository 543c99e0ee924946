"""Whose turn it is: first come, first served, and nothing left behind by who gives up waiting."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import anyio
import pytest

from hydrometer.providers.base import AdapterReply
from hydrometer.providers.clock import SystemClock
from hydrometer.providers.errors import (
    ConnectionFailed,
    ProviderError,
    RateLimited,
    ServiceFailed,
    TimedOut,
)
from hydrometer.providers.limits.budget import Budget
from hydrometer.providers.limits.limiter import Limited
from hydrometer.providers.quota import Allowance, Quota
from hydrometer.providers.types import Request, Response, Usage
from hydrometer.testing import (
    AdapterOf,
    FakeClock,
    FunctionProvider,
    GatedProvider,
    LoopClock,
    make_request,
    make_response,
    run_in_virtual_time,
)

pytestmark = pytest.mark.anyio

SMALL = Response(text="hi", usage=Usage(input_tokens=1, output_tokens=1))


class Scenario:
    """A pool where the next call has to wait, until *free* is called."""

    def __init__(
        self,
        *,
        slots: int = 8,
        rpm: int | None = None,
        tpm: int | None = None,
        tokens: int | None = None,
    ) -> None:
        self.inner = GatedProvider(SMALL)
        self.budget = Budget(tokens=tokens)
        self.limited = Limited(
            AdapterOf(self.inner),
            slots=slots,
            rpm=rpm,
            tpm=tpm,
            clock=SystemClock(),
            pool="x",
            budget=self.budget,
        )

    def free(self) -> None:
        self.inner.gate.set()


WAITS: dict[str, Callable[[], Scenario]] = {
    "slot": lambda: Scenario(slots=1),
    "rate": lambda: Scenario(rpm=1),
    "tokens": lambda: Scenario(tpm=70),
    "budget": lambda: Scenario(tokens=100),
}


@pytest.mark.parametrize("cancelled", [0, 1, 2], ids=["first", "second", "last"])
@pytest.mark.parametrize("what", sorted(WAITS))
async def test_who_is_cancelled_in_the_line_leaves_nothing_behind(
    what: str, cancelled: int
) -> None:
    scenario = WAITS[what]()
    limited = scenario.limited
    scopes = [anyio.CancelScope() for _ in range(3)]
    answered: list[int] = []

    async def wait(number: int) -> None:
        with scopes[number]:
            await limited.complete(make_request(draw=number))
            answered.append(number)

    async with anyio.create_task_group() as group:
        group.start_soon(limited.complete, make_request())
        await anyio.wait_all_tasks_blocked()
        for number in range(3):
            group.start_soon(wait, number)
        await anyio.wait_all_tasks_blocked()
        scopes[cancelled].cancel()
        await anyio.wait_all_tasks_blocked()
        during = limited.statistics()
        counted = scenario.budget.spent().calls
        scenario.free()
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()  # those that wait for the rate would do so for a minute

    assert (during.sent, during.in_flight, during.waiting) == (1, 1, 2)
    assert counted == 1
    if what in ("slot", "budget"):
        assert answered == [number for number in range(3) if number != cancelled]
    after = limited.statistics()
    assert (after.in_flight, after.waiting) == (0, 0)
    assert scenario.budget.spent().calls == after.sent == scenario.inner.entered


async def test_all_who_wait_are_served_in_the_order_they_came() -> None:
    inner = FunctionProvider(lambda request: make_response())
    limited = Limited(AdapterOf(inner), slots=2, clock=FakeClock(), pool="x")

    async with anyio.create_task_group() as group:
        for draw in range(50):
            group.start_soon(limited.complete, make_request(draw=draw))

    assert [request.draw for request in inner.requests] == list(range(50))


async def test_who_comes_while_others_wait_does_not_overtake_them() -> None:
    inner = GatedProvider(make_response())
    limited = Limited(AdapterOf(inner), slots=1, clock=SystemClock(), pool="x")
    done: list[str] = []

    async def call(name: str) -> None:
        await limited.complete(make_request())
        done.append(name)
        if name == "first":
            group.start_soon(call, "late")  # the slot is free, and somebody waits for it

    async with anyio.create_task_group() as group:
        group.start_soon(call, "first")
        await anyio.wait_all_tasks_blocked()
        group.start_soon(call, "second")
        await anyio.wait_all_tasks_blocked()
        inner.gate.set()

    assert done == ["first", "second", "late"]


async def limit_after(*errors: ProviderError) -> int:
    """How many calls may be in flight, of 64, after calls failed with *errors*, one by one."""
    left = list(errors)
    limited = Limited(
        AdapterOf(FunctionProvider(lambda request: left.pop(0))),
        slots=64,
        clock=FakeClock(),
        pool="x",
    )
    for error in errors:
        with pytest.raises(type(error)):
            await limited.complete(make_request())
    return limited.statistics().limit


async def test_refusals_cut_and_failures_of_the_service_do_not() -> None:
    refused = RateLimited("over quota")
    failures = (ServiceFailed("down", status=500), ConnectionFailed("cut"), TimedOut("late"))

    assert await limit_after(refused) == 32
    assert await limit_after(refused, refused, refused) == 8
    assert await limit_after(*failures, *failures) == 64


async def test_round_of_refusals_decreases_once() -> None:
    class Refuses(GatedProvider):
        async def complete(self, request: Request) -> Response:
            await super().complete(request)
            raise RateLimited("over quota")

    inner = Refuses(make_response())
    limited = Limited(AdapterOf(inner), slots=64, clock=SystemClock(), pool="x")

    async def call() -> None:
        with pytest.raises(RateLimited):
            await limited.complete(make_request())

    async with anyio.create_task_group() as group:
        for _ in range(64):
            group.start_soon(call)
        await anyio.wait_all_tasks_blocked()
        inner.gate.set()

    found = limited.statistics()
    assert (found.limit, found.decreases, found.sent) == (32, 1, 64)


def test_refusal_holds_everybody_for_as_long_as_it_asks() -> None:
    sent_s: list[float] = []

    async def main() -> None:
        clock = LoopClock()

        def answer(request: Request) -> Response | Exception:
            sent_s.append(clock.now())
            if len(sent_s) == 1:
                return RateLimited("over quota", retry_after_s=7.0)
            return make_response()

        limited = Limited(AdapterOf(FunctionProvider(answer)), slots=8, clock=clock, pool="x")
        with pytest.raises(RateLimited):
            await limited.complete(make_request())
        assert limited.statistics().cooldown_s == 7.0
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(limited.complete, make_request())

    run_in_virtual_time(main)

    assert sent_s == pytest.approx([0.0, 7.0, 7.0, 7.0])


class Quotes:
    """Answers after *took_s*, with headers that say *quota*."""

    def __init__(self, quota: Quota | None, clock: FakeClock, *, took_s: float = 0.0) -> None:
        self._quota = quota
        self._clock = clock
        self._took_s = took_s

    async def send(self, request: Request) -> AdapterReply:
        self._clock.time += self._took_s
        return AdapterReply(response=make_response(), quota=self._quota)


async def after_one_answer(quota: Quota, *, took_s: float = 0.0, rpm: int | None = None) -> Limited:
    clock = FakeClock()
    provider = Quotes(quota, clock, took_s=took_s)
    limited = Limited(provider, slots=8, rpm=rpm, clock=clock, pool="x")
    await limited.complete(make_request())
    return limited


async def test_limits_of_the_headers_are_kept() -> None:
    clock = FakeClock()
    quota = Quota(requests=Allowance(limit=2, remaining=1, reset_s=60.0))
    limited = Limited(Quotes(quota, clock), slots=8, clock=clock, pool="x")

    for _ in range(3):
        await limited.complete(make_request())

    assert clock.time == pytest.approx(61.0, abs=0.01)


async def test_quota_of_a_day_is_not_taken_for_a_minute_s() -> None:
    clock = FakeClock()
    quota = Quota(requests=Allowance(limit=2, remaining=1, reset_s=86400.0))
    limited = Limited(Quotes(quota, clock), slots=8, clock=clock, pool="x")

    for _ in range(9):
        await limited.complete(make_request())

    assert clock.time == 0.0


async def test_quota_that_others_used_up_decreases_and_starts_a_cooldown() -> None:
    gone = Quota(requests=Allowance(limit=600, remaining=0, reset_s=20.0))

    found = (await after_one_answer(gone)).statistics()

    assert (found.limit, found.decreases, found.cooldown_s) == (4, 1, 20.0)


async def test_time_of_a_header_counts_from_when_its_call_was_sent() -> None:
    gone = Quota(requests=Allowance(limit=600, remaining=0, reset_s=20.0))

    assert (await after_one_answer(gone, took_s=15.0)).statistics().cooldown_s == 5.0
    assert (await after_one_answer(gone, took_s=30.0)).statistics().cooldown_s == 0.0


async def test_quota_that_we_used_up_ourselves_is_expected() -> None:
    gone = Quota(requests=Allowance(limit=1, remaining=0, reset_s=60.0))

    found = (await after_one_answer(gone, rpm=1)).statistics()

    assert (found.limit, found.decreases, found.cooldown_s) == (8, 0, 0.0)


async def test_statistics_tell_the_rate() -> None:
    clock = FakeClock()
    limited = Limited(Quotes(None, clock, took_s=25.0), slots=8, clock=clock, pool="x")

    for _ in range(4):
        await limited.complete(make_request())

    assert limited.statistics().rate == 2  # those sent at 50 and 75, seen from 100


def test_first_in_the_queue_goes_on_when_inferred_limit_grows_while_it_waits() -> None:
    """Nothing else is in flight then, so that no end of a call would ever wake it."""
    ended: list[int] = []

    class Refuses:
        async def complete(self, request: Request) -> Response:
            await anyio.sleep(0.05)
            raise RateLimited("over quota", retry_after_s=60.0)

    async def main() -> None:
        limited = Limited(
            AdapterOf(Refuses()), slots=4, clock=LoopClock(), pool="x", budget=Budget()
        )

        async def call(draw: int) -> None:
            with suppress(RateLimited):
                await limited.complete(make_request(draw=draw))
            ended.append(draw)

        async with anyio.create_task_group() as group:
            for draw in range(12):
                group.start_soon(call, draw)

    run_in_virtual_time(main)

    assert sorted(ended) == list(range(12))
