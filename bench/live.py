"""A live call through the whole stack, against bare aiohttp + msgspec on the same server."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hydrometer.engine.records.tally import Tally

from .calls import AT_ONCE, open_bare, spread
from .loopback import open_server
from .measure import Round, last_line, less_start, row, timed
from .ours import open_ours
from .whole import run_whole

CALLS = 5000
FEW = 50  # a run that is little more than its start: plan, cache, pools

CONFIG = """
[models.target]
provider = "http"
model = "target"
vendor = "alibaba"
base_url = "{url}"
slots = {slots}
sampling = {{ temperature = 0.0, max_tokens = 512 }}
[models.helper]
provider = "http"
model = "helper"
base_url = "{url}"
[ice]
targets = ["target"]
helper = "helper"
judge = "lexical"
probes = {calls}
questions_per_visit = 50
"""


async def run(calls: int, rounds: int) -> None:
    """Print the table and the ratio."""
    calls = calls or CALLS
    bare: list[Round] = []
    stack: list[Round] = []
    whole: list[Round] = []
    with open_server() as url:
        for number in range(rounds + 1):
            found = (
                await timed(lambda: _bare(url, calls)),
                await timed(lambda: _stack(url, calls)),
                less_start(
                    await timed(lambda: _whole(url, calls)), await timed(lambda: _whole(url, FEW))
                ),
            )
            if number:  # the first round warms up
                for kept, figure in zip((bare, stack, whole), found, strict=True):
                    kept.append(figure)
    print(f"{calls} calls, {AT_ONCE} at once, medians of {rounds} rounds")
    print(row("bare aiohttp + msgspec", bare, bare))
    print(row("key, cache, retry, limits, adapter, store, event", stack, bare))
    print(row("hydrometer ice: all that, searched and judged", whole, bare))
    print(last_line("live", stack, bare))


async def _bare(url: str, calls: int) -> int:
    async with open_bare(url) as call:
        await spread(call, calls)
    return calls


async def _stack(url: str, calls: int) -> int:
    with tempfile.TemporaryDirectory() as folder:
        async with open_ours(url, Path(folder)) as call:
            await spread(call, calls)
    return calls


async def _whole(url: str, calls: int) -> int:
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        text = CONFIG.format(url=url, slots=AT_ONCE, calls=calls)
        await run_whole(text, Path(folder), tally)
    assert tally.units == calls
    assert not tally.counts.states["failed"]
    return tally.attempts
