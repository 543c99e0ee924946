"""The library: what the commands do, for programs, without a terminal.

Errors are those of the commands: InputInvalid for what is wrong with what was handed in,
PluginBroken for a plug-in at fault, RunStopped for a run that paused and can be resumed,
ProviderError and CacheError from below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ..engine.errors import InputInvalid
from ..engine.ice.ice_events import Event
from ..engine.records.event_log import Tally
from ..engine.records.layers import Layer
from ..engine.records.run_directory import RunDirectory, Status
from ..engine.records.timings import runs_at, spent_in
from ..engine.setup.config import Config
from ..engine.setup.loading import load_texts
from ..engine.setup.plan import AnyPlan, IcePlan, RsePlan
from ..engine.setup.planning import build_ice_plan as build_plan_from
from ..providers.errors import SettingsInvalid
from .measure import MeasureJob, Start, run_measure
from .plugins import Plugins
from .replay import ReplayResult, replay_run
from .rescore import RescoreJob, run_rescoring
from .rse import plan_rse
from .score import AnyScore, score_runs, write_scores
from .session import cache_folder, require_models

_PLUGINS = Plugins()


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded run; events and layers are read from its files whenever they are asked for."""

    path: Path
    plan: AnyPlan
    status: Status

    def events(self) -> Iterator[Event]:
        """Yield what happened, in ticket order. Raises FileInvalid naming a damaged line."""
        return RunDirectory(self.path).read_events()

    def layers(self) -> Mapping[str, Layer]:
        """Return the verdicts of later judges and labels, by judge."""
        return {layer.head.judge.name: layer for layer in RunDirectory(self.path).read_layers()}


def build_plan(
    config: Config,
    target: str = "",
    *,
    folder: str | Path = ".",
    plugins: Plugins = _PLUGINS,
) -> IcePlan:
    """Return the plan for *target*, by default the first of ``ice.targets``.

    Files that the config names are looked for from *folder*. Raises InputInvalid.
    """
    name = target or next(iter(config.ice.targets), "")
    return build_plan_from(config, name, load_texts(config, Path(folder)), plugins.catalogue)


def build_comparisons(
    config: Config, *targets: str, folder: str | Path = "."
) -> tuple[RsePlan, ...]:
    """Return the plans of the ``[rse]`` table, of all its targets or of *targets*.

    Files that the config names are looked for from *folder*. Raises InputInvalid.
    """
    return plan_rse(config, targets, Path(folder), _say_nothing)


async def run(
    plan: AnyPlan,
    config: Config,
    out: str | Path,
    *,
    cache: str | Path | None = None,
    start: Start = "new",
    preflight: bool = True,
    tally: Tally | None = None,
    plugins: Plugins = _PLUGINS,
) -> tuple[AnyScore, ...]:
    """Measure the plan's target into the run directory *out*, and return its scores.

    *config* says how the plan's models are reached: addresses, keys, limits, budget. *tally* is
    counted up as the run goes, for whoever watches. Cancelling is safe: calls under way are
    waited for and kept, and ``start="resume"`` goes on. Raises InputInvalid, leaving no directory
    when *config* has not the plan's models, and RunStopped when the run pauses.
    """
    with _settings_as_input():
        require_models(config, plan, plugins)
    job = MeasureJob(
        config=config,
        plan=plan,
        directory=Path(out),
        cache=cache_folder(None if cache is None else Path(cache), config.run.cache),
        start=start,
        preflight=preflight,
        plugins=plugins,
        spent=spent_in(runs_at(Path(out)), config),
        signals=False,
    )
    with _settings_as_input():
        await run_measure(job, tally or Tally(), _say_nothing)
    return write_scores(Path(out))


async def replay(
    run: str | Path, cache: str | Path | None = None, *, plugins: Plugins = _PLUGINS
) -> ReplayResult:
    """Do a run again from its cache alone, and compare every event byte for byte.

    Raises InputInvalid when there is nothing to replay, CacheError for an unusable cache.
    """
    return await replay_run(Path(run), None if cache is None else Path(cache), plugins)


async def rescore(
    run: str | Path,
    judge: str,
    config: Config | None = None,
    *,
    cache: str | Path | None = None,
    plugins: Plugins = _PLUGINS,
) -> tuple[AnyScore, ...]:
    """Have *judge* read the answers of a run, and return the run's scores with the new layer.

    The target is not asked. Raises InputInvalid, or RunStopped when the judge's model fails: then
    what was received is cached, and the same call goes on.
    """
    job = RescoreJob(
        run=Path(run),
        judge=judge,
        config=config or Config(),
        cache=None if cache is None else Path(cache),
        plugins=plugins,
        signals=False,
    )
    with _settings_as_input():
        await run_rescoring(job, Tally(), _say_nothing)
    return write_scores(Path(run))


def read_run(path: str | Path) -> Run:
    """Return a recorded run. Raises InputInvalid where there is none."""
    directory = RunDirectory(Path(path))
    return Run(path=Path(path), plan=directory.read_plan(), status=directory.read_status())


def score(*runs: str | Path) -> tuple[AnyScore, ...]:
    """Return the scores of recorded runs, of their own judges and of every layer.

    A folder of runs stands for all inside it. Raises InputInvalid.
    """
    return score_runs([Path(path) for path in runs])


@contextmanager
def _settings_as_input() -> Iterator[None]:
    """Who calls a library handed its models' settings in, whatever layer finds them wrong."""
    try:
        yield
    except SettingsInvalid as error:
        raise InputInvalid(str(error)) from error


def _say_nothing(text: str) -> None:
    """Remarks are for terminals; a program reads status.json and the tally."""
