"""Runs a plan by its measurement, and checks its events before anybody receives them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..engine.calls.caller import ModelCaller
from ..engine.measurement import Emit, Measurement
from ..engine.records.event_checks import EventChecks
from ..engine.records.events import Event
from ..engine.setup.plan import Plan
from ..engine.setup.registry import StrategyRegistry


async def run_plan(
    measurement: Measurement[Any],
    plan: Plan,
    caller: ModelCaller,
    emit: Emit,
    *,
    registry: StrategyRegistry,
    workers: int,
) -> None:
    """Run *plan* to its end. Raises PluginBroken for events that cannot be recorded."""
    checks = EventChecks(measurement.kind, measurement.events)

    def checked(batch: Sequence[Event]) -> None:
        checks.check(batch)
        emit(batch)

    await measurement.run(plan, caller, checked, registry, workers)
    checks.end()
