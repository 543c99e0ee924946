"""Fakes that tests share: real classes with the real methods."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import TypeVar

import anyio

from hydrometer.providers.base import AdapterReply, Attempt, Provider
from hydrometer.providers.quota import Quota
from hydrometer.providers.types import Message, Request, Response, Sampling, Usage

T = TypeVar("T")


def make_request(
    text: str = "Who made you?", *, identity: str = "fake:model", draw: int = 0
) -> Request:
    return Request(
        identity=identity,
        messages=(Message(role="user", content=text),),
        sampling=Sampling(temperature=0.0, max_tokens=64),
        draw=draw,
    )


def make_response(text: str = "hi") -> Response:
    return Response(text=text, usage=Usage(input_tokens=3, output_tokens=1), model="fake")


class ScriptedProvider:
    """Plays its script in order, raising what is an exception; then repeats the last item."""

    def __init__(self, *script: Response | Exception) -> None:
        self._script = list(script)
        self.requests: list[Request] = []

    async def complete(self, request: Request) -> Response:
        self.requests.append(request)
        await anyio.lowlevel.checkpoint()
        item = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(item, Exception):
            raise item
        return item


class FunctionProvider:
    """Answers with what a function of the request says."""

    def __init__(self, answer: Callable[[Request], Response | Exception]) -> None:
        self._answer = answer
        self.requests: list[Request] = []

    async def complete(self, request: Request) -> Response:
        self.requests.append(request)
        await anyio.lowlevel.checkpoint()
        item = self._answer(request)
        if isinstance(item, Exception):
            raise item
        return item


class GatedProvider:
    """Holds every request until its gate is opened; counts how many are inside."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self.gate = anyio.Event()
        self.entered = 0
        self.cancelled = 0

    async def complete(self, request: Request) -> Response:
        self.entered += 1
        try:
            await self.gate.wait()
        except anyio.get_cancelled_exc_class():
            self.cancelled += 1
            raise
        return self._response


class AdapterOf:
    """Sends requests to *provider*; each reply carries *quota*."""

    def __init__(self, provider: Provider, quota: Quota | None = None) -> None:
        self._provider = provider
        self._quota = quota

    async def send(self, request: Request) -> AdapterReply:
        response = await self._provider.complete(request)
        return AdapterReply(response=response, quota=self._quota)


class FakeClock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds
        await anyio.lowlevel.checkpoint()


class ListObserver:
    """Keeps every attempt that it receives."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []

    def attempt_ended(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer whenever nothing else is left to do.

    Minutes of waiting pass in milliseconds, in the very order in which they would have passed.
    Only for tests that do no I/O: nobody looks whether any arrives.
    """

    def __init__(self) -> None:
        super().__init__(_JumpingSelector(self))
        self.virtual_s = 0.0

    def time(self) -> float:
        return self.virtual_s


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits, and for no timer"
        self._loop.virtual_s += timeout
        return []


class LoopClock:
    """The clock of the loop that runs: a SystemClock for a VirtualLoop."""

    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


def run_in_virtual_time(main: Callable[[], Coroutine[None, None, T]]) -> T:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())
