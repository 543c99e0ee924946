"""A small recorded run: a change to keys, seeds, prompts or ordering shows here: it is breaking."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from hydrometer.cache.cached import Cached
from hydrometer.cache.store import MemoryStore
from hydrometer.engine.calls.caller import ModelCaller
from hydrometer.engine.calls.workers import DEFAULT_WORKERS
from hydrometer.engine.ice.ice_plan import IcePlan
from hydrometer.engine.ice.search_runner import run_search
from hydrometer.engine.measurements import BUILT_IN
from hydrometer.engine.records.events import Event, encode_event
from hydrometer.engine.setup.models import Role
from hydrometer.engine.setup.plan import decode_plan, encode_plan
from hydrometer.engine.setup.registry import StrategyRegistry
from hydrometer.providers.simulation.planting import Planting
from hydrometer.providers.simulation.simulated_adapter import answer
from hydrometer.testing import FunctionProvider

HERE = Path(__file__).parent


async def test_the_recorded_run_comes_out_again_byte_for_byte() -> None:
    data = (HERE / "plan.json").read_bytes()
    plan = decode_plan(data, "plan.json", BUILT_IN)
    store = MemoryStore()
    plantings: dict[Role, tuple[str, Planting]] = {
        "target": ("sim-target", Planting(rate=0.2)),
        "helper": ("sim-helper", Planting(error=0.2)),
        "judge": ("sim-judge", Planting(error=0.1)),
    }
    providers = {
        role: Cached(
            FunctionProvider(partial(answer, model=model, planting=planting)), store, pool=role
        )
        for role, (model, planting) in plantings.items()
    }
    events: list[Event] = []

    assert isinstance(plan, IcePlan)
    await run_search(
        plan, ModelCaller(providers, {}), events.extend, StrategyRegistry(), DEFAULT_WORKERS
    )

    assert b"".join(map(encode_event, events)) == (HERE / "events.jsonl").read_bytes()
    assert encode_plan(plan) == data
