"""Runs a plan of either kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from .calls.caller import DEFAULT_WORKERS, ModelCaller, run_search
from .ice.ice_events import Event
from .rse.rse_stages import run_similarity
from .setup.plan import AnyPlan, IcePlan, RsePlan
from .setup.registry import StrategyRegistry


async def run_plan(
    plan: AnyPlan,
    asker: ModelCaller,
    emit: Callable[[tuple[Event, ...]], None],
    *,
    catalogue: StrategyRegistry | None = None,
    at_once: int = DEFAULT_WORKERS,
) -> None:
    """Run *plan* to its end, handing events to *emit* in ticket order.

    Raises FileInvalid for a plan that this installation would not follow, and what pauses the run.
    """
    match plan:
        case IcePlan():
            await run_search(plan, asker, emit, catalogue=catalogue, at_once=at_once)
        case RsePlan():
            await run_similarity(plan, asker, emit, at_once=at_once)
        case _:
            assert_never(plan)
