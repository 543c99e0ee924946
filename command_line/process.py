"""Process settings that only the command line changes: signal handlers and garbage collection.

The Python API never calls this module. The first Ctrl-C or SIGTERM stops a run after the calls in
flight have ended. The second one drops those calls. If the event loop has not even read the first
one by then, something blocks it, such as a plug-in that never returns: the second one raises
KeyboardInterrupt there.
"""

from __future__ import annotations

import gc
import signal
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Protocol

from ..engine.errors import RunStopped
from ..engine.plurals import counted

STOPS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM raise KeyboardInterrupt inside the block.

    An event loop replaces the handler of SIGINT by its own, which cancels the main task. SIGTERM is
    turned into SIGINT, so the loop handles it in the same way.
    """

    def raise_sigint(number: int, frame: FrameType | None) -> None:
        signal.raise_signal(signal.SIGINT)

    with (
        _handled((signal.SIGINT,), signal.default_int_handler),
        _handled((signal.SIGTERM,), raise_sigint),
    ):
        yield


@contextmanager
def tuned_gc() -> Iterator[None]:
    """Raise the thresholds of garbage collection, and freeze existing objects, inside the block.

    A call creates a few hundred short-lived objects, which reference counting frees. By default,
    Python also searches all objects for cycles after every 700 new ones. With the plan, the vendor
    names and the compiled patterns in memory, that takes a seventh of the time of a live call.
    """
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


class Stoppable(Protocol):
    """The methods of a session that the signal handlers use."""

    def abandon(self) -> None:
        """Let cancellation reach the attempts in flight."""
        ...

    def in_flight(self) -> int:
        """Return how many attempts are in flight."""
        ...


@asynccontextmanager
async def stoppable(
    session: Stoppable, say: Callable[[str], None], state: Callable[[], Sequence[str]]
) -> AsyncIterator[None]:
    """Turn a signal inside the block into RunStopped, after the attempts in flight have ended.

    Attempts that were sent must be paid for. So their pools wait for them, and the cache stores
    their answers. A second signal cancels them. It raises KeyboardInterrupt if the first one was
    not read yet, because the event loop is blocked. SIGUSR1 stops nothing. It prints the lines of
    *state*.
    """
    import anyio  # noqa: PLC0415 (a start needs no event loop)

    body = anyio.CancelScope()
    received = _Received(session.abandon)

    async def watch() -> None:
        while True:
            number = await received.next()
            if number == signal.SIGUSR1:
                for line in state():
                    say(line)
                continue
            if body.cancel_called:
                session.abandon()
                continue
            body.cancel()
            if waiting := session.in_flight():
                calls = counted(waiting, "calls")
                say(f"stopping: waiting for {calls} in flight; press Ctrl-C again to drop them")

    try:
        with _handled((*STOPS, signal.SIGUSR1), received.add):
            async with anyio.create_task_group() as watcher:
                watcher.start_soon(watch)
                with body:
                    yield
                watcher.cancel_scope.cancel()
    except BaseExceptionGroup as group:  # the watcher raises nothing, so the block raised this
        error = group.exceptions[0]
        raise error from error.__cause__
    if body.cancel_called or received.asks_to_stop():  # also if the signal came too late to cancel
        raise RunStopped("interrupted", cause="interrupted")


class _Received:
    """Queue of signals that have arrived and were not handled yet.

    *abandon* is called in the event loop if a stop arrives while an earlier one is in the queue.
    """

    def __init__(self, abandon: Callable[[], None]) -> None:
        import asyncio  # noqa: PLC0415 (a start needs no event loop)

        self._abandon = abandon
        self._loop = asyncio.get_running_loop()
        self._numbers: deque[int] = deque()
        self._arrived = asyncio.Event()

    def add(self, number: int, frame: FrameType | None) -> None:
        blocked = number in STOPS and self.asks_to_stop()
        self._numbers.append(number)
        self._loop.call_soon_threadsafe(self._arrived.set)  # wakes the loop if it waits for I/O
        if blocked:
            self._loop.call_soon_threadsafe(self._abandon)
            # The loop ends with all of its tasks. It would print the errors of each one.
            self._loop.set_exception_handler(_ignore)
            raise KeyboardInterrupt

    async def next(self) -> int:
        while not self._numbers:
            self._arrived.clear()
            await self._arrived.wait()
        return self._numbers.popleft()

    def asks_to_stop(self) -> bool:
        return any(number in STOPS for number in self._numbers)


def _ignore(loop: object, context: object) -> None:
    """Print nothing about an error of a task."""


@contextmanager
def _handled(
    numbers: Sequence[signal.Signals], handler: Callable[[int, FrameType | None], object]
) -> Iterator[None]:
    """Handle the signals *numbers* by *handler* inside the block, then restore the old handlers.

    The signal handlers of an event loop are not used: when they are removed, Python sets the
    default action, and the default action of SIGUSR1 kills the process.
    """
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, handled in before.items():
            signal.signal(number, handled)
