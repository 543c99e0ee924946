"""Worker pool: a bounded number of long-lived tasks that share a queue of work.

To start a task for each probe would take a tenth of the time of a live call, and a thousand tasks
that wait for sixty-four slots would take even more. So a few workers serve one queue, first come,
first served. A worker is started when work is submitted, no worker is idle, and the maximum is not
reached. A worker that finds the queue empty waits for its own event. The workers end when their
task group is cancelled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import anyio
from anyio.abc import TaskGroup

DEFAULT_WORKERS = 64

Work = Callable[[], Awaitable[None]]


class WorkerPool:
    """A pool of at most *size* workers in *tasks*. An error in any work ends the task group."""

    def __init__(self, tasks: TaskGroup, size: int) -> None:
        if size < 1:
            raise ValueError(f"a worker pool needs at least one worker, got {size}")
        self._tasks = tasks
        self._size = size
        self._started = 0
        self._queue: deque[Work] = deque()
        self._idle: list[anyio.Event] = []

    def submit(self, work: Work) -> None:
        """Add *work* to the queue. It starts as soon as a worker is free."""
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


@contextmanager
def unwrapped() -> Iterator[None]:
    """Raise the first error of an exception group by itself, without the group."""
    try:
        yield
    except BaseExceptionGroup as group:
        error = _first_leaf(group)
        raise error from error.__cause__  # keep its own cause; the group would hide it


def _first_leaf(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error in *group*. The others are copies or consequences of it."""
    first = group.exceptions[0]
    return _first_leaf(first) if isinstance(first, BaseExceptionGroup) else first
