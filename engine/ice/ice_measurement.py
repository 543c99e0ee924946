"""ICE, the identity consistency evaluation, as a measurement.

Every command lists the measurements, so this file is imported at each start. To keep the start
fast, a module that only a run or a score needs is imported inside the function that uses it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ..measurement import Measurement, Rescoring
from ..plurals import counted
from .ice_config import IceTable, check_ice_table
from .ice_events import IceEvent
from .ice_plan import IcePlan, Imported, check_ice_plan

if TYPE_CHECKING:
    from ..calls.caller import ModelCaller
    from ..identity.judging import Judging
    from ..measurement import (
        CallEstimate,
        Emit,
        ImportedRun,
        ImportRequest,
        NamedPlan,
        PlanRequest,
        RescoreItem,
        Score,
    )
    from ..records.events import Event
    from ..records.recorded_run import RecordedRun
    from ..setup.config import Config
    from ..setup.models import Role
    from ..setup.plan import Plan, PlannedJudge
    from ..setup.registry import StrategyRegistry
    from .ice_fold import IceCounts
    from .ice_truth import PlantedClaims

_HELP = """Search for prompts under which a target claims another identity.

Example: hydrometer ice hydrometer.toml --out runs/qwen
"""


def _build_plans(request: PlanRequest) -> tuple[NamedPlan[IcePlan], ...]:
    from .ice_planning import build_ice_plans

    return build_ice_plans(request)


async def _run(
    plan: IcePlan, caller: ModelCaller, emit: Emit, registry: StrategyRegistry, workers: int
) -> None:
    from .search_runner import run_search

    await run_search(plan, caller, emit, registry, workers)


def _score(run: RecordedRun[IcePlan]) -> tuple[Score, ...]:
    from .ice_scores import score_ice

    return score_ice(run)


def _title(plan: IcePlan) -> str:
    from .ice_estimates import count_templates

    probes, templates = counted(plan.probes, "probes"), counted(count_templates(plan), "templates")
    return f"{plan.target.name}: {probes}, {templates}"


def _estimate(
    plan: IcePlan, role: Role, registry: StrategyRegistry, before: Sequence[Plan]
) -> CallEstimate:
    from .ice_estimates import estimate_ice

    return estimate_ice(plan, role, registry, before)


def _not_replayable(plan: IcePlan) -> str:
    return "was imported, and no call was made" if isinstance(plan.search, Imported) else ""


def _counts(plan: IcePlan) -> IceCounts:
    from .ice_fold import IceCounts

    return IceCounts(plan.judge.metrics[0] if plan.judge.metrics else "loose")


def _remarks_before(plan: IcePlan) -> tuple[str, ...]:
    if plan.target.vendor:
        return ()
    name = plan.target.name
    return (f"models.{name}.vendor is not set, so claims of its own vendor count like others",)


def _remarks_after(plan: IcePlan, reason: str, probes: int) -> tuple[str, ...]:
    from .search import STUCK_AFTER

    if reason == "probes":
        return ()
    why = (
        f"the helper gave no usable template in {STUCK_AFTER} tickets in a row"
        if reason == "no-usable-mutants"
        else "every question was asked in every template"
    )
    planned = counted(plan.probes, "probes")
    return (f"{plan.target.name}: {why}; the run ended after {probes} of {planned}",)


def _truth(run: RecordedRun[IcePlan], config: Config) -> PlantedClaims:
    from .ice_truth import find_planted

    return find_planted(run, config)


def _plan_later_judge(
    plan: IcePlan, name: str, config: Config, registry: StrategyRegistry, where: str
) -> PlannedJudge:
    from .ice_planning import plan_later_judge

    return plan_later_judge(plan, name, config, registry, where)


def _judging(plan: IcePlan, judge: PlannedJudge, registry: StrategyRegistry) -> Judging:
    from ..identity.judging import Judging

    return Judging(registry.prepare(judge, plan.about), judge.model, plan.about)


def _rescore_items(plan: IcePlan, events: Iterable[Event]) -> Iterator[RescoreItem]:
    from .ice_fold import find_rescore_items

    return find_rescore_items(plan, events)


def _later_counts(plan: IcePlan, judge: PlannedJudge) -> IceCounts:
    from .ice_fold import IceCounts

    return IceCounts(judge.metrics[0])


def _read_transcripts(request: ImportRequest) -> tuple[ImportedRun[IcePlan], ...]:
    from .imports.imported import read_imports

    return read_imports(request)


ICE = Measurement(
    kind="ice",
    unit="probes",
    help=_HELP,
    table=IceTable,
    plan=IcePlan,
    events=IceEvent,
    build_plans=_build_plans,
    run=_run,
    score=_score,
    title=_title,
    estimate=_estimate,
    check_table=check_ice_table,
    check_plan=check_ice_plan,
    not_replayable=_not_replayable,
    counts=_counts,
    remarks_before=_remarks_before,
    remarks_after=_remarks_after,
    truth=_truth,
    rescoring=Rescoring(
        own_judge=lambda plan: plan.judge.name,
        plan_judge=_plan_later_judge,
        judging=_judging,
        items=_rescore_items,
        counts=_later_counts,
    ),
    read_transcripts=_read_transcripts,
)
