"""CPU time, which a shared machine disturbs less than wall time, over several rounds."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Awaitable, Callable
from importlib.metadata import version

import msgspec


class Round(msgspec.Struct, frozen=True):
    """CPU and wall milliseconds a call, of so many calls."""

    cpu_ms: float
    wall_ms: float
    calls: int = 1


async def timed(work: Callable[[], Awaitable[int]]) -> Round:
    """Run *work*, which returns how many calls it made; CPU is of all threads of this process."""
    cpu, wall = time.process_time(), time.perf_counter()
    calls = await work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Round(cpu * 1e3 / calls, wall * 1e3 / calls, calls)


def less_start(run: Round, short: Round) -> Round:
    """Return what a call of *run* costs without what every run costs once."""
    calls = run.calls - short.calls
    return Round(
        (run.cpu_ms * run.calls - short.cpu_ms * short.calls) / calls,
        (run.wall_ms * run.calls - short.wall_ms * short.calls) / calls,
        calls,
    )


def median(rounds: list[Round]) -> Round:
    """Return the median of each figure."""
    return Round(
        statistics.median(r.cpu_ms for r in rounds), statistics.median(r.wall_ms for r in rounds)
    )


def ratio(rounds: list[Round], bare: list[Round]) -> float:
    """Return how much more CPU time *rounds* took: the median of the ratios round by round.

    A shared machine changes its speed between rounds; within one, both contenders meet the same.
    """
    return statistics.median(a.cpu_ms / b.cpu_ms for a, b in zip(rounds, bare, strict=True))


def row(name: str, rounds: list[Round], bare: list[Round]) -> str:
    """Return one line of a table."""
    found = median(rounds)
    times = f"{found.cpu_ms:8.3f} ms CPU  {found.wall_ms:8.3f} ms wall"
    return f"{name:<48} {times}  {ratio(rounds, bare):5.2f} x"


def last_line(name: str, ours: list[Round], bare: list[Round]) -> str:
    """Return the line that a benchmark ends with: medians, that of the ratios round by round."""
    return (
        f"{name}: ratio {ratio(ours, bare):.2f} "
        f"(ours {median(ours).cpu_ms:.3f} ms, bare {median(bare).cpu_ms:.3f} ms a call)"
    )


def about_machine() -> str:
    """Return what the figures depend on."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "msgspec", "diskcache"))
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, {libraries}"
