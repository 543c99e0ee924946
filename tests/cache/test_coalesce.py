from __future__ import annotations

import anyio
import pytest
from anyio import wait_all_tasks_blocked

from hydrometer.cache.coalesce import InFlight
from hydrometer.providers.errors import ServiceFailed


class Desk:
    """A call that waits for its gate, then returns its number or raises its error."""

    def __init__(self, error: Exception | None = None) -> None:
        self.gate = anyio.Event()
        self.calls = 0
        self._error = error

    async def __call__(self) -> int:
        self.calls += 1
        number = self.calls
        await self.gate.wait()
        if self._error is not None:
            raise self._error
        return number


async def test_identical_calls_in_flight_share_one() -> None:
    desk, flights, got = Desk(), InFlight[int](), list[int]()

    async def ask() -> None:
        got.append(await flights.run("key", desk))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(ask)
        await wait_all_tasks_blocked()
        desk.gate.set()

    assert got == [1, 1, 1]
    assert len(flights) == 0


async def test_calls_of_other_keys_and_later_calls_are_their_own() -> None:
    desk, flights = Desk(), InFlight[int]()
    desk.gate.set()

    got = [await flights.run(key, desk) for key in ("one", "two", "one")]

    assert got == [1, 2, 3]


async def test_a_value_of_none_is_shared_too() -> None:
    flights, got, gate = InFlight[None](), list[None](), anyio.Event()
    calls = 0

    async def call() -> None:
        nonlocal calls
        calls += 1
        await gate.wait()

    async def ask() -> None:
        got.append(await flights.run("key", call))  # type: ignore[func-returns-value]  # its point

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        tasks.start_soon(ask)
        await wait_all_tasks_blocked()
        gate.set()

    assert (got, calls) == ([None, None], 1)


async def test_an_error_reaches_every_waiter_as_a_copy_of_its_own() -> None:
    error = ServiceFailed("the endpoint answered 503", status=503, retry_after_s=2.0)
    desk, flights, raised = Desk(error), InFlight[int](), list[ServiceFailed]()

    async def ask() -> None:
        with pytest.raises(ServiceFailed) as caught:
            await flights.run("key", desk)
        raised.append(caught.value)

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(ask)
        await wait_all_tasks_blocked()
        desk.gate.set()

    assert desk.calls == 1
    assert raised[0] is error
    assert [(str(e), e.status, e.retry_after_s, e.__cause__) for e in raised[1:]] == [
        ("the endpoint answered 503", 503, 2.0, error)
    ] * 2
    assert len({id(e) for e in raised}) == 3
    assert len(flights) == 0


async def test_a_cancelled_leader_hands_over_to_one_waiter() -> None:
    desk, flights, got = Desk(), InFlight[int](), list[int]()
    leader = anyio.CancelScope()

    async def lead() -> None:
        with leader:
            await flights.run("key", desk)

    async def ask() -> None:
        got.append(await flights.run("key", desk))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lead)
        await wait_all_tasks_blocked()
        for _ in range(3):
            tasks.start_soon(ask)
        await wait_all_tasks_blocked()
        leader.cancel()
        await wait_all_tasks_blocked()
        assert desk.calls == 2
        desk.gate.set()

    assert got == [2, 2, 2]
    assert leader.cancelled_caught


async def test_a_cancelled_waiter_costs_the_others_nothing() -> None:
    desk, flights, got = Desk(), InFlight[int](), list[int]()
    waiter = anyio.CancelScope()

    async def ask() -> None:
        got.append(await flights.run("key", desk))

    async def wait() -> None:
        with waiter:
            await ask()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await wait_all_tasks_blocked()
        tasks.start_soon(wait)
        tasks.start_soon(ask)
        await wait_all_tasks_blocked()
        waiter.cancel()
        await wait_all_tasks_blocked()
        desk.gate.set()

    assert (got, desk.calls) == ([1, 1], 1)


async def test_when_all_are_cancelled_nothing_is_left_behind() -> None:
    desk, flights = Desk(), InFlight[int]()

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(flights.run, "key", desk)
        await wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()

    assert (desk.calls, len(flights)) == (1, 0)


async def test_leader_and_first_waiter_cancelled_together_leave_the_call_to_the_second() -> None:
    desk, flights, got = Desk(), InFlight[int](), list[int]()
    two = anyio.CancelScope()

    async def ask() -> None:
        got.append(await flights.run("key", desk))

    async with anyio.create_task_group() as tasks:

        async def ask_both() -> None:
            with two:
                async with anyio.create_task_group() as pair:
                    pair.start_soon(flights.run, "key", desk)
                    await wait_all_tasks_blocked()
                    pair.start_soon(flights.run, "key", desk)

        tasks.start_soon(ask_both)
        await wait_all_tasks_blocked()
        tasks.start_soon(ask)
        await wait_all_tasks_blocked()
        two.cancel()
        await wait_all_tasks_blocked()
        desk.gate.set()

    assert (got, desk.calls) == ([2], 2)
