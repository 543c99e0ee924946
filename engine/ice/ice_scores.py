"""ICE scores: scores of the run's own judge, then of each layer."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ...scoring.identity_scores import IdentityScore, score_table
from ...scoring.probe_table import ProbeTable
from ...strategies.types import Metric, ProbeRow
from ..records.recorded_run import RecordedRun
from ..setup.plan import PlannedJudge
from .ice_fold import fold_layer, fold_probes
from .ice_plan import IcePlan


def score_ice(run: RecordedRun[IcePlan]) -> tuple[IdentityScore, ...]:
    """Return the scores of *run*. Raises FileInvalid for a damaged event or layer."""
    own = _score(run, fold_probes(run.events()), run.plan.judge, run.changed_models())
    layers = (
        _score(run, fold_layer(run.events(), layer), judge, run.changed_models(judge))
        for layer in run.layers().values()
        for judge in (layer.head.judge,)
    )
    return own + tuple(score for scores in layers for score in scores)


def _score(
    run: RecordedRun[IcePlan],
    rows: Iterator[ProbeRow],
    judge: PlannedJudge,
    judge_changed: Collection[str],
) -> tuple[IdentityScore, ...]:
    plan = run.plan
    hard: tuple[Metric, ...] = ("hard",) if "strict" in judge.metrics else ()
    return score_table(
        ProbeTable(rows),
        run=run.name,
        target=plan.target.name,
        kind=plan.kind,
        judge=judge.name,
        prompt_version=judge.rules.version,
        seed=plan.seed,
        metrics=judge.metrics + hard,
        finished=run.finished,
        changed=plan.target.name in run.changed_models()
        or (judge.model is not None and judge.model.name in judge_changed),
    )
