"""Python API: the names of ``import hydrometer``. They are the commands, without a terminal.

The functions raise the same errors as the commands: InputInvalid for invalid arguments and files,
PluginBroken for a faulty plug-in, RunStopped for a run that paused and can be resumed,
ProviderError for a failed model, and CacheError for the cache. They change nothing in the process:
no signal handler, no setting of the garbage collector. They print nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..cache.errors import CacheError
from ..engine.errors import EngineError, InputInvalid, PluginBroken, RunStopped
from ..engine.ice.ice_plan import IcePlan
from ..engine.measurement import Measurement, NamedPlan, Score
from ..engine.records.recorded_run import RecordedRun
from ..engine.records.tally import RunProgress, Tally
from ..engine.rse.rse_plan import RsePlan
from ..engine.setup.config import Config, load_config_file
from ..engine.setup.plan import Plan
from ..engine.version import __version__
from ..providers.errors import ProviderError, SettingsInvalid
from ..results.outcomes import ReplayResult
from ..results.scoring import score_runs
from .batch import Batch, run_batch
from .listener import Listener, SilentListener
from .plans import plan_all, plan_runs
from .plugins import Plugins
from .replay import replay_run
from .rescore import RescoreJob, run_rescoring
from .run import Start
from .session import cache_folder, require_models

__all__ = [
    "CacheError",
    "Config",
    "EngineError",
    "IcePlan",
    "InputInvalid",
    "Listener",
    "Measurement",
    "NamedPlan",
    "Plan",
    "PluginBroken",
    "Plugins",
    "ProviderError",
    "RecordedRun",
    "ReplayResult",
    "RsePlan",
    "RunProgress",
    "RunStopped",
    "Score",
    "Tally",
    "__version__",
    "build_plan",
    "build_plans",
    "load_config",
    "read_run",
    "replay",
    "rescore",
    "run",
    "run_all",
    "score",
]

_PLUGINS = Plugins()


def load_config(path: str | Path, *, plugins: Plugins = _PLUGINS) -> Config:
    """Return the config in the file at *path*. Raises InputInvalid."""
    return load_config_file(Path(path), plugins.measurements)


def build_plans(
    config: Config,
    *targets: str,
    kind: str = "",
    folder: str | Path = ".",
    plugins: Plugins = _PLUGINS,
) -> tuple[NamedPlan[Any], ...]:
    """Return the plans of the table *kind*, or of every table that *config* uses.

    *targets* are the models to measure, by default the targets of the table. Each plan comes with
    the name of its run. Paths in the config are relative to *folder*. Raises InputInvalid.
    """
    with _settings_as_input():
        if kind:
            return plan_runs(
                config, kind, targets, folder=Path(folder), plugins=plugins, say=_say_nothing
            )
        return plan_all(config, targets, folder=Path(folder), plugins=plugins, say=_say_nothing)


def build_plan(
    config: Config,
    target: str = "",
    *,
    kind: str = "ice",
    folder: str | Path = ".",
    plugins: Plugins = _PLUGINS,
) -> Any:
    """Return the plan of *target*, by default the first target of the table *kind*.

    Raises InputInvalid.
    """
    names = (target,) if target else ()
    return build_plans(config, *names, kind=kind, folder=folder, plugins=plugins)[0].plan


async def run(
    plan: Plan,
    config: Config,
    out: str | Path,
    *,
    cache: str | Path | None = None,
    start: Start = "new",
    preflight: bool = True,
    tally: Tally | None = None,
    plugins: Plugins = _PLUGINS,
) -> tuple[Score, ...]:
    """Measure the plan's target into the run directory *out*, and return its scores.

    *config* has the addresses, keys, limits and budgets of the plan's models. *tally* is updated
    during the run, for a progress display. Cancelling is safe: the function waits for calls in
    flight and stores their answers, and ``start="resume"`` continues the run. Raises InputInvalid,
    without creating a directory if *config* lacks a model of the plan. Raises RunStopped when the
    run pauses.
    """
    directory = Path(out)
    batch = Batch(
        config=config,
        base=directory,
        cache=cache_folder(None if cache is None else Path(cache), config.run.cache),
        several=False,
        start=start,
        preflight=preflight,
        plugins=plugins,
    )
    named = NamedPlan(name=plan.target.name, plan=plan)
    with _settings_as_input():
        require_models(config, plan, plugins)
        tallies = {named.name: tally} if tally else None
        result = await run_batch(batch, (named,), SilentListener(), tallies=tallies)
    return result.scores


async def run_all(
    plans: Sequence[NamedPlan[Any]],
    config: Config,
    out: str | Path,
    *,
    cache: str | Path | None = None,
    start: Start = "new",
    preflight: bool = True,
    listener: Listener | None = None,
    plugins: Plugins = _PLUGINS,
) -> Mapping[str, tuple[Score, ...]]:
    """Run *plans* side by side, each in a folder of *out*, and return the scores by run name.

    The runs share connections, rate limits, the budget and the cache. *listener* is told of each
    run as it begins, and of remarks. A run that stops does not stop the others; what stopped the
    first is raised when all have ended. Otherwise this is like run(), and raises the same.
    """
    batch = Batch(
        config=config,
        base=Path(out),
        cache=cache_folder(None if cache is None else Path(cache), config.run.cache),
        start=start,
        preflight=preflight,
        plugins=plugins,
    )
    with _settings_as_input():
        for named in plans:
            require_models(config, named.plan, plugins)
        result = await run_batch(batch, plans, listener or SilentListener())
    return {
        named.name: tuple(score for score in result.scores if score.run == named.name)
        for named in plans
    }


async def replay(
    run: str | Path, cache: str | Path | None = None, *, plugins: Plugins = _PLUGINS
) -> ReplayResult:
    """Do a run again from its cache alone, and compare every event byte for byte.

    Raises InputInvalid if there is nothing to replay, and CacheError for an unusable cache.
    """
    return await replay_run(Path(run), None if cache is None else Path(cache), plugins)


async def rescore(
    run: str | Path,
    judge: str,
    config: Config | None = None,
    *,
    cache: str | Path | None = None,
    plugins: Plugins = _PLUGINS,
) -> tuple[Score, ...]:
    """Have *judge* read the answers of a run, and return the run's scores with the new layer.

    The target is not called. Raises InputInvalid, or RunStopped if the judge's model fails. The
    answers received until then are in the cache, and the same call continues from there.
    """
    job = RescoreJob(
        run=Path(run),
        judge=judge,
        config=config or Config(),
        cache=None if cache is None else Path(cache),
        plugins=plugins,
    )
    with _settings_as_input():
        return await run_rescoring(job, SilentListener())


def read_run(path: str | Path, *, plugins: Plugins = _PLUGINS) -> RecordedRun[Any]:
    """Return a recorded run: its plan, status, events and layers. Raises InputInvalid."""
    return RecordedRun(Path(path), plugins.measurements)


def score(*runs: str | Path, plugins: Plugins = _PLUGINS) -> tuple[Score, ...]:
    """Return the scores of recorded runs, by their own judges and by every layer.

    A folder of runs means all runs in it. Raises InputInvalid.
    """
    return score_runs([Path(path) for path in runs], plugins.measurements)


@contextmanager
def _settings_as_input() -> Iterator[None]:
    """Raise InputInvalid instead of SettingsInvalid, the error for wrong settings of a model."""
    try:
        yield
    except SettingsInvalid as error:
        raise InputInvalid(str(error)) from error


def _say_nothing(remark: str) -> None:
    """Ignore *remark*. A program reads status.json and the tally instead."""
