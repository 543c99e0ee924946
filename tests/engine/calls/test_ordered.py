from __future__ import annotations

from collections.abc import Iterator
from random import Random

import anyio
import pytest
from anyio.lowlevel import checkpoint
from builders import make_rse_plan, make_set

from hydrometer.cache.cached import Cached
from hydrometer.cache.errors import CacheMiss
from hydrometer.cache.keys import request_key
from hydrometer.cache.replay_only import ReplayOnly
from hydrometer.cache.store import MemoryStore
from hydrometer.engine.calls.caller import ModelCaller
from hydrometer.engine.calls.ordered import AHEAD, map_in_order
from hydrometer.engine.records.events import Event
from hydrometer.engine.rse.rse_events import Compared
from hydrometer.engine.rse.rse_plan import RsePlan
from hydrometer.engine.rse.rse_stages import run_similarity
from hydrometer.engine.setup.models import Role
from hydrometer.engine.setup.registry import StrategyRegistry
from hydrometer.providers.types import Request, Response

ROLES: tuple[Role, ...] = ("target", "reference", "judge")


class Broken(Exception):
    """What a piece of work may raise."""


@pytest.mark.parametrize("at_once", [1, 3, 50])
@pytest.mark.parametrize("arrival", range(4))
async def test_arrival_order_does_not_matter(arrival: int, at_once: int) -> None:
    dice = Random(arrival)
    applied: list[int] = []

    async def work(job: int) -> int:
        for _ in range(dice.randrange(9)):
            await checkpoint()
        return job * 10

    await map_in_order(range(40), work, applied.append, workers=at_once)

    assert applied == [job * 10 for job in range(40)]


async def test_nothing_to_do_is_done_at_once() -> None:
    applied: list[int] = []

    async def work(job: int) -> int:
        raise AssertionError(f"job {job} was never given")

    await map_in_order((), work, applied.append, workers=2)

    assert applied == []


async def test_as_many_are_under_way_as_allowed_and_no_more() -> None:
    inside, most = 0, 0

    async def work(job: int) -> int:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        for _ in range(20):
            await checkpoint()
        inside -= 1
        return job

    await map_in_order(range(50), work, lambda _: None, workers=5)

    assert most == 5


async def test_a_slow_piece_holds_up_only_those_too_far_ahead_of_it() -> None:
    """Memory: what was taken from the jobs and not applied is at most AHEAD for each worker."""
    gate = anyio.Event()
    given = 0
    applied: list[int] = []

    def jobs() -> Iterator[int]:
        nonlocal given
        for job in range(1000):
            assert given - len(applied) <= AHEAD * 3
            yield job
            given += 1

    async def work(job: int) -> int:
        if job == 0:
            await gate.wait()
        return job

    async with anyio.create_task_group() as tasks:

        async def go() -> None:
            await map_in_order(jobs(), work, applied.append, workers=3)

        tasks.start_soon(go)
        await anyio.wait_all_tasks_blocked()
        held_up = given
        assert applied == []
        gate.set()

    # One more was taken from the jobs, and waits for room.
    assert held_up == AHEAD * 3
    assert applied == list(range(1000))


@pytest.mark.parametrize("bad", [0, 7, 39])
async def test_an_error_is_raised_by_itself_and_nothing_is_applied_after_it(bad: int) -> None:
    applied: list[int] = []

    async def work(job: int) -> int:
        await checkpoint()
        if job == bad:
            raise Broken(f"job {job}")
        return job

    with pytest.raises(Broken, match=f"^job {bad}$"):
        await map_in_order(range(40), work, applied.append, workers=4)

    assert applied == list(range(len(applied)))
    assert len(applied) <= bad


async def test_an_error_ends_the_pieces_under_way() -> None:
    cancelled: list[int] = []

    async def work(job: int) -> int:
        if job == 2:
            await anyio.wait_all_tasks_blocked()
            raise Broken
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            cancelled.append(job)
            raise
        return job

    with pytest.raises(Broken):
        await map_in_order(range(40), work, lambda _: None, workers=3)

    assert sorted(cancelled) == [0, 1]


async def test_what_apply_raises_is_raised_and_nothing_follows() -> None:
    applied: list[int] = []

    async def work(job: int) -> int:
        await checkpoint()
        return job

    def apply(job: int) -> None:
        if job == 5:
            raise OSError("the disk is full")
        applied.append(job)

    with pytest.raises(OSError, match=r"^the disk is full$"):
        await map_in_order(range(40), work, apply, workers=4)

    assert applied == [0, 1, 2, 3, 4]


async def test_jobs_that_cannot_be_given_are_an_error_like_others() -> None:
    def jobs() -> Iterator[int]:
        yield 0
        raise Broken("no more")

    async def work(job: int) -> int:
        return job

    with pytest.raises(Broken, match=r"^no more$"):
        await map_in_order(jobs(), work, lambda _: None, workers=2)


async def test_cancelling_from_outside_cancels_the_pieces_and_applies_nothing_more() -> None:
    ended: list[int] = []
    applied: list[int] = []

    async def work(job: int) -> int:
        if job < 2:
            return job
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(job)
        return job

    async with anyio.create_task_group() as tasks:

        async def go() -> None:
            await map_in_order(range(40), work, applied.append, workers=3)

        tasks.start_soon(go)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()

    assert applied == [0, 1]
    assert sorted(ended) == [2, 3, 4]


@pytest.mark.parametrize("at_once", [1, 4, 20])
async def test_a_miss_is_raised_when_its_turn_comes(at_once: int) -> None:
    applied: list[int] = []

    async def work(job: int) -> int:
        if job >= 6:
            raise CacheMiss(f"job {job}", request_key="k")
        for _ in range(20 - job):
            await checkpoint()
        return job

    with pytest.raises(CacheMiss, match=r"^job 6$"):
        await map_in_order(range(40), work, applied.append, workers=at_once)

    assert applied == [0, 1, 2, 3, 4, 5]


async def test_a_replay_goes_to_the_first_prompt_that_misses() -> None:
    """The first prompt has many turns, and the second misses its answers all in one step."""
    turns = tuple(f"Turn {number}?" for number in range(6))
    plan = make_rse_plan(make_set("chat", turns, "What is rain?", "What is hail?"), ceiling=True)
    store = MemoryStore()
    unknown = {request_key(plan.target.build_request("What is rain?"))}
    unknown |= {
        request_key(plan.reference.build_request("What is rain?", draw=draw)) for draw in (0, 1)
    }
    recorded = await record(plan, store)
    replayed: list[Event] = []
    partial = MemoryStore()
    for key in tuple(store.keys()):
        if key not in unknown and (data := store.get(key)) is not None:
            await partial.add(key, data)
    caller = ModelCaller(dict.fromkeys(ROLES, ReplayOnly(partial, pool="all")), {})

    with pytest.raises(CacheMiss, match="no stored answer for fake:"):
        await run_similarity(plan, caller, replayed.extend, StrategyRegistry(), 64)

    assert isinstance(recorded[1], Compared)
    assert replayed == recorded[:2]


class Talker:
    """Answers anything, and grades everything alike."""

    async def complete(self, request: Request) -> Response:
        if request.identity == "fake:judge":
            return Response(text="<style>4</style><logic>4</logic><content>4</content>")
        return Response(text=f"{request.identity} has answered")


async def record(plan: RsePlan, store: MemoryStore) -> list[Event]:
    events: list[Event] = []
    caller = ModelCaller(dict.fromkeys(ROLES, Cached(Talker(), store, pool="all")), {})
    await run_similarity(plan, caller, events.extend, StrategyRegistry(), 2)
    return events
