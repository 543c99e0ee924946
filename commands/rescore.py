"""Rescoring: another judge reads the answers of a run, without any call to the target."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from ..cache.errors import CacheError, CacheUnreadable
from ..engine.calls.answers import Judgement
from ..engine.calls.caller import ModelCaller
from ..engine.calls.ordered import map_in_order
from ..engine.calls.workers import DEFAULT_WORKERS
from ..engine.errors import CallsKeepFailing, InputInvalid, RunConflict
from ..engine.identity.judging import Judging
from ..engine.measurement import Emit, RescoreItem, Rescoring, Score
from ..engine.records.layers import LABELS, LayerHead, LayerRow
from ..engine.records.observers import Observers, TimingLog
from ..engine.records.recorded_run import RecordedRun
from ..engine.records.run_directory import RunDirectory
from ..engine.records.tally import RunProgress, Tally
from ..engine.setup.config import Config
from ..engine.setup.plan import PlannedJudge, plan_digest
from ..providers.errors import ProviderError, SettingsInvalid
from ..results.finding import runs_at
from ..results.scoring import write_scores
from .batch import Watch, unwatched
from .listener import Listener
from .plugins import Plugins
from .run import as_stop
from .session import CACHE_VARIABLE, cache_folder, open_session
from .spending import build_budget, has_price, require_prices, spent_in


class RescoreJob(msgspec.Struct, frozen=True, kw_only=True):
    """One run, and the judge that will read its answers."""

    run: Path
    judge: str
    config: Config = Config()
    cache: Path | None = None
    plugins: Plugins = Plugins()


async def run_rescoring(
    job: RescoreJob, listener: Listener, *, watch: Watch | None = None
) -> tuple[Score, ...]:
    """Add the judge's layer to the run, or complete it, and return the run's scores.

    Raises InputInvalid, SettingsInvalid or CacheUnreadable if the job cannot be done, and
    RunStopped if it has to pause. All answers that were paid for are then in the cache, and the
    same command continues from there.
    """
    recorded: RecordedRun[Any] = RecordedRun(job.run, job.plugins.measurements)
    rescoring = recorded.measurement.rescoring
    if rescoring is None:
        raise InputInvalid(
            f"{job.run} is a run of {recorded.measurement.kind}, which rescore cannot read"
        )
    judge = plan_rescoring(job, recorded, rescoring)
    tally = Tally(rescoring.counts(recorded.plan, judge))
    count = sum(1 for _ in rescoring.items(recorded.plan, recorded.events()))
    listener.begins(
        RunProgress(
            name=judge.name,
            unit=recorded.measurement.unit,
            size=count,
            tally=tally,
            priced=judge.model is not None and has_price(job.config, {"judge": judge.model}),
        )
    )
    with recorded.directory.locked():
        known = _known(recorded, judge, count)
        try:
            async with _opened(job, recorded.directory, judge, tally, watch) as opened:
                rows = await read_answers(
                    rescoring.items(recorded.plan, recorded.events()),
                    rescoring.judging(recorded.plan, judge, job.plugins.strategies),
                    opened.caller,
                    opened.emit,
                    workers=opened.workers,
                    known=known,
                )
        except (SettingsInvalid, CacheUnreadable):
            raise
        except (CallsKeepFailing, ProviderError, CacheError, OSError) as error:
            raise as_stop(error, job.run) from error
        head = LayerHead(judge=judge, plan=plan_digest(recorded.plan))
        recorded.directory.write_layer(head, rows)
    return write_scores(job.run, job.plugins.measurements)


def plan_rescoring(
    job: RescoreJob, run: RecordedRun[Any], rescoring: Rescoring[Any]
) -> PlannedJudge:
    """Return the judge of *job*. Raises InputInvalid for one that cannot read this run."""
    if job.judge == rescoring.own_judge(run.plan):
        raise RunConflict(
            f"{job.judge} is the name of the judge of {job.run} itself; give this judge another "
            "name"
        )
    if job.judge == LABELS:
        raise RunConflict(
            f"{LABELS} is the name of the layer with labels by people; give this judge another name"
        )
    return rescoring.plan_judge(
        run.plan, job.judge, job.config, job.plugins.strategies, str(job.run)
    )


class _Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The open resources of a rescoring. Call *emit* with each event once its answer is judged."""

    caller: ModelCaller
    workers: int
    emit: Emit


@asynccontextmanager
async def _opened(
    job: RescoreJob,
    directory: RunDirectory,
    judge: PlannedJudge,
    tally: Tally,
    watch: Watch | None,
) -> AsyncIterator[_Opened]:
    """Open a session for the judge's model, if it has one.

    Earlier calls of the same judge on this run count against the budget.
    """
    if judge.model is None:
        yield _Opened(caller=ModelCaller({}, {}), workers=DEFAULT_WORKERS, emit=tally.write)
        return
    name, models = judge.model.name, {"judge": judge.model}
    require_prices(job.config, {name})
    spent = spent_in(runs_at(job.run), job.config, judge)
    with directory.open_timings(judge) as file:
        timings = TimingLog(file)
        observers = Observers(tally, timings)

        def emit(events: Any) -> None:
            tally.write(events)
            timings.flush()

        async with open_session(
            job.config,
            {name},
            _cache(job, directory),
            plugins=job.plugins,
            budget=build_budget(job.config, spent),
            spent=spent,
        ) as session:
            tally.statistics = session.statistics
            try:
                async with (watch or unwatched)(session):
                    yield _Opened(
                        caller=session.caller(models, {}, observers),
                        workers=session.workers(models),
                        emit=emit,
                    )
            finally:
                tally.statistics = dict
                timings.pool_ended(name, session.statistics()[name])
                timings.flush()


async def read_answers(
    items: Iterable[RescoreItem],
    judging: Judging,
    caller: ModelCaller,
    emit: Emit,
    *,
    workers: int,
    known: Mapping[int, Judgement],
) -> tuple[LayerRow, ...]:
    """Return the judgement of every answer, in order.

    *known* are earlier judgements by number. They are not made again, unless a call for them
    failed. *emit* receives every event in order, with the new judgement instead of the recorded
    one.
    """
    rows: list[LayerRow] = []

    async def work(item: RescoreItem) -> tuple[RescoreItem, Judgement]:
        if item.case is None:
            return item, Judgement()
        before = known.get(item.number)
        if before is not None and not before.failures:
            return item, before
        return item, await caller.drive(judging.judge(item.case))

    def apply(result: tuple[RescoreItem, Judgement]) -> None:
        item, judgement = result
        emit((msgspec.structs.replace(item.event, judgement=judgement),))
        if item.case is not None:
            rows.append(LayerRow(probe=item.number, judgement=judgement))

    await map_in_order(items, work, apply, workers=workers)
    return tuple(rows)


def _known(run: RecordedRun[Any], judge: PlannedJudge, count: int) -> Mapping[int, Judgement]:
    """Return the judgements in the judge's layer, by number.

    Raises RunConflict if the layer of that name belongs to another judge.
    """
    layer = run.directory.read_layer(judge.name)
    if layer is None:
        return {}
    layer.require_plan(plan_digest(run.plan))
    if layer.head.judge != judge:
        difference = layer.head.difference(judge)
        raise RunConflict(
            f"{layer.where} is the layer of another judge: {difference}; move it away, or give "
            "this judge another name"
        )
    layer.require_probes(count)
    return layer.judgements


def _cache(job: RescoreJob, directory: RunDirectory) -> Path:
    """Return the cache folder: the option, the variable, the run's own cache, or the config's."""
    recorded = directory.read_status().cache
    if job.cache is None and CACHE_VARIABLE not in os.environ and recorded:
        return Path(recorded)
    return cache_folder(job.cache, job.config.run.cache)
