from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import anyio
import pytest
from anyio import wait_all_tasks_blocked
from msgspec.structs import replace

from hydrometer.cache.cached import AnsweredCall, Cached, Source
from hydrometer.cache.coalesce import InFlight
from hydrometer.cache.entry import encode_entry
from hydrometer.cache.errors import CacheUnwritable, EntryDamaged
from hydrometer.cache.keys import request_key, with_key
from hydrometer.cache.store import MemoryStore, Store, StoreInfo
from hydrometer.providers.base import Provider
from hydrometer.providers.errors import ServiceFailed
from hydrometer.providers.tokens import estimate_usage
from hydrometer.providers.types import FinishReason, Request, Response
from hydrometer.testing import (
    FunctionProvider,
    GatedProvider,
    ScriptedProvider,
    make_request,
    make_response,
)

_REQUEST = make_request()
_KEYED = with_key(_REQUEST)
_KEY = _KEYED.key


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

    got = [await cached.complete(_KEYED) for _ in range(3)]

    assert got == [make_response("one")] * 3
    assert inner.requests == [_REQUEST]
    assert store.get(_KEY) == encode_entry(_KEY, _REQUEST, make_response("one"))


async def test_a_stored_answer_comes_back_without_a_checkpoint() -> None:
    """Driven by hand: whatever waits, for a slot or for the loop, would yield here."""
    store = MemoryStore()
    await store.add(_KEY, encode_entry(_KEY, _REQUEST, make_response("kept")))
    cached = Cached(ScriptedProvider(make_response("sent")), store, pool="qwen")

    with pytest.raises(StopIteration) as ended:
        cached.complete(_KEYED).send(None)

    assert ended.value.value == make_response("kept")


async def test_another_draw_is_another_request() -> None:
    inner = ScriptedProvider(make_response("one"), make_response("two"))
    cached = Cached(inner, MemoryStore(), pool="qwen")

    got = [await cached.complete(with_key(make_request(draw=draw))) for draw in (0, 1, 0)]

    assert got == [make_response("one"), make_response("two"), make_response("one")]


@pytest.mark.anyio
@pytest.mark.parametrize("finish", ["length", "content_filter"])
async def test_refusals_and_truncations_are_answers(finish: FinishReason) -> None:
    response = Response(text="", finish=finish)
    inner = ScriptedProvider(response, make_response("other"))
    cached = Cached(inner, MemoryStore(), pool="qwen")

    assert [await cached.complete(_KEYED) for _ in range(2)] == [response, response]


async def test_an_error_is_not_stored() -> None:
    store = MemoryStore()
    inner = ScriptedProvider(ServiceFailed("503", status=503), make_response("hi"))
    cached = Cached(inner, store, pool="qwen")

    with pytest.raises(ServiceFailed, match="503"):
        await cached.complete(_KEYED)

    assert list(store.keys()) == []
    assert await cached.complete(_KEYED) == make_response("hi")


async def test_identical_requests_share_one_call_until_the_answer_is_stored() -> None:
    """One asks while the first is at the model, one while the first is at the store."""
    inner, store, calls = GatedProvider(make_response("hi")), GatedStore(), Calls()
    cached = Cached(inner, store, pool="qwen", observer=calls)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(cached.complete, _KEYED)
        await wait_all_tasks_blocked()
        tasks.start_soon(cached.complete, _KEYED)
        await wait_all_tasks_blocked()
        inner.gate.set()
        await wait_all_tasks_blocked()
        tasks.start_soon(cached.complete, _KEYED)
        await wait_all_tasks_blocked()
        store.gate.set()

    assert (inner.entered, store.entered) == (1, 1)
    assert [call.source for call in calls.calls] == ["sent", "shared", "shared"]


async def test_a_cancelled_caller_leaves_the_call_to_the_one_who_waits() -> None:
    inner, got, first = GatedProvider(make_response("hi")), list[Response](), anyio.CancelScope()
    cached = Cached(inner, MemoryStore(), pool="qwen")

    async def ask_and_leave() -> None:
        with first:
            await cached.complete(_KEYED)

    async def ask() -> None:
        got.append(await cached.complete(_KEYED))

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
        tasks.start_soon(cached.complete, _KEYED)
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

        await Cached(FunctionProvider(answer_and_cancel), store, pool="qwen").complete(_KEYED)
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

    assert await cached.complete(_KEYED) == make_response("theirs")
    assert await cached.complete(_KEYED) == make_response("theirs")


async def test_what_was_stored_while_waiting_for_a_leader_in_vain_is_not_asked_again() -> None:
    inner, store, calls = GatedProvider(make_response("ours")), MemoryStore(), Calls()
    cached = Cached(inner, store, pool="qwen", observer=calls)
    first = anyio.CancelScope()

    async def ask_and_leave() -> None:
        with first:
            await cached.complete(_KEYED)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask_and_leave)
        await wait_all_tasks_blocked()
        tasks.start_soon(cached.complete, _KEYED)
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
            await cached.complete(_KEYED)
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
        await Cached(inner, store, pool="qwen").complete(_KEYED)

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

    await cached.complete(_KEYED)
    await cached.complete(_KEYED)

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

    await Cached(inner, MemoryStore(), pool="qwen", observer=calls).complete(_KEYED)

    (call,) = calls.calls
    assert call.counted == estimate_usage(_REQUEST, call.response)
    assert call.response.usage is None


class TwoRuns:
    """Two runs of one session: one model, store and table of calls in flight, two observers."""

    def __init__(self, inner: Provider, store: Store | None = None) -> None:
        store, in_flight = store or MemoryStore(), InFlight[Response]()
        self.observers = (Calls(), Calls())
        self.leader, self.follower = (
            Cached(inner, store, pool="qwen", observer=observer, in_flight=in_flight)
            for observer in self.observers
        )

    @property
    def sources(self) -> tuple[list[Source], list[Source]]:
        first, second = self.observers
        return [call.source for call in first.calls], [call.source for call in second.calls]


async def test_two_runs_over_one_table_send_an_identical_request_once() -> None:
    inner, got = GatedProvider(make_response("hi")), list[Response]()
    runs = TwoRuns(inner)

    async def ask(run: Cached) -> None:
        got.append(await run.complete(_KEYED))

    async with anyio.create_task_group() as tasks:
        for run in (runs.leader, runs.follower):
            tasks.start_soon(ask, run)
        await wait_all_tasks_blocked()
        inner.gate.set()

    assert got == [make_response("hi")] * 2
    assert inner.entered == 1
    assert runs.sources == (["sent"], ["shared"])


async def test_two_runs_with_tables_of_their_own_send_it_twice() -> None:
    """What the shared table is for."""
    inner, store = GatedProvider(make_response("hi")), MemoryStore()

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(Cached(inner, store, pool="qwen").complete, _KEYED)
        await wait_all_tasks_blocked()
        inner.gate.set()

    assert inner.entered == 2


async def test_a_failure_is_shared_by_two_runs_and_not_sent_again() -> None:
    inner, failed = ScriptedProvider(ServiceFailed("503", status=503)), list[str]()
    runs = TwoRuns(inner)

    async def ask(run: Cached) -> None:
        with pytest.raises(ServiceFailed) as failure:
            await run.complete(_KEYED)
        failed.append(str(failure.value))

    async with anyio.create_task_group() as tasks:
        for run in (runs.leader, runs.follower):
            tasks.start_soon(ask, run)

    assert failed == ["503", "503"]
    assert inner.requests == [_REQUEST]
    assert runs.sources == ([], [])


async def test_a_run_that_is_cancelled_before_its_request_is_sent_leaves_it_to_the_other() -> None:
    inner = GatedProvider(make_response("hi"))
    runs = TwoRuns(inner)
    got, scope = list[Response](), anyio.CancelScope()

    async def lead() -> None:
        with scope:
            await runs.leader.complete(_KEYED)

    async def follow() -> None:
        got.append(await runs.follower.complete(_KEYED))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lead)
        await wait_all_tasks_blocked()
        tasks.start_soon(follow)
        await wait_all_tasks_blocked()
        scope.cancel()
        await wait_all_tasks_blocked()
        inner.gate.set()

    assert got == [make_response("hi")]
    assert (inner.entered, inner.cancelled) == (2, 1)  # the first never got an answer
    assert runs.sources == ([], ["sent"])


@pytest.mark.anyio
@pytest.mark.parametrize("cancelled_at", ["model", "store"])
async def test_a_run_that_is_cancelled_after_its_request_is_sent_pays_for_both(
    cancelled_at: str,
) -> None:
    """A pool waits for attempts on the wire, and a store for its commit, whoever is cancelled."""
    at_model, store = anyio.Event(), GatedStore()
    sent = list[Request]()

    class OnTheWire:
        async def complete(self, request: Request) -> Response:
            sent.append(request)
            with anyio.CancelScope(shield=True):
                await at_model.wait()
            return make_response("paid for")

    runs = TwoRuns(OnTheWire(), store)
    got, scope = list[Response](), anyio.CancelScope()

    async def lead() -> None:
        with scope:
            await runs.leader.complete(_KEYED)

    async def follow() -> None:
        got.append(await runs.follower.complete(_KEYED))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lead)
        await wait_all_tasks_blocked()
        tasks.start_soon(follow)
        await wait_all_tasks_blocked()
        if cancelled_at == "model":
            scope.cancel()
            await wait_all_tasks_blocked()
        at_model.set()
        await wait_all_tasks_blocked()
        scope.cancel()
        store.gate.set()

    assert got == [make_response("paid for")]
    assert sent == [_REQUEST]
    assert store.get(_KEY) == encode_entry(_KEY, _REQUEST, make_response("paid for"))
    assert runs.sources == (["sent"], ["shared"])


async def test_a_follower_that_is_cancelled_disturbs_nobody() -> None:
    inner = GatedProvider(make_response("hi"))
    runs = TwoRuns(inner)
    got, scope = list[Response](), anyio.CancelScope()

    async def lead() -> None:
        got.append(await runs.leader.complete(_KEYED))

    async def follow() -> None:
        with scope:
            await runs.follower.complete(_KEYED)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lead)
        await wait_all_tasks_blocked()
        tasks.start_soon(follow)
        await wait_all_tasks_blocked()
        scope.cancel()
        await wait_all_tasks_blocked()
        inner.gate.set()

    assert got == [make_response("hi")]
    assert runs.sources == (["sent"], [])


def _ticks() -> Iterator[float]:
    return (float(number) for number in count())
