"""``hydrometer score``: the scores of recorded runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from hashlib import blake2b
from itertools import chain
from pathlib import Path

import msgspec

from ..engine.ice.ice_fold import fold_ceiling, fold_cosines, fold_pairs, fold_probes
from ..engine.records.layers import fold_layer
from ..engine.records.run_directory import ASIDE, RunDirectory
from ..engine.records.timings import changed_models
from ..engine.rse.rse_planning import judge_conflict
from ..engine.setup.models import PlannedModel
from ..engine.setup.plan import IcePlan, PlannedJudge, RsePlan, plan_digest
from ..report.tables.formats import to_json
from ..scoring.identity_scores import IdentityScore, score_table
from ..scoring.probe_table import ProbeTable
from ..scoring.prompt_values import PromptValues, read_cosines, read_gradings, read_texts
from ..scoring.similarity_scores import SimilarityScore, score_prompts
from ..scoring.text_metrics import VERSION as LIKENESS_VERSION
from ..strategies.types import Metric, ProbeRow

AnyScore = IdentityScore | SimilarityScore


def score_run(run: Path) -> tuple[AnyScore, ...]:
    """Return the scores of one run: by its own judge, then by each layer or measure.

    Raises InputInvalid for a folder that holds no run.
    """
    plan = RunDirectory(run).read_plan()
    if isinstance(plan, RsePlan):
        return _score_similarity(run, plan)
    return _score_identity(run, plan)


def _score_identity(run: Path, plan: IcePlan) -> tuple[IdentityScore, ...]:
    directory = RunDirectory(run)
    finished = directory.finished()
    changed = changed_models(run)

    def scores(
        rows: Iterator[ProbeRow], judge: PlannedJudge, judge_changed: Collection[str]
    ) -> tuple[IdentityScore, ...]:
        hard: tuple[Metric, ...] = ("hard",) if "strict" in judge.metrics else ()
        return score_table(
            ProbeTable(rows),
            run=run.resolve().name,
            target=plan.target.name,
            kind=plan.kind,
            judge=judge.name,
            prompt_version=judge.rules.version,
            seed=plan.seed,
            metrics=judge.metrics + hard,
            finished=finished,
            changed=plan.target.name in changed
            or (judge.model is not None and judge.model.name in judge_changed),
        )

    own = scores(fold_probes(directory.read_events()), plan.judge, changed)
    digest = plan_digest(plan)
    layers = []
    for layer in directory.read_layers():
        layer.require_plan(digest)
        judge = layer.head.judge
        rows = fold_layer(directory.read_events(), layer)
        layers.append(scores(rows, judge, changed_models(run, judge)))
    return tuple(chain(own, *layers))


def _score_similarity(run: Path, plan: RsePlan) -> tuple[SimilarityScore, ...]:
    directory = RunDirectory(run)
    rows = tuple(fold_pairs(directory.read_events()))
    ceiling = tuple(fold_ceiling(directory.read_events()))
    finished = directory.finished()
    changed = changed_models(run)
    sides = (plan.target, plan.reference)
    asked = blake2b(msgspec.json.encode(plan.sets), digest_size=6).hexdigest()

    def scores(
        pairs: PromptValues, own: PromptValues, judge: PlannedModel | None, version: str
    ) -> tuple[SimilarityScore, ...]:
        models = [*sides, *(() if judge is None else (judge,))]
        return score_prompts(
            pairs,
            run=run.resolve().name,
            target=plan.target.name,
            reference=plan.reference.name,
            judge="" if judge is None else judge.name,
            prompt_version=version,
            weights=None if judge is None else plan.weights,
            prompts_digest=asked,
            seed=plan.seed,
            ceiling=own if plan.ceiling else None,
            sets=tuple(prompts.name for prompts in plan.sets),
            finished=finished,
            changed=any(model.name in changed for model in models),
            same_vendor=judge is not None and any(judge_conflict(judge, side) for side in sides),
        )

    graded = (read_gradings(rows, plan.weights), read_gradings(ceiling, plan.weights))
    found = scores(*graded, plan.judge, plan.rubric_version)
    found += scores(read_texts(rows), read_texts(ceiling), None, LIKENESS_VERSION)
    if plan.embedder is not None:
        cosines, own = fold_cosines(directory.read_events())
        embedded = (read_cosines(rows, cosines), read_cosines(ceiling, own))
        found += scores(*embedded, None, plan.embedder.name)
    return found


def write_scores(run: Path) -> tuple[AnyScore, ...]:
    """Leave the scores of *run* beside its events, as scores.json, and return them."""
    scores = score_run(run)
    RunDirectory(run).write_text("scores.json", to_json(scores))
    return scores


def score_runs(runs: Sequence[Path]) -> tuple[AnyScore, ...]:
    """Return the scores of several runs, in order; a folder of runs stands for all inside it."""
    return tuple(score for run in runs for found in find_runs(run) for score in score_run(found))


def find_changes(runs: Sequence[Path]) -> tuple[str, ...]:
    """Return a line on every model that answered under more than one id in one of *runs*."""
    found = (inner for run in runs for inner in find_runs(run))
    return tuple(line for run in found for line in _changes(run))


def _changes(run: Path) -> Iterator[str]:
    yield from changed_models(run).values()
    for layer in RunDirectory(run).read_layers():
        yield from changed_models(run, layer.head.judge).values()


def find_runs(path: Path) -> tuple[Path, ...]:
    """Return *path* itself, or the runs in the folders right under it."""
    if RunDirectory(path).exists() or not path.is_dir():
        return (path,)
    found = tuple(
        inner
        for inner in sorted(path.iterdir())
        if RunDirectory(inner).exists() and ASIDE not in inner.name
    )
    return found or (path,)
