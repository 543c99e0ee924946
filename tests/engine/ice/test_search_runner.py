from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

import anyio
import pytest
from anyio.lowlevel import checkpoint
from builders import JUDGE, make_plan

from hydrometer.cache.cached import Cached
from hydrometer.cache.errors import CacheMiss
from hydrometer.cache.replay_only import ReplayOnly
from hydrometer.cache.store import MemoryStore
from hydrometer.engine.calls.answers import CallFailed
from hydrometer.engine.calls.caller import ModelCaller
from hydrometer.engine.calls.workers import DEFAULT_WORKERS
from hydrometer.engine.errors import CallsKeepFailing
from hydrometer.engine.ice.ice_events import Probed, Selected
from hydrometer.engine.ice.ice_plan import IcePlan
from hydrometer.engine.ice.search_runner import run_search
from hydrometer.engine.measurement import Emit
from hydrometer.engine.records.events import Event, Finished
from hydrometer.engine.setup.models import Role
from hydrometer.engine.setup.registry import StrategyRegistry
from hydrometer.providers.errors import AccessDenied, RequestRejected
from hydrometer.providers.simulation.planting import Planting
from hydrometer.providers.simulation.simulated_adapter import answer
from hydrometer.providers.types import Request, Response
from hydrometer.testing import FunctionProvider

PLANTING = Planting(rate=0.3)
MODELS = {"fake:target": "sim-target", "fake:helper": "sim-helper", "fake:judge": "sim-judge"}


def simulated(request: Request) -> Response:
    return answer(request, MODELS[request.identity], PLANTING)


class Delayed:
    """Simulated models whose answers arrive in an order drawn from *arrival*."""

    def __init__(self, arrival: int) -> None:
        self._dice = Random(arrival)

    async def complete(self, request: Request) -> Response:
        for _ in range(self._dice.randrange(12)):
            await checkpoint()
        return simulated(request)


async def search(plan: IcePlan, caller: ModelCaller, emit: Emit) -> None:
    await run_search(plan, caller, emit, StrategyRegistry(), DEFAULT_WORKERS)


async def run(
    plan: IcePlan,
    provider: FunctionProvider | Delayed,
    *,
    store: MemoryStore | None = None,
    failures: Mapping[str, CallFailed] | None = None,
) -> list[Event]:
    events: list[Event] = []
    cached = Cached(provider, store or MemoryStore(), pool="all")
    roles: tuple[Role, ...] = ("target", "helper", "judge")
    caller = ModelCaller(dict.fromkeys(roles, cached), failures or {})
    await search(plan, caller, events.extend)
    return events


@pytest.mark.parametrize("window", [1, 6])
async def test_arrival_order_does_not_change_the_run(window: int) -> None:
    plan = make_plan(window=window, judge=JUDGE)

    runs = [await run(plan, Delayed(arrival)) for arrival in range(8)]

    assert all(events == runs[0] for events in runs)
    assert isinstance(runs[0][-1], Finished)


async def test_a_response_is_judged_while_others_are_awaited() -> None:
    gate = anyio.Event()
    judged: list[str] = []

    class SlowFirst:
        async def complete(self, request: Request) -> Response:
            text = request.messages[-1].content
            if request.identity == "fake:target" and "Which team made you" in text:
                await gate.wait()
            if request.identity == "fake:judge":
                judged.append(text)
            return simulated(request)

    plan = make_plan(window=1, judge=JUDGE, probes=4, questions_per_visit=4)
    cached = Cached(SlowFirst(), MemoryStore(), pool="all")
    roles: tuple[Role, ...] = ("target", "helper", "judge")
    caller = ModelCaller(dict.fromkeys(roles, cached), {})

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(search, plan, caller, lambda _: None)
        await anyio.wait_all_tasks_blocked()
        early = len(judged)
        gate.set()

    assert early >= 3


async def test_a_pool_that_is_unavailable_stops_the_run_at_once_and_unwrapped() -> None:
    def deny(request: Request) -> Response | Exception:
        if request.identity == "fake:judge":
            return AccessDenied("the judge's key is wrong", status=401)
        return simulated(request)

    provider = FunctionProvider(deny)

    with pytest.raises(AccessDenied, match=r"^the judge's key is wrong$"):
        await run(make_plan(judge=JUDGE, window=1, probes=40), provider)

    assert len(provider.requests) < 10


async def test_a_call_that_failed_is_recorded_and_asked_only_once() -> None:
    plan = make_plan(judge=JUDGE, probes=40)
    whole = await run(plan, FunctionProvider(simulated))
    doomed = next(event for event in whole if isinstance(event, Probed))
    text = doomed.outcome.text if not isinstance(doomed.outcome, CallFailed) else ""

    def reject(request: Request) -> Response | Exception:
        if request.identity == "fake:judge" and text in request.messages[-1].content:
            return RequestRejected("too long", status=400)
        return simulated(request)

    provider = FunctionProvider(reject)
    events = await run(plan, provider)

    failed = [event for event in events if isinstance(event, Probed) and event.judgement.failures]
    assert failed
    assert failed[0].judgement.failures[0].error == "RequestRejected"
    asked = [request for request in provider.requests if text in request.messages[-1].content]
    assert len({request.messages for request in asked}) == len(asked)


async def test_a_replay_takes_failures_from_the_recording_and_nothing_else() -> None:
    plan = make_plan(probes=12, questions_per_visit=4, window=1)
    failing = {"count": 0}

    def sometimes(request: Request) -> Response | Exception:
        if request.identity == "fake:target":
            failing["count"] += 1
            if failing["count"] == 3:
                return RequestRejected("content filter", status=400)
        return simulated(request)

    store = MemoryStore()
    recorded = await run(plan, FunctionProvider(sometimes), store=store)
    failures = {
        event.outcome.key: event.outcome
        for event in recorded
        if isinstance(event, Probed) and isinstance(event.outcome, CallFailed)
    }
    replayed: list[Event] = []
    only = ReplayOnly(store, pool="all")
    roles: tuple[Role, ...] = ("target", "helper", "judge")
    await run_search(
        plan,
        ModelCaller(dict.fromkeys(roles, only), failures),
        replayed.extend,
        StrategyRegistry(),
        DEFAULT_WORKERS,
    )

    assert len(failures) == 1
    assert replayed == recorded


async def test_a_miss_stops_a_replay_only_when_its_turn_comes() -> None:
    plan = make_plan(window=6, probes=60)
    whole, part = MemoryStore(), MemoryStore()
    recorded = await run(plan, Delayed(1), store=whole)
    third = [event for event in recorded if isinstance(event, Probed) and event.ticket == 3]
    missing = {event.outcome.key for event in third}
    for key in whole.keys():  # noqa: SIM118  # a store is no mapping
        data = whole.get(key)
        assert data is not None
        if key not in missing:
            await part.add(key, data)
    replayed: list[Event] = []
    only = ReplayOnly(part, pool="all")
    roles: tuple[Role, ...] = ("target", "helper", "judge")

    with pytest.raises(CacheMiss, match="no stored answer for fake:target"):
        await run_search(
            plan,
            ModelCaller(dict.fromkeys(roles, only), {}),
            replayed.extend,
            StrategyRegistry(),
            DEFAULT_WORKERS,
        )

    tickets = [event.ticket for event in replayed if isinstance(event, Selected)]
    assert tickets == [0, 1, 2]
    assert replayed == recorded[: len(replayed)]


async def test_a_cancelled_run_leaves_nothing_running() -> None:
    with anyio.move_on_after(0) as scope:
        await run(make_plan(), Delayed(2))

    assert scope.cancelled_caught


async def test_an_error_of_the_sink_comes_out_as_it_is() -> None:
    def full(_: Sequence[Event]) -> None:
        raise OSError(28, "No space left on device")

    cached = Cached(FunctionProvider(simulated), MemoryStore(), pool="all")
    roles: tuple[Role, ...] = ("target", "helper", "judge")

    with pytest.raises(OSError, match="No space left"):
        await run_search(
            make_plan(),
            ModelCaller(dict.fromkeys(roles, cached), {}),
            full,
            StrategyRegistry(),
            DEFAULT_WORKERS,
        )


async def test_a_model_that_fails_every_call_for_good_pauses_the_run() -> None:
    def reject(request: Request) -> Response | Exception:
        if request.identity == "fake:target":
            return RequestRejected("no such parameter", status=400)
        return simulated(request)

    provider = FunctionProvider(reject)

    with pytest.raises(CallsKeepFailing) as caught:
        await run(make_plan(window=1, probes=80), provider)

    assert str(caught.value) == (
        "20 calls in a row to the target failed for good, the last with: no such parameter"
    )
    asked = [request for request in provider.requests if request.identity == "fake:target"]
    assert len(asked) == 20
