"""Ordered map: jobs run concurrently, and their results are applied in the order of the jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TypeVar

import anyio

from ...cache.errors import CacheMiss
from .workers import WorkerPool, unwrapped

J = TypeVar("J")
R = TypeVar("R")

AHEAD = 4  # jobs per worker that are in progress or wait until their result can be applied


async def map_in_order(
    jobs: Iterable[J],
    work: Callable[[J], Awaitable[R]],
    apply: Callable[[R], None],
    *,
    workers: int,
) -> None:
    """Run *work* on all *jobs*, *workers* at a time, and *apply* each result in the jobs' order.

    At most *workers* * AHEAD jobs are started but not applied, so memory stays constant, and a slow
    job delays only jobs that are further ahead. A cache miss is raised when the results before it
    have been applied, so a replay compares everything that was recorded before the miss. Errors of
    *work* and *apply* are raised without an exception group.
    """
    room = anyio.Semaphore(workers * AHEAD)
    early: dict[int, R | CacheMiss] = {}
    turn = 0

    async def do(number: int, job: J) -> None:
        nonlocal turn
        try:
            with unwrapped():  # several calls of one job may miss, as an exception group
                early[number] = await work(job)
        except CacheMiss as miss:
            early[number] = miss
        while turn in early:
            result = early.pop(turn)
            if isinstance(result, CacheMiss):
                raise result
            apply(result)
            turn += 1
            room.release()

    with unwrapped():
        async with anyio.create_task_group() as tasks:
            pool = WorkerPool(tasks, workers)
            for number, job in enumerate(jobs):
                await room.acquire()
                pool.submit(partial(do, number, job))
            for _ in range(workers * AHEAD):
                await room.acquire()
            tasks.cancel_scope.cancel()  # every worker is idle
