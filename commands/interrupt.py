"""Ctrl-C and SIGTERM: the first stops a run cleanly, the second at once."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import anyio

from ..engine.errors import RunStopped


@asynccontextmanager
async def stoppable(
    abandon: Callable[[], None],
    in_flight: Callable[[], int],
    say: Callable[[str], None],
    *,
    state: Callable[[], Sequence[str]] = tuple,
    signals: bool = True,
) -> AsyncIterator[None]:
    """Turn a signal inside the block into RunStopped, after attempts under way have ended.

    Attempts that were sent are paid for: their pools wait for them, and the cache keeps their
    answers. A second signal calls *abandon*, which gives them up. SIGUSR1 stops nothing: it has the
    lines of *state* said. Without *signals* nothing is
    listened for: who calls us as a library has handlers of its own, and may be in any thread.
    """
    if not signals:
        yield
        return
    body = anyio.CancelScope()

    async def watch() -> None:
        watched = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
        with anyio.open_signal_receiver(*watched) as received:
            async for number in received:
                if number == signal.SIGUSR1:
                    for line in state():
                        say(line)
                    continue
                if body.cancel_called:
                    abandon()
                    continue
                body.cancel()
                if waiting := in_flight():
                    say(f"stopping: waiting for {waiting} calls under way (again to drop them)")

    try:
        async with anyio.create_task_group() as watcher:
            watcher.start_soon(watch)
            with body:
                yield
            watcher.cancel_scope.cancel()
    except BaseExceptionGroup as group:  # the watcher raises nothing: it is the body's error
        raise group.exceptions[0] from group
    if body.cancelled_caught:
        raise RunStopped("interrupted", cause="interrupted")
