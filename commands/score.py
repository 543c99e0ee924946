"""``hydrometer score``: the scores of recorded runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..engine.files import ASIDE, RunDirectory
from ..engine.fold import fold_probes
from ..report.formats import to_json
from ..scoring.scores import Score, score_table
from ..scoring.table import ProbeTable


def score_run(run: Path) -> tuple[Score, ...]:
    """Return the scores of one run, by its own judge. Raises InputInvalid for a folder of none."""
    directory = RunDirectory(run)
    plan = directory.read_plan()
    table = ProbeTable(fold_probes(directory.read_events()))
    return score_table(
        table,
        run=run.resolve().name,
        target=plan.target.name,
        kind=plan.kind,
        judge=plan.judge_name,
        prompt_version=plan.judge_version,
        seed=plan.seed,
        metrics=("strict", "hard") if plan.judge is None else ("loose", "strict", "hard"),
        finished=directory.finished(),
    )


def write_scores(run: Path) -> tuple[Score, ...]:
    """Leave the scores of *run* beside its events, as scores.json, and return them."""
    scores = score_run(run)
    RunDirectory(run).write_text("scores.json", to_json(scores))
    return scores


def score_runs(runs: Sequence[Path]) -> tuple[Score, ...]:
    """Return the scores of several runs, in order; a folder of runs stands for all inside it."""
    return tuple(score for run in runs for found in find_runs(run) for score in score_run(found))


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
