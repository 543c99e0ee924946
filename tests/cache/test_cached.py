from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import anyio
import pytest
from anyio import wait_all_tasks_blocked
from fakes import (
    FunctionProvider,
    GatedProvider,
    ScriptedProvider,
    make_request,
    make_response,
)
from msgspec.structs import replace

from hydrometer.cache.cached import AnsweredCall, Cached
from hydrometer.cache.entry import encode_entry
from hydrometer.cache.errors import CacheUnwritable, EntryDamaged
from hydrometer.cache.keys import request_key
from hydrometer.cache.store import MemoryStore, StoreInfo
from hydrometer.providers.errors import ServiceFailed
from hydrometer.providers.limits.rate_window import estimate_usage
from hydrometer.providers.types import FinishReason, Request, Response

_REQUEST = make_request()
_KEY = request_key(_REQUEST)


class Calls:
    """Keeps every call it is told of."""

    def __init__(self) -> None:
        self.calls: list[AnsweredCall] = []

    def call_ended(self, call: AnsweredCall) -> None:
        self.calls.append(call)


class GatedStore(MemoryStore):
    """A store whose writers wait for its gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = anyio.Event()
        self.entered = 0

    async def add(self, key: str, data: bytes) -> bytes:
        self.entered += 1
        await self.gate.wait()
        return await super().add(key, data)


class FullStore(MemoryStore):
    async def add(self, key: str, data: bytes) -> bytes:
        await anyio.lowlevel.checkpoint()
        raise CacheUnwritable("/cache", "database or disk is full")

    def info(self) -> StoreInfo:
        return StoreInfo(entries=0, size_bytes=0, folder="/cache", key_version=1)


async def test_a_request_is_sent_once_and_answered_from_the_store_after_that() -> None:
    inner, store = ScriptedProvider(make_response("one"), make_response("two")), MemoryStore()
    cached = Cached(inner, store, pool="qwen")

    got = [await cached.complete(_REQUEST) for _ in range(3)]

    assert got == [make_response("one")] * 3
    assert inner.requests == [_REQUEST]
    assert store.get(_KEY) == encode_entry(_KEY, _REQUEST, make_response("one"))


async def test_a_stored_answer_comes_back_without_a_checkpoint() -> None:
    """Driven by hand: whatever waits, for a slot or for the loop, would yield here."""
    store = MemoryStore()
    await store.add(_KEY, encode_entry(_KEY, _REQUEST, make_response("kept")))
    cached = Cached(ScriptedProvider(make_response("sent")), store, pool="qwen")

    with pytest.raises(StopIteration) as ended:
        cached.complete(_REQUEST).send(None)

    assert ended.value.value == make_response("kept")


async def test_another_draw_is_another_request() -> None:
    inner = ScriptedProvider(make_response("one"), make_response("two"))
    cached = Cached(inner, MemoryStore(), pool="qwen")

    got = [await cached.complete(make_request(draw=draw)) for draw in (0, 1, 0)]

    assert got == [make_response("one"), make_response("two"), make_response("one")]


@pytest.mark.anyio
@pytest.mark.parametrize("finish", ["length", "content_filter"])
async def test_refusals_and_truncations_are_answers(finish: FinishReason) -> None:
    response = Response(text="", finish=finish)
    inner = ScriptedProvider(response, make_response("other"))
    cached = Cached(inner, MemoryStore(), pool="qwen")

    assert [await cached.complete(_REQUEST) for _ in range(2)] == [response, response]


async def test_an_error_is_not_stored() -> None:
    store = MemoryStore()
    inner = ScriptedProvider(ServiceFailed("503", status=503), make_response("hi"))
    cached = Cached(inner, store, pool="qwen")

    with pytest.raises(ServiceFailed, match="503"):
        await cached.complete(_REQUEST)

    assert list(store.keys()) == []
    assert await cached.complete(_REQUEST) == make_response("hi")


async def test_identical_requests_share_one_call_until_the_answer_is_stored() -> None:
    """One asks while the first is at the model, one while the first is at the store."""
    inner, store, calls = GatedProvider(make_response("hi")), GatedStore(), Calls()
    cached = Cached(inner, store, pool="qwen", observer=calls)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(cached.complete, _REQUEST)
        await wait_all_tasks_blocked()
        tasks.start_soon(cached.complete, _REQUEST)
        await wait_all_tasks_blocked()
        inner.gate.set()
        await wait_all_tasks_blocked()
        tasks.start_soon(cached.complete, _REQUEST)
        await wait_all_tasks_blocked()
        store.gate.set()

    assert (inner.entered, store.entered) == (1, 1)
    assert [call.source for call in calls.calls] == ["sent", "shared", "shared"]


async def test_a_cancelled_caller_leaves_the_call_to_the_one_who_waits() -> None:
    inner, got, first = GatedProvider(make_response("hi")), list[Response](), anyio.CancelScope()
    cached = Cached(inner, MemoryStore(), pool="qwen")

    async def ask_and_leave() -> None:
        with first:
            await cached.complete(_REQUEST)

    async def ask() -> None:
        got.append(await cached.complete(_REQUEST))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask_and_leave)
        await wait_all_tasks_blocked()
        tasks.start_soon(ask)
        await wait_all_tasks_blocked()
        first.cancel()
        await wait_all_tasks_blocked()
        inner.gate.set()

    assert got == [make_response("hi")]
    assert (inner.entered, inner.cancelled) == (2, 1)


async def test_an_answer_that_arrived_is_stored_though_its_caller_is_cancelled_meanwhile() -> None:
    inner, store = ScriptedProvider(make_response("paid for")), GatedStore()
    cached = Cached(inner, store, pool="qwen")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(cached.complete, _REQUEST)
        await wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
        store.gate.set()

    assert store.get(_KEY) == encode_entry(_KEY, _REQUEST, make_response("paid for"))


async def test_an_answer_is_stored_though_its_caller_was_cancelled_as_it_arrived() -> None:
    store = MemoryStore()
    with anyio.CancelScope() as scope:

        def answer_and_cancel(_: Request) -> Response:
            scope.cancel()
            return make_response("paid for")

        await Cached(FunctionProvider(answer_and_cancel), store, pool="qwen").complete(_REQUEST)
        await anyio.lowlevel.checkpoint()

    assert scope.cancelled_caught
    assert store.get(_KEY) == encode_entry(_KEY, _REQUEST, make_response("paid for"))


async def test_the_answer_that_another_process_stored_first_is_everybodys() -> None:
    store = MemoryStore()

    class Outrun:
        async def complete(self, request: Request) -> Response:
            await store.add(
                _KEY, encode_entry(request_key(request), request, make_response("theirs"))
            )
            return make_response("ours")

    cached = Cached(Outrun(), store, pool="qwen")

    assert await cached.complete(_REQUEST) == make_response("theirs")
    assert await cached.complete(_REQUEST) == make_response("theirs")


async def test_what_was_stored_while_waiting_for_a_leader_in_vain_is_not_asked_again() -> None:
    inner, store, calls = GatedProvider(make_response("ours")), MemoryStore(), Calls()
    cached = Cached(inner, store, pool="qwen", observer=calls)
    first = anyio.CancelScope()

    async def ask_and_leave() -> None:
        with first:
            await cached.complete(_REQUEST)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask_and_leave)
        await wait_all_tasks_blocked()
        tasks.start_soon(cached.complete, _REQUEST)
        await wait_all_tasks_blocked()
        await store.add(_KEY, encode_entry(_KEY, _REQUEST, make_response("theirs")))
        first.cancel()

    assert inner.entered == 1
    assert [(call.source, call.response.text) for call in calls.calls] == [("cache", "theirs")]


async def test_an_answer_that_cannot_be_stored_is_an_error_for_all_who_wait() -> None:
    inner, raised, calls = ScriptedProvider(make_response("lost")), list[str](), Calls()
    cached = Cached(inner, FullStore(), pool="qwen", observer=calls)

    async def ask() -> None:
        with pytest.raises(CacheUnwritable) as caught:
            await cached.complete(_REQUEST)
        raised.append(str(caught.value))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        tasks.start_soon(ask)

    assert raised == ["answers cannot be stored in /cache: database or disk is full"] * 2
    assert inner.requests == [_REQUEST]
    # It was paid for, so it is told once all the same.
    assert [(call.source, call.counted) for call in calls.calls] == [
        ("sent", make_response().usage)
    ]


async def test_a_damaged_answer_is_an_error_and_stays_as_it_is() -> None:
    inner, store = ScriptedProvider(make_response("new")), FullStore()
    await MemoryStore.add(store, _KEY, b"damaged")

    with pytest.raises(EntryDamaged) as damage:
        await Cached(inner, store, pool="qwen").complete(_REQUEST)

    assert str(damage.value) == (
        f"stored answer {_KEY} is damaged: it is 7 bytes long, shorter than its digest; "
        "nothing was overwritten: restore /cache from a copy or use another cache"
    )
    assert (inner.requests, store.get(_KEY)) == ([], b"damaged")


async def test_the_observer_is_told_where_each_answer_came_from_and_how_long_it_took() -> None:
    calls, ticks = Calls(), _ticks()
    cached = Cached(
        ScriptedProvider(make_response("hi")),
        MemoryStore(),
        pool="qwen",
        observer=calls,
        now=lambda: next(ticks),
    )

    await cached.complete(_REQUEST)
    await cached.complete(_REQUEST)

    sent = AnsweredCall(
        key=_KEY,
        pool="qwen",
        source="sent",
        took_s=1.0,
        response=make_response("hi"),
        counted=make_response().usage,
    )
    assert calls.calls == [sent, replace(sent, source="cache", counted=None)]


async def test_what_budgets_estimate_for_an_answer_without_usage_is_told() -> None:
    calls = Calls()
    inner = ScriptedProvider(replace(make_response("seven characters"), usage=None))

    await Cached(inner, MemoryStore(), pool="qwen", observer=calls).complete(_REQUEST)

    (call,) = calls.calls
    assert call.counted == estimate_usage(_REQUEST, call.response)
    assert call.response.usage is None


def _ticks() -> Iterator[float]:
    return (float(number) for number in count())
