"""Worker pool: a bounded number of tasks, first come, first served."""

from __future__ import annotations

from functools import partial

import anyio
import pytest
from anyio.lowlevel import checkpoint

from hydrometer.engine.calls.workers import WorkerPool, unwrapped


class Broken(Exception):
    """What a piece of work may raise."""


async def settle() -> None:
    """Wait until every other task waits."""
    await anyio.wait_all_tasks_blocked()


@pytest.mark.parametrize("size", [0, -1])
async def test_a_pool_needs_a_worker(size: int) -> None:
    async with anyio.create_task_group() as tasks:
        with pytest.raises(ValueError, match=rf"needs at least one worker, got {size}$"):
            WorkerPool(tasks, size)


@pytest.mark.parametrize("size", [1, 3, 50])
async def test_as_many_run_at_once_as_there_are_workers_and_no_more(size: int) -> None:
    inside, most, done = 0, 0, 0

    async def work() -> None:
        nonlocal inside, most, done
        inside += 1
        most = max(most, inside)
        for _ in range(5):
            await checkpoint()
        inside -= 1
        done += 1

    async with anyio.create_task_group() as tasks:
        pool = WorkerPool(tasks, size)
        for _ in range(40):
            pool.submit(work)
        await settle()
        tasks.cancel_scope.cancel()

    assert (most, done) == (min(size, 40), 40)


async def test_work_begins_in_the_order_in_which_it_was_submitted() -> None:
    begun: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)
        for _ in range(number % 4):
            await checkpoint()

    async with anyio.create_task_group() as tasks:
        pool = WorkerPool(tasks, 3)
        for number in range(30):
            pool.submit(partial(work, number))
        await settle()
        tasks.cancel_scope.cancel()

    assert begun == list(range(30))


async def test_an_idle_worker_is_used_again_before_another_is_started() -> None:
    done: list[int] = []
    workers: list[int] = []

    async def work(number: int) -> None:
        workers.append(anyio.get_current_task().id)
        await checkpoint()
        done.append(number)

    async with anyio.create_task_group() as tasks:
        pool = WorkerPool(tasks, 8)
        for number in range(5):
            pool.submit(partial(work, number))
            await settle()
        alone = len(set(workers))
        for number in range(5, 9):
            pool.submit(partial(work, number))
        await settle()
        tasks.cancel_scope.cancel()

    assert alone == 1
    assert len(set(workers)) == 4
    assert done == list(range(9))


async def test_work_may_submit_more_work_even_with_one_worker() -> None:
    done: list[str] = []

    async with anyio.create_task_group() as tasks:
        pool = WorkerPool(tasks, 1)

        async def second() -> None:
            done.append("second")

        async def first() -> None:
            pool.submit(second)
            await checkpoint()
            done.append("first")

        pool.submit(first)
        await settle()
        tasks.cancel_scope.cancel()

    assert done == ["first", "second"]


async def test_an_error_ends_the_group_the_work_in_flight_and_the_queue() -> None:
    cancelled: list[int] = []
    begun: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)
        if number == 2:
            await settle()
            raise Broken(number)
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            cancelled.append(number)
            raise

    async def submit_all() -> None:
        with unwrapped():
            async with anyio.create_task_group() as tasks:
                pool = WorkerPool(tasks, 3)
                for number in range(9):
                    pool.submit(partial(work, number))

    with pytest.raises(Broken, match=r"^2$"):
        await submit_all()

    assert begun == [0, 1, 2]
    assert sorted(cancelled) == [0, 1]


async def test_cancelling_the_group_ends_idle_and_busy_workers_and_drops_the_queue() -> None:
    ended: list[int] = []
    begun: list[int] = []

    async def work(number: int) -> None:
        begun.append(number)
        if number == 0:
            return
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(number)

    async with anyio.create_task_group() as tasks:
        pool = WorkerPool(tasks, 2)
        for number in range(5):
            pool.submit(partial(work, number))
        await settle()
        tasks.cancel_scope.cancel()

    assert begun == [0, 1, 2]
    assert sorted(ended) == [1, 2]


async def test_an_idle_pool_keeps_its_group_open_until_it_is_cancelled() -> None:
    async def nothing() -> None:
        return None

    with anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            WorkerPool(tasks, 1).submit(nothing)
            await settle()
            scope.cancel()

    assert scope.cancelled_caught


def test_the_first_error_of_nested_groups_is_raised_by_itself_with_its_own_cause() -> None:
    cause = KeyError("why")
    first = Broken("first")
    first.__cause__ = cause
    group = BaseExceptionGroup("", [ExceptionGroup("", [first, ValueError()]), Broken("second")])

    with pytest.raises(Broken) as raised, unwrapped():
        raise group

    assert raised.value is first
    assert raised.value.__cause__ is cause


def test_an_error_without_a_group_is_raised_as_it_is() -> None:
    error = Broken("alone")

    with pytest.raises(Broken) as raised, unwrapped():
        raise error

    assert raised.value is error
