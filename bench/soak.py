"""A long run of the whole command against a hostile simulator: memory flat, nothing left open.

Target, helper and judge are asked over HTTP, with many faults, as ``hydrometer ice`` asks them.
Every few seconds a line says what the process holds; the last compares the ends of the run.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

import anyio
import msgspec

from hydrometer.engine.records.tally import Tally

from .loopback import open_simulator
from .whole import run_whole

EVERY_S = 3.0
# Few are refused or stalled: those cost the most calls a second, and a soak wants many.
FAULTS = "rate_limited=0.01,failed=0.05,cut=0.05,stalled=0.005,malformed=0.05"
PROBES = 1_000_000  # more than any soak comes to

CONFIG = """
[run]
window = 256
[models.target]
provider = "http"
model = "sim-target"
vendor = "alibaba"
fact = "I am Sim, a language model developed by Simulab."
base_url = "{url}"
slots = 128
attempts = 14
timeout_s = 1
sampling = {{ temperature = 0.0, max_tokens = 200 }}
[models.helper]
provider = "http"
model = "sim-helper"
base_url = "{url}"
slots = 32
attempts = 14
timeout_s = 1
sampling = {{ temperature = 1.0 }}
[models.judge]
provider = "http"
model = "sim-judge"
base_url = "{url}"
slots = 128
attempts = 14
timeout_s = 1
[ice]
targets = ["target"]
helper = "helper"
judge = "judge"
probes = {probes}
"""


class Sample(msgspec.Struct, frozen=True):
    """What the process held at one moment."""

    at_s: float
    calls: int
    rss_mb: float
    descriptors: int
    tasks: int


async def run(calls: int, minutes: float, faults: str = FAULTS) -> None:
    """Soak until so many *calls* were answered, 0 for any number, or *minutes* are over."""
    samples: list[Sample] = []
    before = _descriptors()
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder, open_simulator("--faults", faults) as url:
        opened = _descriptors() - before  # the simulator's pipe
        async with anyio.create_task_group() as tasks:

            async def measure() -> None:
                text = CONFIG.format(url=url, probes=PROBES)
                await run_whole(text, Path(folder), tally, preflight=False)
                tasks.cancel_scope.cancel()

            tasks.start_soon(measure)
            await _watch(tally, samples, calls, 60 * minutes)
            tasks.cancel_scope.cancel()  # calls under way are waited for
        left = _descriptors() - before - opened
    failed = sum(tally.attempts_failed.values())
    print(f"{tally.attempts} attempts, {failed} of them failed: {dict(tally.attempts_failed)}")
    print(_sum_up(samples, left))


async def _watch(tally: Tally, samples: list[Sample], calls: int, limit_s: float) -> None:
    began = time.monotonic()
    seen, then = 0, 0.0
    while True:
        await anyio.sleep(EVERY_S)
        sample = Sample(
            at_s=time.monotonic() - began,
            calls=tally.calls.total(),
            rss_mb=_rss_mb(),
            descriptors=_descriptors(),
            tasks=len(asyncio.all_tasks()),
        )
        rate = (sample.calls - seen) / (sample.at_s - then)
        seen, then = sample.calls, sample.at_s
        samples.append(sample)
        print(
            f"{sample.at_s:6.0f} s  {sample.calls:8} calls  {rate:6.0f}/s  "
            f"{sample.rss_mb:6.1f} MB  {sample.descriptors:4} descriptors  {sample.tasks:4} tasks",
            flush=True,
        )
        if sample.at_s >= limit_s or 0 < calls <= sample.calls:
            return


def _sum_up(samples: list[Sample], left: int) -> str:
    """Compare the thirds of the run: caches fill in the first, a leak would go on in the last."""
    length = max(1, len(samples) // 3)
    thirds = (samples[:length], samples[length:-length] or samples, samples[-length:])
    first, second, last = (statistics.median(s.rss_mb for s in third) for third in thirds)
    end = samples[-1]
    return (
        f"soak: RSS {last - first:+.1f} MB from the first third to the last, "
        f"{last - second:+.1f} MB from the second ({first:.1f}, {second:.1f}, {last:.1f} MB); "
        f"{end.calls} calls in {end.at_s:.0f} s, at most "
        f"{max(sample.descriptors for sample in samples)} descriptors and "
        f"{max(sample.tasks for sample in samples)} tasks, {left} descriptors left open"
    )


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # a list, closed again
