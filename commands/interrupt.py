"""Ctrl-C and SIGTERM: the first stops a run cleanly, the second at once."""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from types import FrameType

import anyio

from ..engine.errors import RunStopped

STOPS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptible() -> Iterator[None]:
    """Have Ctrl-C and SIGTERM raise KeyboardInterrupt inside the block, which ends a command.

    An event loop takes Ctrl-C for itself and cancels its task; so it does for SIGTERM.
    """

    def pass_on(number: int, frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    with (
        _handled((signal.SIGINT,), signal.default_int_handler),
        _handled((signal.SIGTERM,), pass_on),
    ):
        yield


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
    lines of *state* said. Without *signals* nothing is listened for: who calls us as a library has
    handlers of its own, and may be in any thread.
    """
    if not signals:
        yield
        return
    body = anyio.CancelScope()
    received = _Received()

    async def watch() -> None:
        while True:
            number = await received.next()
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
        with _handled((*STOPS, signal.SIGUSR1), received.add):
            async with anyio.create_task_group() as watcher:
                watcher.start_soon(watch)
                with body:
                    yield
                watcher.cancel_scope.cancel()
    except BaseExceptionGroup as group:  # the watcher raises nothing: it is the body's error
        error = group.exceptions[0]
        raise error from error.__cause__
    if body.cancel_called or received.asks_to_stop():  # even when too late to cancel anything
        raise RunStopped("interrupted", cause="interrupted")


class _Received:
    """The signals that have come and were not looked at yet."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._numbers: deque[int] = deque()
        self._came = asyncio.Event()

    def add(self, number: int, frame: FrameType | None) -> None:
        self._numbers.append(number)
        self._loop.call_soon_threadsafe(self._came.set)  # wakes a loop that waits for I/O

    async def next(self) -> int:
        while not self._numbers:
            self._came.clear()
            await self._came.wait()
        return self._numbers.popleft()

    def asks_to_stop(self) -> bool:
        return any(number in STOPS for number in self._numbers)


@contextmanager
def _handled(
    numbers: Sequence[signal.Signals], handler: Callable[[int, FrameType | None], object]
) -> Iterator[None]:
    """Handle *numbers* inside the block, and as before after it.

    An event loop's own handlers leave the default behind them, and SIGUSR1's kills.
    """
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, handled in before.items():
            signal.signal(number, handled)
