"""Batch: all runs of one command, made concurrently in one session with one budget."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

import anyio
import msgspec

from ..cache.errors import CacheError
from ..engine.errors import EngineError, InputInvalid, RunStopped
from ..engine.measurement import NamedPlan, RunsSummary, Score
from ..engine.records.recorded_run import RecordedRun
from ..engine.records.run_directory import RunDirectory, write_derived
from ..engine.records.tally import RunProgress, Tally
from ..engine.setup.config import Config
from ..providers.errors import ProviderError
from ..results.finding import runs_at
from ..results.scoring import write_scores
from .listener import Listener
from .plugins import Plugins
from .run import Run, RunJob, Start, open_run
from .session import Session, open_session
from .spending import build_budget, has_price, require_prices, spent_in

Watch = Callable[[Session], AbstractAsyncContextManager[None]]

_FOLDER = re.compile(r"[^/\\\0]+")


def unwatched(session: Session) -> AbstractAsyncContextManager[None]:
    """Watch nothing."""
    return nullcontext()


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that the runs of one command share.

    If *several*, each run has its own folder in *base*, else *base* is the run directory. Earlier
    spending of all runs in *base* counts against the budgets.
    """

    config: Config
    base: Path
    cache: Path
    several: bool = True
    start: Start = "new"
    preflight: bool = True
    plugins: Plugins = Plugins()

    def directory(self, name: str) -> Path:
        """Return the run directory of the run called *name*."""
        return self.base / name if self.several else self.base

    def job(self, named: NamedPlan[Any]) -> RunJob:
        """Return the job of one plan.

        If there are several runs, a run that was never started is started even with --resume.
        """
        directory = self.directory(named.name)
        begun = RunDirectory(directory).exists()
        return RunJob(
            name=named.name,
            plan=named.plan,
            directory=directory,
            cache=self.cache,
            start="new" if self.several and not begun else self.start,
        )


class BatchResult(msgspec.Struct, frozen=True, kw_only=True):
    """The scores of all runs, in the order of their plans, and a summary if the runs have one."""

    scores: tuple[Score, ...]
    summary: RunsSummary | None = None


async def run_batch(
    batch: Batch,
    plans: Sequence[NamedPlan[Any]],
    listener: Listener,
    *,
    watch: Watch | None = None,
    tallies: Mapping[str, Tally] | None = None,
) -> BatchResult:
    """Run every plan, write the scores of each run into its directory, and return them.

    Raises InputInvalid before anything is opened if two of several plans have one name.

    *watch* returns a context manager that is entered around the runs and may cancel them. The
    command line handles signals there. A run that stops does not stop the others. At the end, the
    error of the first stopped run is raised: RunStopped, InputInvalid, SettingsInvalid,
    PluginBroken or CacheUnreadable. *listener* receives the errors of the other runs.
    """
    if batch.several or len(plans) > 1:
        require_folder_names(plans)
    session = _open_session(batch, plans)
    scores: dict[str, tuple[Score, ...]] = {}

    async def measure(run: Run, session: Session) -> None:
        listener.begins(_progress(run, batch.config))
        await run.measure(session, preflight=batch.preflight)
        if run.error is None:
            try:
                scores[run.job.name] = await anyio.to_thread.run_sync(
                    write_scores, run.job.directory, batch.plugins.measurements
                )
            except EngineError as error:  # the run is complete, only its scores are missing
                run.error = error

    with ExitStack() as stack:
        runs = []
        for named in plans:
            tally = (tallies or {}).get(named.name)
            opened = open_run(batch.job(named), batch.plugins, tally=tally, say=listener.say)
            runs.append(stack.enter_context(opened))
        await _measure_all(runs, session, watch or unwatched, measure)
    if stopped := [run for run in runs if run.error is not None]:
        _report(stopped, listener)
    return BatchResult(
        scores=tuple(score for run in runs for score in scores[run.job.name]),
        summary=_summarise(runs, scores, batch),
    )


def require_folder_names(plans: Sequence[NamedPlan[Any]]) -> None:
    """Raise InputInvalid unless each of *plans* has a name of its own that can be a folder."""
    kinds: dict[str, str] = {}
    for named in plans:
        name, kind = named.name, named.plan.kind
        if not _FOLDER.fullmatch(name) or name in (".", ".."):
            raise InputInvalid(f"a plan of {kind} is named {name!r}, which cannot be a folder name")
        if name not in kinds:
            kinds[name] = kind
        elif kinds[name] == kind:
            raise InputInvalid(
                f"two plans of {kind} are named {name}: each run needs a name of its own"
            )
        else:
            raise InputInvalid(
                f"two plans are named {name}, of {kinds[name]} and of {kind}: run them in two "
                f"calls with two folders, with build_plans(..., kind={kinds[name]!r}) and "
                f"kind={kind!r}"
            )


def _open_session(
    batch: Batch, plans: Sequence[NamedPlan[Any]]
) -> AbstractAsyncContextManager[Session]:
    """Return the session of all *plans*, not entered yet. Raises SettingsInvalid."""
    names = {model.name for named in plans for model in named.plan.models.values()}
    require_prices(batch.config, names)
    spent = spent_in(runs_at(batch.base), batch.config)
    return open_session(
        batch.config,
        names,
        batch.cache,
        plugins=batch.plugins,
        budget=build_budget(batch.config, spent),
        spent=spent,
    )


async def _measure_all(
    runs: Sequence[Run],
    session: AbstractAsyncContextManager[Session],
    watch: Watch,
    measure: Callable[[Run, Session], Coroutine[Any, Any, None]],
) -> None:
    """Call *measure* on all *runs* at once in *session*. An error of the session stops every run.

    Such an error is noted in the runs, whose errors are reported. Any other error is raised: an
    error that no run should meet, and one that came before any run.
    """
    try:
        async with session as opened, watch(opened), anyio.create_task_group() as tasks:
            for run in runs:
                tasks.start_soon(measure, run, opened)
    except BaseExceptionGroup as group:
        error = group.exceptions[0]
        _stop_all(runs, error)
        raise error from error.__cause__
    except BaseException as error:
        _stop_all(runs, error)
        expected = isinstance(error, EngineError | ProviderError | CacheError | OSError)
        if not expected or all(run.error is None for run in runs):
            raise


def _stop_all(runs: Sequence[Run], error: BaseException) -> None:
    """Record *error*, which ended the session, in every run; Run.stop decides what it means."""
    for run in runs:
        if isinstance(error, Exception):
            run.stop(error)
        else:  # Ctrl-C or cancellation while the session was opened or closed
            run.stop(RunStopped("interrupted", cause="interrupted"))


def _report(stopped: Sequence[Run], listener: Listener) -> None:
    """Raise the first error. Before, report the other errors to *listener*, each message once."""
    first = stopped[0].error
    assert first is not None
    reported = {str(first)}
    for run in stopped[1:]:
        if str(run.error) not in reported:
            reported.add(str(run.error))
            listener.say(f"{run.job.name}: {run.error}")
    raise first


def _progress(run: Run, config: Config) -> RunProgress:
    return RunProgress(
        name=run.job.name,
        unit=run.measurement.unit,
        size=run.plan.size,
        tally=run.tally,
        priced=has_price(config, run.plan.models),
    )


def _summarise(
    runs: Sequence[Run], scores: Mapping[str, tuple[Score, ...]], batch: Batch
) -> RunsSummary | None:
    """Return the summary of the runs, if there is one, after writing its files into the base."""
    if len(runs) < 2 or len({run.measurement.kind for run in runs}) > 1:
        return None
    recorded: list[RecordedRun[Any]] = [
        RecordedRun(run.job.directory, batch.plugins.measurements) for run in runs
    ]
    all_scores = [score for run in runs for score in scores[run.job.name]]
    summary = runs[0].measurement.summarise(recorded, all_scores)
    for name, text in summary.files.items() if summary else ():
        write_derived(batch.base / name, text)
    return summary
