"""Replay: does a recorded run again from the cache alone, and compares its events."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from ..cache.cached import CallObserver, KeyedProvider
from ..cache.errors import CacheMiss
from ..cache.reader import open_reader
from ..cache.replay_only import ReplayOnly
from ..cache.store import Store
from ..engine.calls.caller import ModelCaller
from ..engine.calls.workers import DEFAULT_WORKERS
from ..engine.errors import EventsDiffer, FileInvalid, RecordingEnded
from ..engine.records.event_log import EventLog
from ..engine.records.recorded_run import RecordedRun
from ..engine.records.run_directory import EVENTS
from ..engine.setup.models import PlannedModel, Role
from ..results.outcomes import ReplayResult
from .measuring import run_plan
from .plugins import Plugins


async def replay_run(run: Path, cache: Path | None, plugins: Plugins) -> ReplayResult:
    """Do *run* again from the cache and compare every event, byte for byte.

    A run that was stopped is replayed to its recorded end. Raises InputInvalid if there is nothing
    to replay, and CacheError for a cache that cannot be used.
    """
    recorded: RecordedRun[Any] = RecordedRun(run, plugins.measurements)
    if reason := recorded.measurement.not_replayable(recorded.plan):
        raise FileInvalid(f"{run} {reason}: there is nothing to replay")
    if not recorded.directory.begun():
        raise FileInvalid(f"{run / EVENTS} holds no event: there is nothing to replay")
    folder = cache or recorded.status.cache
    if not folder:
        raise FileInvalid(f"{run} names no cache, so there is nothing to replay; give --cache")
    with open_reader(Path(folder)) as store:
        return await replay_from(recorded, store, plugins)


async def replay_from(run: RecordedRun[Any], store: Store, plugins: Plugins) -> ReplayResult:
    """Compare the events of *run* with the events that its plan gives from *store* alone."""
    caller = ModelCaller(replay_providers(run.plan.models, store), run.failures())
    with closing(run.directory.read_lines()) as lines:
        log = EventLog(lines, None)
        try:
            await run_plan(
                *(run.measurement, run.plan, caller, log.write),
                registry=plugins.strategies,
                workers=DEFAULT_WORKERS,
            )
            log.finish()
        except RecordingEnded:
            return ReplayResult(events=log.compared, complete=False)
        except (EventsDiffer, CacheMiss) as error:
            if isinstance(error, CacheMiss) and log.at_end():
                return ReplayResult(events=log.compared, complete=False)
            return ReplayResult(events=log.compared, complete=False, difference=str(error))
        return ReplayResult(events=log.compared, complete=True)


def replay_providers(
    models: Mapping[Role, PlannedModel],
    store: Store,
    observers: Mapping[Role, CallObserver] | None = None,
) -> dict[Role, KeyedProvider]:
    """Return providers that answer from *store* alone. Each role's observer receives its calls."""
    return {
        role: ReplayOnly(store, pool=model.name, observer=(observers or {}).get(role))
        for role, model in models.items()
    }
