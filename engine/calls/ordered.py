"""Work that may end in any order, applied in the order in which it was given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TypeVar

import anyio

from ...cache.errors import CacheMiss
from .caller import unwrapped
from .workers import WorkerPool

J = TypeVar("J")
R = TypeVar("R")

AHEAD = 4  # pieces under way or waiting for their turn, for each worker


async def map_in_order(
    jobs: Iterable[J],
    work: Callable[[J], Awaitable[R]],
    apply: Callable[[R], None],
    *,
    at_once: int,
) -> None:
    """Do *work* on all *jobs*, *at_once* of them, and *apply* the results one by one in order.

    A slow piece holds up only those that are too far ahead of it, so memory stays flat. A miss in
    a replay is raised when its turn comes: what was recorded before it can then be compared.
    Raises what *work* and *apply* raise, unwrapped.
    """
    room = anyio.Semaphore(at_once * AHEAD)
    early: dict[int, R | CacheMiss] = {}
    turn = 0

    async def do(number: int, job: J) -> None:
        nonlocal turn
        try:
            with unwrapped():  # calls that were sent together miss as a group
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
            crew = WorkerPool(tasks, at_once)
            for number, job in enumerate(jobs):
                await room.acquire()
                crew.submit(partial(do, number, job))
            for _ in range(at_once * AHEAD):
                await room.acquire()
            tasks.cancel_scope.cancel()  # the crew is idle
