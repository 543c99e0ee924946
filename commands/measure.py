"""``hydrometer ice`` and ``rse``: one plan measured into one run directory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, ExitStack, closing
from pathlib import Path
from typing import Literal

import anyio
import msgspec

from .. import __version__
from ..cache.cached import AnsweredCall
from ..cache.disk import open_store
from ..cache.errors import CacheError, CacheUnreadable
from ..cache.keys import request_key
from ..engine.calls.caller import ModelCaller
from ..engine.errors import (
    CallsKeepFailing,
    EventsDiffer,
    InputInvalid,
    PluginBroken,
    RunConflict,
    RunStopped,
)
from ..engine.execute import run_plan
from ..engine.ice.ice_events import Event
from ..engine.ice.search import STUCK_AFTER
from ..engine.records.event_log import EventLog, Observers, RunLog, Tally, TimingLog
from ..engine.records.run_directory import EVENTS, LOG, TIMINGS, RunDirectory, Status, disk_stop
from ..engine.rse.rse_planning import prompts_changed
from ..engine.setup.config import Config
from ..engine.setup.plan import AnyPlan, IcePlan, planned_models
from ..providers.errors import AccessDenied, BudgetReached, ProviderError, SettingsInvalid
from ..providers.kinds import wants_preflight
from ..providers.limits.budget import Budget, Spent
from ..providers.pool import Pool, preflight
from ..providers.tokens import estimate_usage
from .interrupt import stoppable
from .plugins import Plugins
from .session import (
    build_budget,
    cached_providers,
    open_pools,
    seldom_collected,
)

Start = Literal["new", "resume", "retry-failed"]


class MeasureJob(msgspec.Struct, frozen=True, kw_only=True):
    """One target to measure, where to, and how to begin."""

    config: Config
    plan: AnyPlan
    directory: Path
    cache: Path
    start: Start = "new"
    preflight: bool = True
    plugins: Plugins = Plugins()
    spent: dict[str, Spent] = {}  # by the models before this session, of what budgets count
    signals: bool = True  # Ctrl-C and SIGTERM stop the run cleanly; a library leaves them alone


async def run_measure(
    job: MeasureJob, tally: Tally, say: Callable[[str], None], budget: Budget | None = None
) -> None:
    """Run *job* to its end, or raise RunStopped; either way everything paid for is kept.

    Raises InputInvalid, SettingsInvalid or CacheUnreadable when the run cannot begin or go on as
    asked, PluginBroken at any time. *say* is told what was repaired, what is waited for and what
    fell short. *budget* may be shared by several jobs; without one, the config's is this job's own.
    """
    directory = RunDirectory(job.directory)
    if job.start != "new":
        _require_plan(directory, job.plan)
    directory.make()
    with directory.locked():
        _prepare(job, directory, say)
        status = Status(state="running", cache=str(job.cache.resolve()), hydrometer=__version__)
        directory.write_status(status)
        try:
            await _run(job, directory, tally, say, budget or build_budget(job.config, job.spent))
        except (SettingsInvalid, CacheUnreadable) as error:
            _note_stop(directory, status, RunStopped(str(error), cause="settings"))
            raise
        except PluginBroken as error:
            _note_stop(directory, status, RunStopped(str(error), cause="plug-in"))
            raise
        except EventsDiffer as error:
            found = InputInvalid(
                f"{directory.path / EVENTS} is not what this plan and cache give, and was left "
                f"as it is: {error}"
            )
            _note_stop(directory, status, RunStopped(str(found), cause="events"))
            raise found from error
        except (RunStopped, CallsKeepFailing, ProviderError, CacheError, OSError) as error:
            stop = as_stop(error, directory)
            _note_stop(directory, status, stop)
            raise stop from error
        except (KeyboardInterrupt, anyio.get_cancelled_exc_class()):  # as the run begins or ends
            _note_stop(directory, status, RunStopped("interrupted", cause="interrupted"))
            raise
        directory.write_status(msgspec.structs.replace(status, state="finished"))
    if isinstance(job.plan, IcePlan):
        _say_what_fell_short(job.plan, tally, say)


def _say_what_fell_short(plan: IcePlan, tally: Tally, say: Callable[[str], None]) -> None:
    if tally.finished is not None and tally.finished.reason != "probes":
        why = (
            f"the helper gave no usable template in {STUCK_AFTER} tickets in a row"
            if tally.finished.reason == "no-usable-mutants"
            else "every question was asked in every template"
        )
        say(
            f"{plan.target.name}: {why}; the run ended after {tally.probes} of {plan.probes} probes"
        )


def _prepare(job: MeasureJob, directory: RunDirectory, say: Callable[[str], None]) -> None:
    """Bring *directory* to where the run can begin or go on."""
    if job.start == "resume":
        _require_cache(directory, job.cache)
        if dropped := directory.drop_cut_line():
            say(f"{EVENTS} ended in a cut line: {dropped} bytes dropped, their ticket is redone")
        for name in (TIMINGS, LOG):  # what is appended would be lost with the cut line
            directory.drop_cut_line(name)
        return
    if job.start == "retry-failed":
        _require_cache(directory, job.cache)
        say(f"the run so far is kept in {directory.set_aside()}")
    elif directory.begun():
        _require_plan(directory, job.plan)
        raise RunConflict(
            f"{directory.path} already holds this run: --resume goes on with it, --retry-failed "
            "runs it anew from the cache, and another --out starts another"
        )
    directory.write_plan(job.plan)
    if isinstance(job.plan, IcePlan) and not job.plan.target.vendor:
        name = job.plan.target.name
        say(f"models.{name}.vendor is not set, so claims of its own vendor count like others")


async def _run(
    job: MeasureJob,
    directory: RunDirectory,
    tally: Tally,
    say: Callable[[str], None],
    budget: Budget,
) -> None:
    names = {model.name for model in planned_models(job.plan).values()}
    failures = directory.read_failures()
    async with AsyncExitStack() as stack:
        files = stack.enter_context(ExitStack())
        opened = {
            name: files.enter_context(directory.open_append(name))
            for name in (EVENTS, TIMINGS, LOG)
        }
        recorded = files.enter_context(closing(directory.read_lines()))
        events = EventLog(recorded, opened[EVENTS])
        timings, log = TimingLog(opened[TIMINGS]), RunLog(opened[LOG])
        observers = Observers(tally, timings, log)
        store = await stack.enter_async_context(open_store(job.cache))
        pools = await stack.enter_async_context(
            open_pools(
                job.config,
                names,
                budget=budget,
                spent=job.spent,
                plugins=job.plugins,
            )
        )
        providers = cached_providers(job.plan, pools, store, observers)

        def emit(batch: tuple[Event, ...]) -> None:
            events.write(batch)
            for sink in (tally, log):
                sink.write(batch)
            timings.flush()

        tally.statistics = pools.statistics
        log.note("run_started", target=job.plan.target.name, kind=job.plan.kind)
        try:
            async with stoppable(
                pools.abandon, pools.in_flight, say, state=pools.state, signals=job.signals
            ):
                if job.preflight:
                    await _preflight(job, pools, observers, timings)
                stack.enter_context(seldom_collected())
                slots = sum(job.config.models[name].all_slots for name in names)
                await run_plan(
                    job.plan,
                    ModelCaller(providers, failures),
                    emit,
                    catalogue=job.plugins.catalogue,
                    at_once=slots,
                )
                events.finish()
        except (RunStopped, CallsKeepFailing, PluginBroken, ProviderError, CacheError) as error:
            log.note("run_stopped", reason=str(error))
            raise
        finally:
            tally.statistics = dict
            for name, found in pools.statistics().items():
                timings.pool_ended(name, found)
            timings.flush()


async def _preflight(
    job: MeasureJob, pools: Mapping[str, Pool], observers: Observers, timings: TimingLog
) -> None:
    """Make a small call in each role, in the manner of the calls to come."""
    for model in dict.fromkeys(planned_models(job.plan).values()):
        if wants_preflight(job.config.models[model.name]):
            sampling = model.sampling
            if sampling.max_tokens is not None:  # what is not set is not sent, here neither
                sampling = msgspec.structs.replace(sampling, max_tokens=16)
            small = msgspec.structs.replace(model, sampling=sampling)
            request = small.build_request("Reply with OK.")
            view = pools[model.name].watched_by(observers)
            response = await preflight(view, request, f"models.{model.name}")
            timings.call_ended(
                AnsweredCall(
                    key=request_key(request),
                    pool=model.name,
                    source="preflight",
                    took_s=0.0,
                    response=response,
                    counted=response.usage or estimate_usage(request, response),
                )
            )


def _require_plan(directory: RunDirectory, plan: AnyPlan) -> None:
    """Refuse another plan than the recorded one; prompts that changed are no one setting."""
    if changed := prompts_changed(directory.read_plan(), plan):
        raise RunConflict(f"{directory.path} holds a run of another plan: {changed}")
    directory.require(plan)


def _require_cache(directory: RunDirectory, cache: Path) -> None:
    """Refuse to pay again for answers that another cache holds."""
    recorded = directory.read_status().cache
    if recorded and Path(recorded) != cache.resolve():
        raise RunConflict(
            f"{directory.path} has its answers in the cache {recorded}, not in {cache.resolve()}: "
            "go on with --cache and that folder"
        )


def _note_stop(directory: RunDirectory, status: Status, stop: RunStopped) -> None:
    directory.write_status(
        msgspec.structs.replace(status, state="stopped", reason=str(stop), cause=stop.cause)
    )


def as_stop(error: Exception, directory: RunDirectory) -> RunStopped:
    """Return the stop that *error* means for the run in *directory*."""
    match error:
        case RunStopped():
            return error
        case BudgetReached():
            cause = "budget"
        case AccessDenied():
            cause = "access"
        case ProviderError():  # an outage, or a preflight that never got an answer
            cause = "outage"
        case CallsKeepFailing():
            cause = "failing"
        case CacheError():
            cause = "cache"
        case OSError():
            return disk_stop(error, directory.path)
        case _:
            raise error
    return RunStopped(str(error), cause=cause)
