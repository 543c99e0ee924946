"""The peak memory of a long simulated run: flat in the number of calls."""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

from hydrometer.commands.measure import MeasureJob, run_measure
from hydrometer.engine.records.event_log import Tally
from hydrometer.engine.setup.config import parse_config
from hydrometer.engine.setup.loading import load_texts
from hydrometer.engine.setup.planning import build_ice_plan

from .replay import CONFIG

PROBES = 100_000


async def run(calls: int, rounds: int) -> None:
    """Print the peak of one run; *rounds* is not used, for a peak has no median."""
    probes = calls or PROBES
    config = parse_config(CONFIG.format(probes=probes), "bench.toml")
    before = _peak_mb()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan = build_ice_plan(config, "target", load_texts(config, folder))
        tally = Tally()
        job = MeasureJob(config=config, plan=plan, directory=folder / "run", cache=folder / "cache")
        await run_measure(job, tally, print)
    took = time.perf_counter() - began
    print(f"{tally.probes} probes, {tally.calls.total()} calls in {took:.0f} s")
    print(f"memory: peak {_peak_mb():.0f} MB ({before:.0f} MB before the run)")


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
