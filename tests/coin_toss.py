"""A measurement that exists in tests alone: what shared code may ask of any measurement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from hydrometer.engine.calls.caller import ModelCaller
from hydrometer.engine.errors import ConfigInvalid
from hydrometer.engine.measurement import (
    CallEstimate,
    Emit,
    Measurement,
    NamedPlan,
    PlanRequest,
    Score,
)
from hydrometer.engine.records.events import Event, Finished
from hydrometer.engine.records.recorded_run import RecordedRun
from hydrometer.engine.setup.models import PlannedModel, Role
from hydrometer.engine.setup.plan import PLAN_VERSION, Plan
from hydrometer.engine.setup.registry import StrategyRegistry


class CoinTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[coin]``"""

    targets: tuple[str, ...] = ()
    tosses: int = 1
    side: Literal["heads", "tails"] = "heads"


class CoinPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often a target is asked to toss a coin."""

    version: int = PLAN_VERSION
    kind: Literal["coin"] = "coin"
    target: PlannedModel
    seed: int = 0
    tosses: int = 1

    @property
    def models(self) -> Mapping[Role, PlannedModel]:
        return {"target": self.target}

    @property
    def size(self) -> int:
        return self.tosses


class Tossed(Event, frozen=True, kw_only=True, tag="tossed"):
    """One toss."""

    ticket: int
    side: str


def check_coin_table(table: CoinTable, where: str) -> None:
    if table.tosses < 1:
        raise ConfigInvalid(f"{where}: coin.tosses must be at least 1, got {table.tosses}")


def _build(request: PlanRequest) -> tuple[NamedPlan[CoinPlan], ...]:
    tosses = request.config.table(CoinTable).tosses
    return tuple(
        NamedPlan(name=name, plan=CoinPlan(target=_target(name), tosses=tosses))
        for name in request.targets
    )


def _target(name: str) -> PlannedModel:
    return PlannedModel(name=name, identity=f"fake:{name}")


async def _run(
    plan: CoinPlan, caller: ModelCaller, emit: Emit, registry: StrategyRegistry, workers: int
) -> None:
    emit([Tossed(ticket=number, side="heads") for number in range(plan.tosses)])
    emit([Finished(reason="tosses", tickets=plan.tosses, units=plan.tosses)])


def _score(run: RecordedRun[CoinPlan]) -> tuple[Score, ...]:
    return ()


def _estimate(
    plan: CoinPlan, role: Role, registry: StrategyRegistry, before: Sequence[Plan]
) -> CallEstimate:
    return CallEstimate(calls=plan.tosses, characters=1.0, reply_tokens=1, alone=plan.tosses)


COIN = Measurement(
    kind="coin",
    unit="tosses",
    help="Toss a coin.",
    table=CoinTable,
    plan=CoinPlan,
    events=Tossed | Finished,
    build_plans=_build,
    run=_run,
    score=_score,
    title=lambda plan: plan.target.name,
    estimate=_estimate,
    check_table=check_coin_table,
)
