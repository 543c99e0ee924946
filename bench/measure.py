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
    """CPU and wall milliseconds a call."""

    cpu_ms: float
    wall_ms: float


async def timed(work: Callable[[], Awaitable[int]]) -> Round:
    """Run *work*, which returns how many calls it made; CPU is of all threads of this process."""
    cpu, wall = time.process_time(), time.perf_counter()
    calls = await work()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return Round(cpu * 1e3 / calls, wall * 1e3 / calls)


def median(rounds: list[Round]) -> Round:
    """Return the median of each figure."""
    return Round(
        statistics.median(r.cpu_ms for r in rounds), statistics.median(r.wall_ms for r in rounds)
    )


def row(name: str, found: Round, bare: Round) -> str:
    """Return one line of a table."""
    return (
        f"{name:<46} {found.cpu_ms:8.3f} ms CPU  {found.wall_ms:8.3f} ms wall  "
        f"{found.cpu_ms / bare.cpu_ms:5.2f} x"
    )


def last_line(name: str, ours: Round, bare: Round) -> str:
    """Return the line that a benchmark ends with."""
    return (
        f"{name}: ratio {ours.cpu_ms / bare.cpu_ms:.2f} "
        f"(ours {ours.cpu_ms:.3f} ms, bare {bare.cpu_ms:.3f} ms a call)"
    )


def about_machine() -> str:
    """Return what the figures depend on."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("aiohttp", "msgspec", "diskcache"))
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, {libraries}"
