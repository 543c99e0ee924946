"""Run: opens the files of one run, measures it in a session, and records why it stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Literal

import anyio
import msgspec

from ..cache.errors import CacheError, CacheUnreadable
from ..engine.errors import (
    CallsKeepFailing,
    EventsDiffer,
    InputInvalid,
    PluginBroken,
    RunConflict,
    RunStopped,
)
from ..engine.measurement import Measurement
from ..engine.records.event_log import EventLog
from ..engine.records.events import Event
from ..engine.records.observers import Observers, RunLog, TimingLog
from ..engine.records.recorded_run import RecordedRun
from ..engine.records.run_directory import (
    EVENTS,
    LOG,
    TIMINGS,
    RunDirectory,
    Status,
    disk_stop,
)
from ..engine.records.tally import Tally
from ..engine.setup.plan import Plan, first_difference
from ..engine.version import __version__
from ..providers.errors import AccessDenied, BudgetReached, ProviderError, SettingsInvalid
from .measuring import run_plan
from .plugins import Plugins
from .session import Session

Start = Literal["new", "resume", "retry-failed"]
Say = Callable[[str], None]


class RunJob(msgspec.Struct, frozen=True, kw_only=True):
    """One plan to run, its directory, and the way to start it."""

    name: str
    plan: Any  # a plan of any measurement
    directory: Path
    cache: Path
    start: Start = "new"


class Run:
    """A run whose directory is prepared and locked. Use open_run() to make one."""

    def __init__(self, job: RunJob, plugins: Plugins, tally: Tally | None, say: Say) -> None:
        self.job = job
        self.measurement: Measurement[Any] = plugins.measurements.of(job.plan)
        self.tally = tally or Tally()
        self.tally.counts = self.measurement.counts(job.plan)
        self.error: Exception | None = None  # the error that stopped the run, for the user
        self._finished = False
        self._plugins = plugins
        self._say = say
        self._directory = RunDirectory(job.directory)
        self._status = Status(
            state="running", cache=str(job.cache.resolve()), hydrometer=__version__
        )

    @property
    def plan(self) -> Plan:
        """The plan of the run."""
        plan: Plan = self.job.plan
        return plan

    def prepare(self) -> None:
        """Prepare the directory, so that the run can start or continue. Raises InputInvalid."""
        job, directory = self.job, self._directory
        if job.start == "resume":
            require_cache(directory, job.cache)
            if dropped := directory.drop_cut_line():
                self._say(
                    f"{EVENTS} ended in a cut line: {dropped} bytes dropped, their ticket is redone"
                )
            for name in (TIMINGS, LOG):  # a row appended to a cut line could not be read
                directory.drop_cut_line(name)
        else:
            if job.start == "retry-failed":
                require_cache(directory, job.cache)
                self._say(f"the run so far is kept in {directory.set_aside()}")
            elif directory.begun():
                require_plan(directory, job.plan, self._plugins)
                raise RunConflict(
                    f"{directory.path} already holds this run: --resume goes on with it, "
                    "--retry-failed runs it anew from the cache, and another --out starts another"
                )
            directory.write_plan(job.plan)
            for remark in self.measurement.remarks_before(job.plan):
                self._say(remark)

    async def measure(self, session: Session, *, preflight: bool) -> None:
        """Run the plan to its end in *session*. An error that stops it is stored in ``error``.

        Answers that were paid for are stored in any case. Cancellation is raised again, and so is
        an error that no run should meet: a bug.
        """
        try:
            self._directory.write_status(self._status)
            await self._measure(session, preflight=preflight)
            self._directory.write_status(msgspec.structs.replace(self._status, state="finished"))
        except anyio.get_cancelled_exc_class():
            self.stop(RunStopped("interrupted", cause="interrupted"))
            raise
        except (
            *(InputInvalid, SettingsInvalid, CacheUnreadable, PluginBroken, EventsDiffer),
            *(RunStopped, CallsKeepFailing, ProviderError, CacheError, OSError),
        ) as error:
            self.stop(error)
        except Exception as error:
            self.stop(error)
            raise
        except BaseException:  # Ctrl-C while the event loop was busy
            self.stop(RunStopped("interrupted", cause="interrupted"))
            raise
        else:
            self._finished = True
            reason = self.tally.finished.reason if self.tally.finished else ""
            for remark in self.measurement.remarks_after(self.plan, reason, self.tally.units):
                self._say(remark)

    def stop(self, error: Exception) -> None:
        """Record *error* as the reason why the run stopped, in status.json too.

        Only the first error is recorded. A finished run can no longer be interrupted, and a run
        whose recording is complete stays finished when its replay is interrupted. But a session
        that fails while it closes may not have stored everything, so it stops a finished run too. A
        status.json that cannot be written is reported, and stops nothing else.
        """
        interrupted = isinstance(error, RunStopped) and error.cause == "interrupted"
        if self.error is not None or (self._finished and interrupted):
            return
        where = self._directory.path
        match error:
            case InputInvalid() | SettingsInvalid() | CacheUnreadable():
                self.error, cause = error, "settings"
            case PluginBroken():
                self.error, cause = error, "plug-in"
            case EventsDiffer():
                self.error, cause = _differs(where, error), "events"
            case RunStopped() | CallsKeepFailing() | ProviderError() | CacheError() | OSError():
                self.error = as_stop(error, where)
                cause = self.error.cause
            case _:
                self.error, cause = error, "bug"
        reason = str(self.error) if cause != "bug" else f"{type(error).__name__}: {error}"
        status = msgspec.structs.replace(self._status, state="stopped", reason=reason, cause=cause)
        if interrupted and self._directory.finished():
            status = msgspec.structs.replace(self._status, state="finished")
        try:
            self._directory.write_status(status)
        except RunStopped as failure:
            self._say(f"{self.job.name}: {failure}")

    async def _measure(self, session: Session, *, preflight: bool) -> None:
        plan, directory = self.plan, self._directory
        names = {model.name for model in plan.models.values()}
        failures = RecordedRun[Plan](directory.path, self._plugins.measurements).failures()
        with ExitStack() as files:
            opened = {
                name: files.enter_context(directory.open_append(name))
                for name in (EVENTS, TIMINGS, LOG)
            }
            recorded = files.enter_context(closing(directory.read_lines()))
            events = EventLog(recorded, opened[EVENTS])
            timings, log = TimingLog(opened[TIMINGS]), RunLog(opened[LOG])
            observers = Observers(self.tally, timings, log)
            caller = session.caller(plan.models, failures, observers)

            def emit(batch: Sequence[Event]) -> None:
                events.write(batch)
                self.tally.write(batch)
                log.write(batch)
                timings.flush()

            self.tally.statistics = lambda: session.statistics(names)
            log.note("run_started", target=plan.target.name, kind=plan.kind)
            try:
                if preflight:
                    await session.preflight(plan.models, observers)
                await run_plan(
                    *(self.measurement, plan, caller, emit),
                    registry=self._plugins.strategies,
                    workers=session.workers(plan.models),
                )
                events.finish()
            except (RunStopped, CallsKeepFailing, PluginBroken, ProviderError, CacheError) as error:
                log.note("run_stopped", reason=str(error))
                raise
            except anyio.get_cancelled_exc_class():
                log.note("run_stopped", reason="interrupted")
                raise
            finally:
                self.tally.statistics = dict
                for name, found in session.statistics(names).items():
                    timings.pool_ended(name, found)
                timings.flush()


@contextmanager
def open_run(
    job: RunJob, plugins: Plugins, *, tally: Tally | None = None, say: Say
) -> Iterator[Run]:
    """Prepare the run of *job*, and lock its directory against other processes.

    Raises InputInvalid if the run cannot start or continue as *job* says.
    """
    directory = RunDirectory(job.directory)
    if job.start != "new":
        require_plan(directory, job.plan, plugins)
    directory.make()
    with directory.locked():
        run = Run(job, plugins, tally, say)
        run.prepare()
        yield run


def require_plan(directory: RunDirectory, plan: Plan, plugins: Plugins) -> None:
    """Raise RunConflict, which names the difference, unless *directory* has a run of *plan*."""
    recorded: RecordedRun[Any] = RecordedRun(directory.path, plugins.measurements)
    if recorded.plan == plan:
        return
    same_kind = type(recorded.plan) is type(plan)
    special = recorded.measurement.difference(recorded.plan, plan) if same_kind else ""
    difference = special or first_difference(recorded.plan, plan)
    raise RunConflict(
        f"{directory.path} holds a run of another plan: {difference}; undo the change, or give "
        "another --out (stored answers are used again)"
    )


def require_cache(directory: RunDirectory, cache: Path) -> None:
    """Raise RunConflict if the run's answers are in another cache.

    Otherwise they would be requested, and paid for, a second time.
    """
    recorded = directory.read_status().cache
    if recorded and Path(recorded) != cache.resolve():
        raise RunConflict(
            f"{directory.path} has its answers in the cache {recorded}, not in {cache.resolve()}: "
            "go on with --cache and that folder"
        )


def as_stop(error: Exception, where: Path) -> RunStopped:
    """Turn *error* into the RunStopped that names its cause; *where* is the run directory.

    Other errors are raised again.
    """
    match error:
        case RunStopped():
            return error
        case BudgetReached():
            cause = "budget"
        case AccessDenied():
            cause = "access"
        case ProviderError():  # an outage, or a preflight that got no answer
            cause = "outage"
        case CallsKeepFailing():
            cause = "failing"
        case CacheError():
            cause = "cache"
        case OSError():
            stop = disk_stop(error, where)
            stop.__cause__ = error
            return stop
        case _:
            raise error
    stop = RunStopped(str(error), cause=cause)
    stop.__cause__ = error
    return stop


def _differs(where: Path, error: EventsDiffer) -> InputInvalid:
    found = InputInvalid(
        f"{where / EVENTS} does not match a replay of this plan and cache; the file was not "
        f"changed: {error}"
    )
    found.__cause__ = error
    return found
