"""Demo: every measurement on simulated models, shown beside their planted truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..engine.measurement import NamedPlan
from ..engine.records.recorded_run import RecordedRun
from ..engine.setup.config import Config, parse_config
from ..engine.setup.files import builtin_text
from ..results.outcomes import DemoResult
from .batch import Batch, Watch, run_batch
from .listener import Listener
from .plans import plan_all
from .plugins import Plugins
from .replay import replay_run


def demo_config(plugins: Plugins) -> Config:
    """Return the config of the demo."""
    return parse_config(builtin_text("demo.toml"), "demo.toml", plugins.measurements)


async def run_demo(
    out: Path, listener: Listener, plugins: Plugins, *, watch: Watch | None = None
) -> tuple[DemoResult, ...]:
    """Measure, score and replay every target of the demo, with all files and the cache in *out*."""
    config = demo_config(plugins)
    plans = plan_all(config, (), folder=out, plugins=plugins, say=listener.say)
    batch = Batch(config=config, base=out, cache=out / "cache", plugins=plugins)
    await run_batch(batch, plans, listener, watch=watch)
    return tuple([await _result(named, batch) for named in plans])


async def _result(named: NamedPlan[Any], batch: Batch) -> DemoResult:
    directory = batch.directory(named.name)
    run: RecordedRun[Any] = RecordedRun(directory, batch.plugins.measurements)
    return DemoResult(
        name=named.name,
        scores=run.measurement.score(run),
        truth=run.measurement.truth(run, batch.config),
        replay=await replay_run(directory, None, batch.plugins),
    )
