"""``hydrometer ice``: one target measured into one run directory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Literal

import msgspec

from .. import __version__
from ..cache.disk import open_store
from ..cache.errors import CacheError
from ..engine.config import Config
from ..engine.errors import EventsDiffer, InputInvalid, RunConflict, RunStopped
from ..engine.events import Event
from ..engine.files import EVENTS, LOG, TIMINGS, RunDirectory, Status, disk_stop
from ..engine.plan import Plan
from ..engine.runner import Asker, run_search
from ..engine.sinks import EventLog, Observers, RunLog, Tally, TimingLog
from ..providers.errors import AccessDenied, BudgetReached, ProviderError, SettingsInvalid
from ..providers.pool import preflight
from ..providers.types import Request
from .interrupt import stoppable
from .session import build_budget, cached_providers, open_pools, planned_models

Start = Literal["new", "resume", "retry-failed"]


class IceJob(msgspec.Struct, frozen=True, kw_only=True):
    """One target to measure, where to, and how to begin."""

    config: Config
    plan: Plan
    directory: Path
    cache: Path
    start: Start = "new"
    preflight: bool = True


async def run_ice(job: IceJob, tally: Tally, say: Callable[[str], None]) -> None:
    """Run *job* to its end, or raise RunStopped; either way everything paid for is kept.

    Raises InputInvalid, SettingsInvalid or CacheError before anything is sent when the run cannot
    begin. *say* is told what was repaired and what is waited for.
    """
    directory = _prepare(job, say)
    status = Status(state="running", cache=str(job.cache.absolute()), hydrometer=__version__)
    directory.write_status(status)
    try:
        await _run(job, directory, tally, say)
    except SettingsInvalid as error:
        _note_stop(directory, status, RunStopped(str(error), cause="settings"))
        raise
    except (RunStopped, ProviderError, CacheError, OSError) as error:
        stop = _as_stop(error, directory)
        _note_stop(directory, status, stop)
        raise stop from error
    except EventsDiffer as error:
        raise InputInvalid(
            f"{directory.path / EVENTS} is not what this plan and cache give, and was left as it "
            f"is: {error}"
        ) from error
    directory.write_status(msgspec.structs.replace(status, state="finished"))


def _prepare(job: IceJob, say: Callable[[str], None]) -> RunDirectory:
    directory = RunDirectory(job.directory)
    if job.start == "retry-failed":
        directory.require(job.plan)
        say(f"the run so far is kept in {directory.set_aside()}")
    if job.start == "resume":
        directory.require(job.plan)
        _require_cache(directory, job.cache)
        if dropped := directory.drop_cut_line():
            say(f"{EVENTS} ended in a cut line: {dropped} bytes dropped, their ticket is redone")
    elif directory.exists():
        directory.require(job.plan)
        raise RunConflict(
            f"{directory.path} already holds this run: --resume goes on with it, --retry-failed "
            "runs it anew from the cache, and another --out starts another"
        )
    else:
        directory.create(job.plan)
    return directory


async def _run(
    job: IceJob, directory: RunDirectory, tally: Tally, say: Callable[[str], None]
) -> None:
    names = {model.name for model in planned_models(job.plan).values()}
    simulated = {name for name in names if job.config.models[name].provider == "simulated"}
    failures = directory.read_failures()
    async with AsyncExitStack() as stack:
        files = stack.enter_context(ExitStack())
        opened = {
            name: files.enter_context(directory.open_append(name))
            for name in (EVENTS, TIMINGS, LOG)
        }
        events = EventLog(directory.read_lines(), opened[EVENTS])
        timings, log = TimingLog(opened[TIMINGS]), RunLog(opened[LOG])
        observers = Observers(tally, timings, log)
        store = await stack.enter_async_context(open_store(job.cache))
        pools = await stack.enter_async_context(
            open_pools(job.config, names, observers=observers, budget=build_budget(job.config))
        )
        providers = cached_providers(job.plan, pools, store, observers)

        def emit(batch: tuple[Event, ...]) -> None:
            events.write(batch)
            for sink in (tally, log):
                sink.write(batch)
            timings.flush()

        def abandon() -> None:
            for pool in pools.values():
                pool.abandon()

        def in_flight() -> int:
            return sum(pool.statistics().in_flight for pool in pools.values())

        log.note("run_started", target=job.plan.target.name, probes=job.plan.probes)
        try:
            async with stoppable(abandon=abandon, in_flight=in_flight, say=say):
                if job.preflight:
                    for name in sorted(names - simulated):
                        await preflight(pools[name], _small_request(job.plan, name))
                await run_search(job.plan, Asker(providers, failures), emit)
                events.finish()
        finally:
            timings.flush()


def _require_cache(directory: RunDirectory, cache: Path) -> None:
    """Refuse to pay again for answers that another cache holds."""
    recorded = directory.read_status().cache
    if recorded and Path(recorded) != cache.absolute():
        raise RunConflict(
            f"{directory.path} has its answers in the cache {recorded}, not in {cache.absolute()}: "
            "resume with --cache and that folder"
        )


def _small_request(plan: Plan, name: str) -> Request:
    """Return a call that costs next to nothing and meets the same key, address and model."""
    model = next(model for model in planned_models(plan).values() if model.name == name)
    sampling = msgspec.structs.replace(model.sampling, max_tokens=16)
    return msgspec.structs.replace(model, sampling=sampling).build_request("Reply with OK.")


def _note_stop(directory: RunDirectory, status: Status, stop: RunStopped) -> None:
    directory.write_status(
        msgspec.structs.replace(status, state="stopped", reason=str(stop), cause=stop.cause)
    )


def _as_stop(error: Exception, directory: RunDirectory) -> RunStopped:
    match error:
        case RunStopped():
            return error
        case BudgetReached():
            cause = "budget"
        case AccessDenied():
            cause = "access"
        case ProviderError():  # an outage, or a preflight that never got an answer
            cause = "outage"
        case CacheError():
            cause = "cache"
        case OSError():
            return disk_stop(error, directory.path)
        case _:
            raise error
    return RunStopped(str(error), cause=cause)
