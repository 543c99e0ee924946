"""One whole run as ``hydrometer ice`` makes it, without its scores: a session, tuned GC."""

from __future__ import annotations

from pathlib import Path

from hydrometer.command_line.process import tuned_gc
from hydrometer.commands.plans import plan_runs
from hydrometer.commands.plugins import Plugins
from hydrometer.commands.run import RunJob, open_run
from hydrometer.commands.session import open_session
from hydrometer.commands.spending import build_budget
from hydrometer.engine.measurements import BUILT_IN
from hydrometer.engine.records.tally import Tally
from hydrometer.engine.setup.config import parse_config

PLUGINS = Plugins()


async def run_whole(text: str, folder: Path, tally: Tally, *, preflight: bool = True) -> None:
    """Run the only target of the config *text* into *folder*/run, with the cache beside it."""
    config = parse_config(text, "bench.toml", BUILT_IN)
    (named,) = plan_runs(config, "ice", (), folder=folder, plugins=PLUGINS, say=print)
    job = RunJob(name=named.name, plan=named.plan, directory=folder / "run", cache=folder / "cache")
    names = {model.name for model in named.plan.models.values()}
    budget = build_budget(config, {})
    with tuned_gc(), open_run(job, PLUGINS, tally=tally, say=print) as run:
        async with open_session(
            config, names, job.cache, plugins=PLUGINS, budget=budget, spent={}
        ) as session:
            await run.measure(session, preflight=preflight)
        if run.error is not None:
            raise run.error
