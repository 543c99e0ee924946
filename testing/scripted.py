"""Scripted models: providers and adapters that answer as a test says, and record what they got."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio
import anyio.lowlevel

from ..cache.cached import AnsweredCall
from ..providers.base import Adapter, AdapterReply, Attempt, OpenAdapter, Provider
from ..providers.quota import Quota
from ..providers.settings import ModelSettings
from ..providers.types import Message, Request, Response, Sampling, Usage


def make_request(
    text: str = "Who made you?", *, identity: str = "fake:model", draw: int = 0
) -> Request:
    """Return a chat request with one user message, at temperature 0."""
    return Request(
        identity=identity,
        messages=(Message(role="user", content=text),),
        sampling=Sampling(temperature=0.0, max_tokens=64),
        draw=draw,
    )


def make_response(text: str = "hi") -> Response:
    """Return a response that used 3 input tokens and 1 output token."""
    return Response(text=text, usage=Usage(input_tokens=3, output_tokens=1), model="fake")


class ScriptedProvider:
    """Plays its script in order, raising what is an exception; then repeats the last item.

    *requests* are those that it was sent. Raises ValueError for an empty script.
    """

    def __init__(self, *script: Response | Exception) -> None:
        if not script:
            raise ValueError("a script needs at least one response or exception")
        self._script = list(script)
        self.requests: list[Request] = []

    async def complete(self, request: Request) -> Response:
        """Return the next response of the script, or raise the next exception."""
        self.requests.append(request)
        await anyio.lowlevel.checkpoint()
        item = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(item, Exception):
            raise item
        return item


class FunctionProvider:
    """Answers with what a function of the request returns; raises it where it is an exception.

    *requests* are those that it was sent.
    """

    def __init__(self, answer: Callable[[Request], Response | Exception]) -> None:
        self._answer = answer
        self.requests: list[Request] = []

    async def complete(self, request: Request) -> Response:
        """Return what the function makes of *request*."""
        self.requests.append(request)
        await anyio.lowlevel.checkpoint()
        item = self._answer(request)
        if isinstance(item, Exception):
            raise item
        return item


class GatedProvider:
    """Holds every request until *gate* is set; counts how many *entered* and were *cancelled*."""

    def __init__(self, response: Response) -> None:
        self._response = response
        self.gate = anyio.Event()
        self.entered = 0
        self.cancelled = 0

    async def complete(self, request: Request) -> Response:
        """Return the response once the gate is set."""
        self.entered += 1
        try:
            await self.gate.wait()
        except anyio.get_cancelled_exc_class():
            self.cancelled += 1
            raise
        return self._response


class AdapterOf:
    """An adapter that sends requests to *provider*; each reply carries *quota*."""

    def __init__(self, provider: Provider, quota: Quota | None = None) -> None:
        self._provider = provider
        self._quota = quota

    async def send(self, request: Request) -> AdapterReply:
        """Return the provider's response with the quota, or raise the provider's error."""
        response = await self._provider.complete(request)
        return AdapterReply(response=response, quota=self._quota)


def opener_of(adapter: Adapter) -> OpenAdapter:
    """Return an OpenAdapter that gives *adapter* to everybody, whatever the settings."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Adapter]:
        yield adapter

    def open_adapter(
        settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[Adapter]:
        return opened()

    return open_adapter


class ListObserver:
    """Keeps every attempt and every answered call that is reported to it."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []
        self.calls: list[AnsweredCall] = []

    def attempt_ended(self, attempt: Attempt) -> None:
        """Keep one attempt: a request that was sent, however it ended."""
        self.attempts.append(attempt)

    def call_ended(self, call: AnsweredCall) -> None:
        """Keep one answered call: a response that was sent for, shared or found in the store."""
        self.calls.append(call)
