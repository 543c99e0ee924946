"""Long-lived tasks that share a queue of work.

A task of its own for every probe would cost a tenth of a live call, and a thousand that wait for
sixty-four slots cost more still. So a bounded number of workers takes what is queued, first come
first served. A worker is started when there is work and nobody idle, up to the bound; one that
finds the queue empty waits for its own event. The task group that they live in ends them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

import anyio
from anyio.abc import TaskGroup

Work = Callable[[], Awaitable[None]]


class WorkerPool:
    """At most *size* workers in *tasks*; what a piece of work raises ends the whole group."""

    def __init__(self, tasks: TaskGroup, size: int) -> None:
        if size < 1:
            raise ValueError(f"a crew needs at least one worker, got {size}")
        self._tasks = tasks
        self._size = size
        self._started = 0
        self._queue: deque[Work] = deque()
        self._idle: list[anyio.Event] = []

    def submit(self, work: Work) -> None:
        """Queue *work*; it begins as soon as a worker is free."""
        self._queue.append(work)
        if self._idle:
            self._idle.pop().set()
        elif self._started < self._size:
            self._started += 1
            self._tasks.start_soon(self._serve)

    async def _serve(self) -> None:
        while True:
            while self._queue:
                await self._queue.popleft()()
            wake = anyio.Event()
            self._idle.append(wake)
            await wake.wait()
