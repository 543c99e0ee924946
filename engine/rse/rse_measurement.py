"""RSE, the response similarity evaluation, as a measurement.

Every command lists the measurements, so this file is imported at each start. To keep the start
fast, a module that only a run or a score needs is imported inside the function that uses it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..measurement import Measurement
from ..plurals import counted
from .rse_config import RseTable, check_rse_table
from .rse_events import RseEvent
from .rse_plan import RsePlan, check_rse_plan

if TYPE_CHECKING:
    from ...providers.simulation.planting import Planting
    from ..calls.caller import ModelCaller
    from ..measurement import CallEstimate, Emit, NamedPlan, PlanRequest, RunsSummary, Score
    from ..records.recorded_run import RecordedRun
    from ..setup.config import Config
    from ..setup.models import Role
    from ..setup.plan import Plan
    from ..setup.registry import StrategyRegistry
    from .rse_fold import RseCounts

_HELP = """Grade how alike a target and a reference model respond.

A judge model does the grading. With reference = "*" every pair of the targets is compared, and a
tree is drawn.

Example: hydrometer rse hydrometer.toml --out runs/similarity
"""


def _build_plans(request: PlanRequest) -> tuple[NamedPlan[RsePlan], ...]:
    from .rse_planning import build_rse_plans

    return build_rse_plans(request)


async def _run(
    plan: RsePlan, caller: ModelCaller, emit: Emit, registry: StrategyRegistry, workers: int
) -> None:
    from .rse_stages import run_similarity

    await run_similarity(plan, caller, emit, registry, workers)


def _score(run: RecordedRun[RsePlan]) -> tuple[Score, ...]:
    from .rse_scores import score_rse

    return score_rse(run)


def _title(plan: RsePlan) -> str:
    prompts, sets = counted(plan.size, "prompts"), counted(len(plan.sets), "sets")
    return f"{plan.target.name} against {plan.reference.name}: {prompts} in {sets}"


def _estimate(
    plan: RsePlan, role: Role, registry: StrategyRegistry, before: Sequence[Plan]
) -> CallEstimate:
    from .rse_estimates import estimate_rse

    return estimate_rse(plan, role, registry, before)


def _in_use(table: RseTable) -> bool:
    return bool(table.targets or table.reference)


def _difference(recorded: RsePlan, wanted: RsePlan) -> str:
    from .rse_planning import prompts_changed

    return prompts_changed(recorded, wanted)


def _counts(plan: RsePlan) -> RseCounts:
    from .rse_fold import RseCounts

    return RseCounts(plan.weights)


def _summarise(runs: Sequence[RecordedRun[RsePlan]], scores: Sequence[Score]) -> RunsSummary | None:
    from .rse_scores import summarise_rse

    return summarise_rse(runs, scores)


def _planting(run: RecordedRun[RsePlan], config: Config) -> Planting:
    """Return the planting of a simulated target: how its answers are related to the reference's."""
    from ...providers.simulation.planting import planting_of

    return planting_of(config.models[run.plan.target.name])


RSE = Measurement(
    kind="rse",
    unit="prompts",
    help=_HELP,
    table=RseTable,
    plan=RsePlan,
    events=RseEvent,
    build_plans=_build_plans,
    run=_run,
    score=_score,
    title=_title,
    estimate=_estimate,
    default_out="-rse",
    check_table=check_rse_table,
    in_use=_in_use,
    check_plan=check_rse_plan,
    difference=_difference,
    counts=_counts,
    summarise=_summarise,
    truth=_planting,
)
