"""``hydrometer plan``: what a run would send, cost and take, without sending anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import anyio
import msgspec

from ..cache.cached import AnsweredCall, KeyedProvider
from ..cache.disk import holds_store
from ..cache.errors import CacheMiss
from ..cache.reader import open_reader
from ..cache.replay_only import ReplayOnly
from ..cache.store import MemoryStore, Store
from ..engine.calls.caller import ModelCaller
from ..engine.execute import run_plan
from ..engine.ice.ice_events import CallFailed
from ..engine.records.event_log import Tally
from ..engine.records.run_directory import RunDirectory
from ..engine.setup.config import Config, RunTable
from ..engine.setup.models import Role
from ..engine.setup.plan import AnyPlan, IcePlan, Imported, RsePlan, planned_models
from ..engine.setup.registry import StrategyRegistry
from .estimates import RoleEstimate, answered_by, count_tickets, estimate
from .plugins import Plugins
from .session import cache_folder


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """A plan in figures."""

    title: str
    unit: str  # what *cached_probes* counts
    roles: tuple[RoleEstimate, ...]
    cached_probes: int  # applied in order before the first answer that is missing
    cached_calls: int
    complete: bool  # the cache covers the whole run


def split_targets(
    config: Config, targets: Sequence[str] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the targets of ``[ice]`` and those of ``[rse]``, or what *targets* leaves of each.

    A target that one table alone lists concerns that table. One that neither lists may be meant
    for any table that is in use, as either command takes any model for a target.
    """
    listed, compared = config.ice.targets, config.rse.targets
    if not targets:
        return listed, compared
    any_rse = bool(compared or config.rse.reference)
    any_ice = bool(listed) or not any_rse
    return (
        tuple(name for name in targets if name in listed or (any_ice and name not in compared)),
        tuple(name for name in targets if name in compared or (any_rse and name not in listed)),
    )


async def preview_run(
    config: Config,
    plan: AnyPlan,
    cache: Path,
    plugins: Plugins | None = None,
    *,
    after: Sequence[AnyPlan] = (),
) -> Preview:
    """Return what *plan* would send, and how far the cache can answer it already.

    What the plans *after* which it runs ask of the same models is not asked again.
    """
    catalogue = (plugins or Plugins()).catalogue
    found: Counter[Role] = Counter()
    if await anyio.to_thread.run_sync(holds_store, cache):
        with open_reader(cache) as store:
            tally, miss = await follow(plan, store, catalogue, found)
    else:
        tally, miss = await follow(plan, MemoryStore(), catalogue)
    if isinstance(plan, RsePlan):
        title = (
            f"{plan.target.name} against {plan.reference.name}: {plan.prompts} prompts in "
            f"{len(plan.sets)} sets"
        )
    else:
        title = f"{plan.target.name}: {plan.probes} probes, {count_tickets(plan)} templates"
    return Preview(
        title=title,
        unit="prompts" if isinstance(plan, RsePlan) else "probes",
        roles=tuple(
            estimate(
                plan,
                role,
                config.models[model.name],
                catalogue,
                known=answered_by(after),
                found=None if miss is None else found[role],
            )
            for role, model in planned_models(plan).items()
        ),
        cached_probes=tally.probes,
        cached_calls=tally.calls["cache"],
        complete=miss is None,
    )


async def follow(
    plan: AnyPlan,
    store: Store,
    catalogue: StrategyRegistry,
    found: Counter[Role] | None = None,
    *,
    failures: Mapping[str, CallFailed] | None = None,
) -> tuple[Tally, CacheMiss | None]:
    """Walk the search through *store*; return what it had, and the first answer that it lacks.

    *found* counts the answers by role; *failures* are those that a run recorded.
    """
    tally, found = Tally(), Counter() if found is None else found
    providers: dict[Role, KeyedProvider] = {
        role: ReplayOnly(store, pool=model.name, observer=_Found(role, tally, found))
        for role, model in planned_models(plan).items()
    }
    try:
        await run_plan(
            plan, ModelCaller(providers, failures or {}), tally.write, catalogue=catalogue
        )
    except CacheMiss as miss:
        return tally, miss
    return tally, None


class _Found:
    """Counts what the store has, in all and for one role."""

    def __init__(self, role: Role, tally: Tally, found: Counter[Role]) -> None:
        self._role = role
        self._tally = tally
        self._found = found

    def call_ended(self, call: AnsweredCall) -> None:
        self._tally.call_ended(call)
        self._found[self._role] += 1


async def explain_coverage(run: Path, cache: Path | None, plugins: Plugins) -> str:
    """Return what of a run is in its cache, and why the first call that is not there is not.

    Raises InputInvalid for a folder that holds no run, CacheError for an unusable cache.
    """
    directory = RunDirectory(run)
    plan = directory.read_plan()
    if isinstance(plan, IcePlan) and isinstance(plan.search, Imported):
        return f"{run} was imported: it made no call"
    folder = cache or Path(directory.read_status().cache or cache_folder(None, RunTable().cache))
    with open_reader(folder) as store:
        tally, miss = await follow(
            plan, store, plugins.catalogue, failures=directory.read_failures()
        )
    if isinstance(plan, RsePlan):
        unit, planned = "prompts", plan.prompts
    else:
        unit, planned = "probes", plan.probes
    calls = tally.calls["cache"]
    if miss is None:
        return f"{calls:,} calls of {tally.probes:,} {unit} are in {folder}: the whole run"
    # What comes after a gap depends on what is missing there, so it cannot be looked for.
    return (
        f"{calls:,} calls were found in {folder}; they lead through {tally.probes:,} of "
        f"{planned:,} {unit}, to the first that is missing: {miss}"
    )
