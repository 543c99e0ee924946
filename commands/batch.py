"""The runs of one command: one after the other, on one budget, each show_progress while it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import anyio
import msgspec
from rich.console import Console

from ..engine.records.event_log import Tally
from ..engine.records.run_directory import RunDirectory
from ..engine.records.timings import runs_at, spent_in
from ..engine.setup.config import Config
from ..engine.setup.plan import AnyPlan, RsePlan, planned_models
from ..providers.limits.budget import Budget, Spent
from ..report.terminal.progress import GRADED, Progress, show_progress
from .measure import MeasureJob, Start, run_measure
from .plugins import Plugins
from .score import AnyScore, write_scores
from .session import build_budget, require_prices


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What the runs of one command have in common."""

    config: Config
    base: Path
    cache: Path
    several: bool
    start: Start
    preflight: bool
    plugins: Plugins
    verbose: bool = False

    def directory(self, name: str) -> Path:
        """Return the run directory of the run called *name*."""
        return self.base / name if self.several else self.base

    def spent(self) -> dict[str, Spent]:
        """Return what the command has spent, by model: in every run it made, in all sessions."""
        return spent_in(runs_at(self.base), self.config)


def run_batch(
    batch: Batch,
    names: Sequence[str],
    plans: Sequence[AnyPlan],
    say: Callable[[str], None],
    *,
    quiet: bool,
) -> list[AnyScore]:
    """Run every plan and return their scores. Raises what the first run that stops raises."""
    require_prices(
        batch.config, {model.name for plan in plans for model in planned_models(plan).values()}
    )
    budget = build_budget(batch.config, batch.spent())
    scores: list[AnyScore] = []
    for name, plan in zip(names, plans, strict=True):
        directory = batch.directory(name)
        begun = RunDirectory(directory).exists()
        job = MeasureJob(
            config=batch.config,
            plan=plan,
            directory=directory,
            cache=batch.cache,
            # Of several runs, those that were never begun begin now.
            start="new" if batch.several and not begun else batch.start,
            preflight=batch.preflight,
            plugins=batch.plugins,
            spent=batch.spent(),
        )
        if batch.verbose:
            say(f"{name}: run {directory}, cache {batch.cache}")
        scores += _run_one(name, job, budget, say, quiet=quiet)
    return scores


def _run_one(
    name: str, job: MeasureJob, budget: Budget, say: Callable[[str], None], *, quiet: bool
) -> tuple[AnyScore, ...]:
    """Run one plan, and leave its scores beside its events."""
    tally = Tally(job.plan.weights if isinstance(job.plan, RsePlan) else None)
    priced = any(model.cost_usd(0, 1) > 0 for model in job.config.models.values())
    if isinstance(job.plan, RsePlan):
        metric, size = GRADED, job.plan.prompts
    else:
        metric, size = job.plan.judge.metrics[0], job.plan.probes
    progress = Progress(name, size, tally, metric=metric, priced=priced)
    with show_progress(progress, terminal(), quiet=quiet):
        anyio.run(run_measure, job, tally, say, budget)
    return write_scores(job.directory)


def terminal() -> Console:
    """Return where progress goes: stderr, so that results alone are on stdout."""
    return Console(stderr=True)
