"""Virtual time: an event loop and clocks in which waiting takes no real time.

A test of a rate limit, a cooldown or a backoff would have to wait for minutes. In virtual time the
same code runs in milliseconds, and its timers fire in the same order.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import TypeVar

import anyio.lowlevel

T = TypeVar("T")


class FakeClock:
    """A clock that moves only when somebody sleeps; use it to check how long code waits.

    It needs no special event loop. Tasks that sleep at the same time move it one after the other;
    where several tasks wait, use run_in_virtual_time. *time* and *slept* are in seconds.
    """

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        """Return the seconds slept so far, plus what a test added to *time*."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Move the clock by *seconds*, and let other tasks run."""
        self.slept.append(seconds)
        self.time += seconds
        await anyio.lowlevel.checkpoint()


class LoopClock:
    """The clock of the event loop that runs: what SystemClock is outside a VirtualLoop."""

    def now(self) -> float:
        """Return the seconds on the clock of the running loop."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait, cancellably."""
        await anyio.sleep(seconds)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer whenever nothing else is left to do.

    *virtual_s* is the time in seconds. Only for code that does no I/O and starts no threads: this
    loop never looks whether any input has arrived. Raises RuntimeError if every task waits and no
    timer is set, because nothing could ever wake them.
    """

    def __init__(self) -> None:
        super().__init__(_JumpingSelector(self))
        self.virtual_s = 0.0

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self.virtual_s


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("deadlock in virtual time: every task waits and no timer is set")
        self._loop.virtual_s += timeout
        return []


def run_in_virtual_time(main: Callable[[], Coroutine[None, None, T]]) -> T:
    """Run ``main()`` in a VirtualLoop and return its result; pass on what it raises.

    Give the code under test a LoopClock: SystemClock reads the machine's clock, which does not
    jump.
    """
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())
