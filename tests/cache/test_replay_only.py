from __future__ import annotations

import msgspec
import pytest

from hydrometer.cache.cached import AnsweredCall
from hydrometer.cache.entry import encode_entry
from hydrometer.cache.errors import CacheMiss, EntryDamaged
from hydrometer.cache.inspection.miss_report import find_nearest
from hydrometer.cache.keys import request_key, with_key
from hydrometer.cache.replay_only import ReplayOnly
from hydrometer.cache.store import MemoryStore
from hydrometer.providers.types import Message, Request, Sampling
from hydrometer.testing import make_request, make_response


async def _stored(*requests: Request) -> MemoryStore:
    store = MemoryStore()
    for request in requests:
        await store.add(
            request_key(request), encode_entry(request_key(request), request, make_response("kept"))
        )
    return store


async def _miss(request: Request, *stored: Request) -> str:
    with pytest.raises(CacheMiss) as miss:
        await ReplayOnly(await _stored(*stored), pool="qwen").complete(with_key(request))
    assert miss.value.request_key == request_key(request)
    return str(miss.value)


def _warm(request: Request) -> Request:
    return msgspec.structs.replace(request, sampling=Sampling(temperature=0.7, max_tokens=64))


async def test_what_is_stored_is_answered() -> None:
    class Calls:
        seen: tuple[AnsweredCall, ...] = ()

        def call_ended(self, call: AnsweredCall) -> None:
            self.seen += (call,)

    calls, request = Calls(), make_request()
    replay = ReplayOnly(
        await _stored(request), pool="qwen", observer=calls, now=iter((1.0, 3.5)).__next__
    )

    assert await replay.complete(with_key(request)) == make_response("kept")
    assert calls.seen == (
        AnsweredCall(
            key=request_key(request),
            pool="qwen",
            source="cache",
            took_s=2.5,
            response=make_response("kept"),
        ),
    )


async def test_a_miss_names_the_request_and_the_field_that_differs() -> None:
    request = make_request("Which team developed you?", identity="http:qwen")
    stored = _warm(request)

    message = await _miss(request, make_request("Which team?"), stored)

    assert message == (
        f"no stored answer for http:qwen (key {request_key(request)[:12]}..., "
        f'"Which team developed you?"): nearest entry {request_key(stored)[:12]}... '
        "differs in sampling.temperature (0.0 here, 0.7 stored)"
    )


async def test_a_miss_shows_no_more_than_the_beginning_of_a_text() -> None:
    message = await _miss(make_request("line one\n" + "x" * 100))

    assert f'..., "line one\\n{"x" * 51}...")' in message


async def test_a_miss_in_an_empty_store_says_so() -> None:
    message = await _miss(make_request())

    assert message.endswith(": the cache holds no entry to compare it with")


_WANTED = make_request("Which team developed you?")
_ELSEWHERE = make_request("Which team developed you?", identity="fake:other")
_DRAWN = make_request("Which team developed you?", draw=3)
_NEAR = make_request("Which team developed your model?")
_FAR = make_request("In which city are you?")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("stored", "difference"),
    [
        ((_FAR, _NEAR, _ELSEWHERE, _DRAWN, _warm(_WANTED)), "sampling.temperature (0.0 here, "),
        ((_FAR, _NEAR, _ELSEWHERE, _DRAWN), "draw (0 here, 3 stored)"),
        ((_FAR, _NEAR, _warm(_DRAWN), _ELSEWHERE), 'identity ("fake:model" here, "fake:other"'),
        ((_FAR, _NEAR, _warm(_DRAWN)), "sampling.temperature (0.0 here, 0.7 stored) and in 1 more"),
        (
            (_FAR, _NEAR),
            'messages[0].content ("...h team developed you?" here, '
            '"...h team developed your model?" stored)',
        ),
    ],
)
async def test_the_nearest_entry_shares_the_text_then_most_fields(
    stored: tuple[Request, ...], difference: str
) -> None:
    message = await _miss(_WANTED, *stored)

    assert f"differs in {difference}" in message


async def test_another_number_of_messages_is_named_as_such() -> None:
    longer = msgspec.structs.replace(
        _WANTED, messages=(Message(role="system", content="Be brief."), *_WANTED.messages)
    )

    assert "differs in messages (1 here, 2 stored)" in await _miss(_WANTED, longer)


async def test_only_the_first_miss_of_a_replay_searches_the_store() -> None:
    class CountingStore(MemoryStore):
        reads = 0

        def get(self, key: str) -> bytes | None:
            self.reads += 1
            return super().get(key)

    store = CountingStore()
    await store.add(request_key(_FAR), encode_entry(request_key(_FAR), _FAR, make_response()))
    replay = ReplayOnly(store, pool="qwen")

    messages = []
    for request in (_WANTED, _NEAR):
        with pytest.raises(CacheMiss) as miss:
            await replay.complete(with_key(request))
        messages.append(str(miss.value))

    assert ["nearest entry" in message for message in messages] == [True, False]
    assert messages[1] == (
        f"no stored answer for fake:model (key {request_key(_NEAR)[:12]}..., "
        '"Which team developed your model?")'
    )
    assert store.reads == 3


async def test_the_search_is_bounded_and_ties_go_to_the_older_entry() -> None:
    store = await _stored(_FAR, make_request(draw=1), _DRAWN, make_request(_text(_DRAWN), draw=2))

    first, best = find_nearest(_WANTED, store, limit=1), find_nearest(_WANTED, store)

    assert first is not None
    assert first.request == _FAR
    assert best is not None
    assert best.request == _DRAWN


async def test_a_damaged_entry_does_not_hide_the_miss() -> None:
    store = await _stored(_DRAWN)
    await store.add("damaged", b"damaged")

    with pytest.raises(CacheMiss, match=r"differs in draw"):
        await ReplayOnly(store, pool="qwen").complete(with_key(_WANTED))


async def test_a_damaged_answer_is_damage_and_no_miss() -> None:
    store = MemoryStore()
    await store.add(request_key(_WANTED), b"damaged")

    with pytest.raises(EntryDamaged, match="restore memory from a copy"):
        await ReplayOnly(store, pool="qwen").complete(with_key(_WANTED))


def _text(request: Request) -> str:
    return request.messages[-1].content
