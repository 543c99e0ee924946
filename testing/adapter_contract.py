"""Adapter contract: what every adapter must do, as tests to inherit. It needs pytest.

Inherit from AdapterContract in a test module, and override the two fixtures::

    class TestParrot(AdapterContract):
        @pytest.fixture
        def adapter(self) -> OpenAdapter:
            return open_parrot

        @pytest.fixture
        def settings(self) -> ModelSettings:
            return ModelSettings(provider="parrot", model="polly", options={...})

pytest runs the inherited tests with those of your own. For an adapter that speaks the
OpenAI-compatible protocol, use HttpAdapterContract, which tests this contract too. Put
``pytest.register_assert_rewrite("hydrometer.testing.adapter_contract")`` into conftest.py to see
the values in a failed assertion.
"""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import anyio
import msgspec
import pytest

from ..cache.entry import decode_response, encode_entry
from ..cache.keys import request_key
from ..providers.base import Adapter, AdapterReply, OpenAdapter
from ..providers.errors import ProviderError
from ..providers.quota import Quota
from ..providers.settings import ModelSettings
from ..providers.types import Message, Mode, Request, Response, Sampling
from .memory_stack import open_stack

KEY = "Planted.Key~0123456789"
PROMPT = "Who made you? 谁创造了你？"
SLOTS = 2
HANG_S = 60.0  # what takes longer hangs

SAMPLINGS: Mapping[str, Sampling] = {
    "none": Sampling(),
    "greedy": Sampling(temperature=0.0, max_tokens=1),
    "all": Sampling(temperature=1.0, top_p=0.5, max_tokens=64, seed=7, stop=("\n", "END")),
}


def ask(*texts: str, mode: Mode = "chat", sampling: Sampling | None = None) -> Request:
    """Return a request whose turns are *texts*, the user's first; by default one short question."""
    return Request(
        identity="test",
        mode=mode,
        messages=tuple(
            Message(role="assistant" if number % 2 else "user", content=text)
            for number, text in enumerate(texts or (PROMPT,))
        ),
        sampling=sampling or Sampling(temperature=0.0, max_tokens=64),
    )


def require_storable(request: Request, reply: AdapterReply) -> Response:
    """Return the response of *reply* after checking that the cache can keep and return it."""
    assert isinstance(reply, AdapterReply)
    assert isinstance(reply.quota, Quota | None)
    key = request_key(request)
    assert decode_response(key, encode_entry(key, request, reply.response)) == reply.response
    return reply.response


@pytest.mark.anyio
class AdapterContract:
    """What every adapter must do. Override the fixtures *adapter* and *settings*.

    *settings* are those of a model that answers. Adapters are opened for SLOTS calls at once, with
    the key KEY.
    """

    @pytest.fixture
    def adapter(self) -> OpenAdapter:
        """What opens the adapter under test."""
        raise NotImplementedError("override the fixture adapter")

    @pytest.fixture
    def settings(self) -> ModelSettings:
        """The settings of a model that answers."""
        raise NotImplementedError("override the fixture settings")

    @pytest.fixture
    def anyio_backend(self) -> str:
        """The event loop under the tests: Hydrometer runs on asyncio."""
        return "asyncio"

    @asynccontextmanager
    async def open(self, adapter: OpenAdapter, settings: ModelSettings) -> AsyncIterator[Adapter]:
        """Open the adapter as a pool would."""
        with anyio.fail_after(HANG_S):
            async with adapter(settings, slots=SLOTS, api_key=KEY, headers={}) as opened:
                yield opened

    async def test_answer_can_be_stored_and_read_again(
        self, adapter: OpenAdapter, settings: ModelSettings
    ) -> None:
        request = ask()

        async with self.open(adapter, settings) as opened:
            reply = await opened.send(request)

        require_storable(request, reply)

    async def test_conversation_of_several_turns_is_answered(
        self, adapter: OpenAdapter, settings: ModelSettings
    ) -> None:
        talk = ask("Hello.", "Hello! How can I help?", PROMPT)
        system = Message(role="system", content="You answer in one sentence.")
        request = msgspec.structs.replace(talk, messages=(system, *talk.messages))

        async with self.open(adapter, settings) as opened:
            reply = await opened.send(request)

        require_storable(request, reply)

    @pytest.mark.parametrize("mode", ["chat", "completion", "embedding"])
    async def test_each_mode_is_answered_or_refused_with_a_provider_error(
        self, adapter: OpenAdapter, settings: ModelSettings, mode: Mode
    ) -> None:
        request = ask(mode=mode)

        async with self.open(adapter, settings) as opened:
            try:
                response = require_storable(request, await opened.send(request))
            except ProviderError:
                return

        if mode == "embedding":
            msgspec.json.decode(response.text, type=list[float])

    @pytest.mark.parametrize("name", sorted(SAMPLINGS))
    async def test_each_sampling_is_answered_or_refused_with_a_provider_error(
        self, adapter: OpenAdapter, settings: ModelSettings, name: str
    ) -> None:
        request = ask(sampling=SAMPLINGS[name])

        async with self.open(adapter, settings) as opened:
            try:
                reply = await opened.send(request)
            except ProviderError:
                return

        require_storable(request, reply)

    async def test_every_slot_takes_a_call(
        self, adapter: OpenAdapter, settings: ModelSettings
    ) -> None:
        requests = [ask(f"{PROMPT} {number}") for number in range(SLOTS * 2)]
        replies: dict[int, AdapterReply] = {}

        async def send(opened: Adapter, number: int) -> None:
            replies[number] = await opened.send(requests[number])

        async with self.open(adapter, settings) as opened:
            for first in (0, SLOTS):
                async with anyio.create_task_group() as tasks:
                    for number in range(first, first + SLOTS):
                        tasks.start_soon(send, opened, number)

        assert sorted(replies) == list(range(SLOTS * 2))
        for number, reply in replies.items():
            require_storable(requests[number], reply)

    async def test_call_after_a_cancelled_one_is_answered(
        self, adapter: OpenAdapter, settings: ModelSettings
    ) -> None:
        request = ask()

        async with self.open(adapter, settings) as opened:
            with anyio.CancelScope() as scope:
                scope.cancel()
                await opened.send(request)
            reply = await opened.send(request)

        require_storable(request, reply)

    @pytest.mark.filterwarnings("error")
    def test_it_opens_again_in_another_loop_and_leaves_nothing_open(
        self, adapter: OpenAdapter, settings: ModelSettings
    ) -> None:
        async def send_once() -> AdapterReply:
            async with self.open(adapter, settings) as opened:
                return await opened.send(ask())

        for _ in range(2):
            require_storable(ask(), anyio.run(send_once))
        gc.collect()  # what was left open warns now

    async def test_an_error_inside_the_context_passes_through(
        self, adapter: OpenAdapter, settings: ModelSettings
    ) -> None:
        with pytest.raises(ZeroDivisionError):
            async with self.open(adapter, settings):
                raise ZeroDivisionError

    async def test_key_is_not_shown(self, adapter: OpenAdapter, settings: ModelSettings) -> None:
        async with self.open(adapter, settings) as opened:
            assert KEY not in f"{opened!r} {opened}"

    async def test_settings_are_left_as_they_are(
        self, adapter: OpenAdapter, settings: ModelSettings
    ) -> None:
        before = msgspec.json.encode(settings)

        async with self.open(adapter, settings) as opened:
            await opened.send(ask())

        assert msgspec.json.encode(settings) == before

    async def test_stored_answer_is_not_asked_for_again(
        self, adapter: OpenAdapter, settings: ModelSettings
    ) -> None:
        named = msgspec.structs.replace(settings, provider="under-test", slots=SLOTS)

        with anyio.fail_after(HANG_S):
            async with open_stack(named, adapter) as stack:
                answers = [await stack.complete(ask()) for _ in range(2)]

        assert answers[0] == answers[1]
        assert [call.source for call in stack.observed.calls] == ["sent", "cache"]
        assert [attempt.error for attempt in stack.observed.attempts] == [""]
