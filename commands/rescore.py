"""``hydrometer rescore``: another judge over the answers of a run, without calling its target."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import msgspec

from ..cache.cached import Cached
from ..cache.disk import open_store
from ..cache.errors import CacheError, CacheUnreadable
from ..engine.calls.caller import DEFAULT_WORKERS, ModelCaller
from ..engine.errors import CallsKeepFailing, InputInvalid, RunConflict
from ..engine.ice.ice_events import Event, Judgement, Probed
from ..engine.records.event_log import Observers, Tally, TimingLog
from ..engine.records.layers import LABELS, LayerHead
from ..engine.records.run_directory import RunDirectory
from ..engine.records.timings import runs_at, spent_in
from ..engine.rescore import run_rescore
from ..engine.setup.config import Config
from ..engine.setup.plan import IcePlan, PlannedJudge, first_difference, plan_digest
from ..engine.setup.planning import PRESETS, build_judge, reject_duplicate_identities
from ..providers.errors import ProviderError, SettingsInvalid
from ..report.terminal.progress import Progress, show_progress
from .batch import terminal
from .interrupt import stoppable
from .measure import as_stop
from .plugins import Plugins
from .score import AnyScore, write_scores
from .session import CACHE_VARIABLE, Pools, build_budget, cache_folder, open_pools


class RescoreJob(msgspec.Struct, frozen=True, kw_only=True):
    """One run, and the judge that is to read it."""

    run: Path
    judge: str
    config: Config = Config()
    cache: Path | None = None
    plugins: Plugins = Plugins()
    signals: bool = True


def show_rescoring(
    job: RescoreJob, say: Callable[[str], None], *, quiet: bool
) -> tuple[AnyScore, ...]:
    """Do *job* as a command does: show how far it is, and leave the scores beside the events."""
    directory, tally = RunDirectory(job.run), Tally()
    judge = plan_rescoring(job, _read_plan(directory))
    progress = Progress(
        judge.name,
        _count_probes(directory),
        tally,
        metric=judge.metrics[0],
        priced=any(model.cost_usd(0, 1) > 0 for model in job.config.models.values()),
    )
    with show_progress(progress, terminal(), quiet=quiet):
        anyio.run(run_rescoring, job, tally, say)
    return write_scores(job.run)


async def run_rescoring(job: RescoreJob, tally: Tally, say: Callable[[str], None]) -> Path:
    """Add the judge's layer to the run, or what its layer lacks, and return its file.

    Raises InputInvalid, SettingsInvalid or CacheUnreadable for what cannot be done, and RunStopped
    when it has to pause: what was paid for is in the cache, and the same command goes on there.
    """
    directory = RunDirectory(job.run)
    plan = _read_plan(directory)
    judge = plan_rescoring(job, plan)
    with directory.locked():
        known = _known(directory, plan, judge)
        try:
            async with (
                _opened(job, directory, judge, tally) as means,
                stoppable(
                    means.pools.abandon,
                    means.pools.in_flight,
                    say,
                    state=means.pools.state,
                    signals=job.signals,
                ),
            ):
                rows = await run_rescore(
                    plan,
                    judge,
                    directory.read_events(),
                    means.asker,
                    means.emit,
                    catalogue=job.plugins.catalogue,
                    at_once=means.at_once,
                    known=known,
                )
        except (SettingsInvalid, CacheUnreadable):
            raise
        except (CallsKeepFailing, ProviderError, CacheError, OSError) as error:
            raise as_stop(error, directory) from error
        return directory.write_layer(LayerHead(judge=judge, plan=plan_digest(plan)), rows)


def plan_rescoring(job: RescoreJob, plan: IcePlan) -> PlannedJudge:
    """Return the judge of *job*. Raises InputInvalid for one that cannot read this run."""
    if job.judge == plan.judge.name:
        raise RunConflict(
            f"{job.judge} judged {job.run} in the first place; another judge needs another name"
        )
    if job.judge == LABELS:
        raise RunConflict(f"{LABELS} is the name of what people said; another judge needs another")
    config, ice = job.config, job.config.ice
    reject_duplicate_identities(config)
    if ice.judge != job.judge:  # what the config says of its own judge is not meant for this one
        ice = msgspec.structs.replace(ice, judge_model="", judge_settings={})
        config = msgspec.structs.replace(config, ice=ice)
    temperature = PRESETS[ice.preset].temperature
    judge = build_judge(
        config, job.judge, job.plugins.catalogue, temperature=temperature, path="--judge"
    )
    if "loose" in judge.metrics and not plan.fact:
        raise InputInvalid(
            f"{job.run} has no fact of its target, which {job.judge} compares answers with; "
            "import it again with --fact"
        )
    return judge


def _read_plan(directory: RunDirectory) -> IcePlan:
    plan = directory.read_plan()
    if not isinstance(plan, IcePlan):
        raise InputInvalid(f"{directory.path} compares two models; rescore reads identity runs")
    return plan


def _count_probes(directory: RunDirectory) -> int:
    return sum(isinstance(event, Probed) for event in directory.read_events())


def _known(directory: RunDirectory, plan: IcePlan, judge: PlannedJudge) -> Mapping[int, Judgement]:
    """Return what the judge's layer has already. Raises RunConflict for another judge's layer."""
    layer = directory.read_layer(judge.name)
    if layer is None:
        return {}
    layer.require_plan(plan_digest(plan))
    if layer.head.judge != judge:
        theirs, ours = (
            msgspec.structs.replace(plan, judge=judge) for judge in (layer.head.judge, judge)
        )
        raise RunConflict(
            f"{layer.where} is the layer of another judge: {first_difference(theirs, ours)}; "
            "move it away, or name this judge otherwise"
        )
    layer.require_probes(_count_probes(directory))
    return layer.judgements


class _Means(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge reads with; *emit* takes the probes that it has read."""

    asker: ModelCaller
    pools: Pools
    at_once: int
    emit: Callable[[tuple[Event, ...]], None]


@asynccontextmanager
async def _opened(
    job: RescoreJob, directory: RunDirectory, judge: PlannedJudge, tally: Tally
) -> AsyncIterator[_Means]:
    """Open the judge's model, if it asks one; what the readings so far spent counts."""
    if judge.model is None:
        yield _Means(
            asker=ModelCaller({}, {}), pools=Pools(), at_once=DEFAULT_WORKERS, emit=tally.write
        )
        return
    name = judge.model.name
    spent = spent_in(runs_at(job.run), job.config, judge)
    with directory.open_timings(judge) as file:
        timings = TimingLog(file)
        observers = Observers(tally, timings)

        def emit(events: tuple[Event, ...]) -> None:
            tally.write(events)
            timings.flush()

        async with (
            open_store(_cache(job, directory)) as store,
            open_pools(
                job.config,
                {name},
                budget=build_budget(job.config, spent),
                spent=spent,
                plugins=job.plugins,
            ) as pools,
        ):
            tally.statistics = pools.statistics
            cached = Cached(pools[name].watched_by(observers), store, pool=name, observer=observers)
            try:
                yield _Means(
                    asker=ModelCaller({"judge": cached}, {}),
                    pools=pools,
                    at_once=job.config.models[name].all_slots,
                    emit=emit,
                )
            finally:
                tally.statistics = dict
                timings.pool_ended(name, pools[name].statistics())
                timings.flush()


def _cache(job: RescoreJob, directory: RunDirectory) -> Path:
    """Return the cache to use: as everywhere, but the run's own before the config's."""
    recorded = directory.read_status().cache
    if job.cache is None and CACHE_VARIABLE not in os.environ and recorded:
        return Path(recorded)
    return cache_folder(job.cache, job.config.run.cache)
