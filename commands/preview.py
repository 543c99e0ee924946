"""Preview: estimates for planned runs, and how much of them the cache covers. Nothing is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio

from ..cache.cached import AnsweredCall
from ..cache.disk import holds_store
from ..cache.errors import CacheMiss
from ..cache.reader import open_reader
from ..cache.store import MemoryStore, Store
from ..engine.calls.answers import CallFailed
from ..engine.calls.caller import ModelCaller
from ..engine.calls.workers import DEFAULT_WORKERS
from ..engine.estimates import Preview, estimate_role
from ..engine.plurals import counted
from ..engine.records.recorded_run import RecordedRun
from ..engine.records.tally import Tally
from ..engine.setup.config import Config, RunTable
from ..engine.setup.models import Role
from ..engine.setup.plan import Plan
from .measuring import run_plan
from .plugins import Plugins
from .replay import replay_providers
from .session import cache_folder


async def preview_plans(
    config: Config, plans: Sequence[Plan], cache: Path, plugins: Plugins
) -> tuple[Preview, ...]:
    """Return the estimates of each of *plans*, in order, and how much of it the cache covers.

    Calls that an earlier plan already makes are not counted again.
    """
    previews = []
    if await anyio.to_thread.run_sync(holds_store, cache):
        with open_reader(cache) as store:
            for number, plan in enumerate(plans):
                previews.append(await _preview(config, plan, plans[:number], store, plugins))
    else:
        for number, plan in enumerate(plans):
            previews.append(await _preview(config, plan, plans[:number], MemoryStore(), plugins))
    return tuple(previews)


async def explain_coverage(run: Path, cache: Path | None, plugins: Plugins) -> str:
    """Return how much of a run is in its cache, and an explanation of the first cache miss.

    Raises InputInvalid for a folder without a run, and CacheError for an unusable cache.
    """
    recorded: RecordedRun[Any] = RecordedRun(run, plugins.measurements)
    plan, unit = recorded.plan, recorded.measurement.unit
    if reason := recorded.measurement.not_replayable(plan):
        return f"{run} {reason}"
    folder = cache or Path(recorded.status.cache or cache_folder(None, RunTable().cache))
    with open_reader(folder) as store:
        dry_run = _DryRun(plan, plugins)
        miss = await dry_run.run(store, failures=recorded.failures())
    calls, units = dry_run.tally.calls["cache"], dry_run.tally.units
    if miss is None:
        found = f"{counted(calls, 'calls')} of {counted(units, unit)}"
        return f"{found} found in {folder}: the whole run"
    # The requests after a miss depend on the missing answer, so they cannot be looked up.
    return (
        f"{counted(calls, 'calls')} found in {folder}, enough for {units:,} of "
        f"{counted(plan.size, unit)}, up to the first that is missing: {miss}"
    )


async def _preview(
    config: Config, plan: Plan, before: Sequence[Plan], store: Store, plugins: Plugins
) -> Preview:
    measurement = plugins.measurements.of(plan)
    dry_run = _DryRun(plan, plugins)
    miss = await dry_run.run(store)
    return Preview(
        title=measurement.title(plan),
        unit=measurement.unit,
        roles=tuple(
            estimate_role(
                role,
                model,
                config.models[model.name],
                measurement.estimate(plan, role, plugins.strategies, before),
                found=None if miss is None else dry_run.found[role],
            )
            for role, model in plan.models.items()
        ),
        cached_units=dry_run.tally.units,
        cached_calls=dry_run.tally.calls["cache"],
        complete=miss is None,
    )


class _DryRun:
    """Runs a plan from a store alone, until the first answer that is missing."""

    def __init__(self, plan: Plan, plugins: Plugins) -> None:
        self._plan = plan
        self._plugins = plugins
        self._measurement = plugins.measurements.of(plan)
        self.tally = Tally(self._measurement.counts(plan))
        self.found: Counter[Role] = Counter()  # answers by role

    async def run(
        self, store: Store, *, failures: Mapping[str, CallFailed] | None = None
    ) -> CacheMiss | None:
        """Return the first miss, or None if the store has every answer."""
        models = self._plan.models
        observers = {role: _RoleCounter(role, self) for role in models}
        caller = ModelCaller(replay_providers(models, store, observers), failures or {})
        try:
            await run_plan(
                *(self._measurement, self._plan, caller, self.tally.write),
                registry=self._plugins.strategies,
                workers=DEFAULT_WORKERS,
            )
        except CacheMiss as miss:
            return miss
        return None


class _RoleCounter:
    """Counts the stored answers of one role."""

    def __init__(self, role: Role, dry_run: _DryRun) -> None:
        self._role = role
        self._dry_run = dry_run

    def call_ended(self, call: AnsweredCall) -> None:
        self._dry_run.tally.call_ended(call)
        self._dry_run.found[self._role] += 1
