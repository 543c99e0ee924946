"""``hydrometer replay``: a recorded run again, from the cache alone."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec

from ..cache.cached import KeyedProvider
from ..cache.errors import CacheMiss
from ..cache.reader import open_reader
from ..cache.replay_only import ReplayOnly
from ..cache.store import Store
from ..engine.calls.caller import ModelCaller
from ..engine.errors import EventsDiffer, FileInvalid, RecordingEnded
from ..engine.execute import run_plan
from ..engine.records.event_log import EventLog, Observers
from ..engine.records.run_directory import EVENTS, RunDirectory
from ..engine.setup.models import Role
from ..engine.setup.plan import AnyPlan, IcePlan, Imported, planned_models
from ..engine.setup.registry import StrategyRegistry
from .plugins import Plugins
from .session import seldom_collected


class ReplayResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay found; *difference* is empty when every recorded event came out again."""

    events: int
    complete: bool  # the recording goes to the run's end
    difference: str = ""


async def replay_run(
    run: Path, cache: Path | None = None, plugins: Plugins | None = None
) -> ReplayResult:
    """Do *run* again from the cache and compare every event, byte for byte.

    A run that was stopped is replayed to its recorded end. Raises InputInvalid when there is
    nothing to replay, CacheError for a cache that cannot be used.
    """
    directory = RunDirectory(run)
    plan = directory.read_plan()
    if isinstance(plan, IcePlan) and isinstance(plan.search, Imported):
        raise FileInvalid(f"{run} was imported, and no call was made: there is nothing to replay")
    recorded = directory.read_status().cache
    if not directory.begun():
        raise FileInvalid(f"{run / EVENTS} holds no event: there is nothing to replay")
    if cache is None and not recorded:
        raise FileInvalid(f"{run} names no cache, so there is nothing to replay; give --cache")
    folder = cache or Path(recorded)
    with open_reader(folder) as store:
        return await replay_from(directory, plan, store, (plugins or Plugins()).catalogue)


async def replay_from(
    directory: RunDirectory, plan: AnyPlan, store: Store, catalogue: StrategyRegistry
) -> ReplayResult:
    """Compare the events of *directory* with what *plan* gives from *store* alone."""
    with closing(directory.read_lines()) as recorded:
        return await _compare(EventLog(recorded, None), directory, plan, store, catalogue)


async def _compare(
    log: EventLog, directory: RunDirectory, plan: AnyPlan, store: Store, catalogue: StrategyRegistry
) -> ReplayResult:
    asker = ModelCaller(replay_providers(plan, store), directory.read_failures())
    try:
        with seldom_collected():
            await run_plan(plan, asker, log.write, catalogue=catalogue)
        log.finish()
    except RecordingEnded:
        return ReplayResult(events=log.compared, complete=False)
    except (EventsDiffer, CacheMiss) as error:
        if isinstance(error, CacheMiss) and log.at_end:
            return ReplayResult(events=log.compared, complete=False)
        return ReplayResult(events=log.compared, complete=False, difference=str(error))
    return ReplayResult(events=log.compared, complete=True)


def replay_providers(
    plan: AnyPlan, store: Store, observers: Observers | None = None
) -> dict[Role, KeyedProvider]:
    """Return providers that know nothing but *store*."""
    return {
        role: ReplayOnly(store, pool=model.name, observer=observers)
        for role, model in planned_models(plan).items()
    }
