"""``hydrometer rescore``: another judge over the answers of a run, without calling its target."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from ..cache.cached import Cached, KeyedProvider
from ..cache.disk import open_store
from ..cache.errors import CacheError
from ..engine.config import Config
from ..engine.errors import CallsKeepFailing, InputInvalid, RunConflict
from ..engine.files import RunDirectory
from ..engine.imported import LABELS
from ..engine.layers import LayerHead
from ..engine.models import Role
from ..engine.plan import Plan, PlannedJudge, plan_digest
from ..engine.planning import PRESETS, build_judge, refuse_twins
from ..engine.rescore import run_rescore
from ..engine.runner import PROBES_AT_ONCE, Asker
from ..engine.sinks import Observers, Tally
from ..providers.errors import ProviderError, SettingsInvalid
from .interrupt import stoppable
from .measure import as_stop
from .plugins import Plugins
from .session import CACHE_VARIABLE, Pools, build_budget, cache_folder, open_pools


class RescoreJob(msgspec.Struct, frozen=True, kw_only=True):
    """One run, and the judge that is to read it."""

    run: Path
    judge: str
    config: Config = Config()
    cache: Path | None = None
    plugins: Plugins = Plugins()
    signals: bool = True


async def run_rescoring(job: RescoreJob, tally: Tally, say: Callable[[str], None]) -> Path:
    """Add the judge's layer to the run, and return its file.

    Raises InputInvalid or SettingsInvalid for what cannot be done, RunStopped when it has to
    pause: what was paid for is in the cache, and the same command goes on from there.
    """
    directory = RunDirectory(job.run)
    plan = directory.read_plan()
    if not isinstance(plan, Plan):
        raise InputInvalid(f"{job.run} compares two models; rescore reads identity runs")
    judge = plan_rescoring(job, plan)
    with directory.locked():
        async with AsyncExitStack() as stack:
            providers: dict[Role, KeyedProvider] = {}
            pools = Pools()
            at_once = PROBES_AT_ONCE
            if judge.model is not None:
                observers = Observers(tally)
                store = await stack.enter_async_context(open_store(_cache(job, directory)))
                pools = await stack.enter_async_context(
                    open_pools(
                        job.config,
                        {judge.model.name},
                        observers=observers,
                        budget=build_budget(job.config),
                        plugins=job.plugins,
                    )
                )
                name = judge.model.name
                providers["judge"] = Cached(pools[name], store, pool=name, observer=observers)
                at_once = job.config.models[name].all_slots

            try:
                async with stoppable(
                    pools.abandon, pools.in_flight, say, state=pools.state, signals=job.signals
                ):
                    rows = await run_rescore(
                        plan,
                        judge,
                        directory.read_events(),
                        Asker(providers, {}),
                        catalogue=job.plugins.catalogue,
                        at_once=at_once,
                    )
            except SettingsInvalid:
                raise
            except (CallsKeepFailing, ProviderError, CacheError) as error:
                raise as_stop(error, directory) from error
        return directory.write_layer(LayerHead(judge=judge, plan=plan_digest(plan)), rows)


def plan_rescoring(job: RescoreJob, plan: Plan) -> PlannedJudge:
    """Return the judge of *job*. Raises InputInvalid for one that cannot read this run."""
    if job.judge == plan.judge.name:
        raise RunConflict(
            f"{job.judge} judged {job.run} in the first place; another judge needs another name"
        )
    if job.judge == LABELS:
        raise RunConflict(f"{LABELS} is the name of what people said; another judge needs another")
    config, ice = job.config, job.config.ice
    refuse_twins(config)
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


def _cache(job: RescoreJob, directory: RunDirectory) -> Path:
    """Return the cache to use: as everywhere, but the run's own before the config's."""
    recorded = directory.read_status().cache
    if job.cache is None and CACHE_VARIABLE not in os.environ and recorded:
        return Path(recorded)
    return cache_folder(job.cache, job.config.run.cache)
