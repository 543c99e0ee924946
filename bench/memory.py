"""The peak memory of a long simulated run: flat in the number of calls."""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

from hydrometer.engine.records.tally import Tally

from .replay import CONFIG
from .whole import run_whole

PROBES = 100_000


async def run(calls: int, rounds: int) -> None:
    """Print the peak of one run; *rounds* is not used, for a peak has no median."""
    probes = calls or PROBES
    before = _peak_mb()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        tally = Tally()
        await run_whole(CONFIG.format(probes=probes), Path(name), tally)
    took = time.perf_counter() - began
    print(f"{tally.units} probes, {tally.calls.total()} calls in {took:.0f} s")
    print(f"memory: peak {_peak_mb():.0f} MB ({before:.0f} MB before the run)")


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
