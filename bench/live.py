"""A live call through the whole stack, against bare aiohttp + msgspec on the same server."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import anyio
import msgspec
from hydrometer.cache.cached import Cached
from hydrometer.cache.disk import open_store
from hydrometer.cache.keys import request_key
from hydrometer.commands.ice import IceJob, run_ice
from hydrometer.commands.session import seldom_collected
from hydrometer.engine.config import parse_config
from hydrometer.engine.events import Answer, Probed
from hydrometer.engine.files import load_texts
from hydrometer.engine.planning import build_plan
from hydrometer.engine.sinks import EventLog, Tally
from hydrometer.providers.clock import SystemClock
from hydrometer.providers.pool import open_pool
from hydrometer.providers.settings import ModelSettings
from hydrometer.providers.types import Message, Request, Sampling

from .measure import Round, last_line, less_start, row, timed

CALLS, AT_ONCE = 5000, 64
FEW = 50  # a run that is little more than its start: plan, cache, pools
PROMPT = "The studio is quiet and the lamp is on. " * 38

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


class _Usage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int


class _Message(msgspec.Struct):
    content: str


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str


class _Reply(msgspec.Struct):
    model: str
    choices: list[_Choice]
    usage: _Usage


async def run(calls: int, rounds: int) -> None:
    """Print the table and the ratio."""
    calls = calls or CALLS
    bare: list[Round] = []
    stack: list[Round] = []
    whole: list[Round] = []
    async with _server() as url:
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
    encoder, decoder = msgspec.json.Encoder(), msgspec.json.Decoder(_Reply)
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def call(number: int) -> None:
            message = {"role": "user", "content": f"{number} {PROMPT}"}
            body = encoder.encode({"model": "target", "messages": [message], "max_tokens": 512})
            headers = {"Content-Type": "application/json"}
            async with session.post(
                f"{url}/chat/completions", data=body, headers=headers
            ) as response:
                decoder.decode(await response.read())

        await _spread(call, calls)
    return calls


async def _stack(url: str, calls: int) -> int:
    settings = ModelSettings(provider="http", model="target", base_url=url, slots=AT_ONCE)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        async with (
            open_store(Path(folder)) as store,
            open_pool("target", settings, environ={}, clock=SystemClock()) as pool,
        ):
            cached = Cached(pool, store, pool="target")
            file = stack.enter_context(Path(folder, "events.jsonl").open("ab", buffering=0))
            events = EventLog(iter(()), file)
            stack.enter_context(seldom_collected())

            async def call(number: int) -> None:
                message = Message(role="user", content=f"{number} {PROMPT}")
                request = Request(
                    identity="http:target",
                    messages=(message,),
                    sampling=Sampling(max_tokens=512),
                )
                key = request_key(request)
                response = await cached.answer(key, request)
                answer = Answer(key=key, text=response.text, finish=response.finish)
                events.write((Probed(ticket=0, template=0, question=number, outcome=answer),))

            await _spread(call, calls)
    return calls


async def _whole(url: str, calls: int) -> int:
    config = parse_config(CONFIG.format(url=url, slots=AT_ONCE, calls=calls), "bench.toml")
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        plan = build_plan(config, "target", load_texts(config, Path(folder)))
        job = IceJob(
            config=config, plan=plan, directory=Path(folder, "run"), cache=Path(folder, "cache")
        )
        await run_ice(job, tally, print)
    assert tally.probes == calls
    assert not tally.states["failed"]
    return tally.attempts


async def _spread(call: Callable[[int], Awaitable[None]], calls: int) -> None:
    numbers = iter(range(calls))

    async def work() -> None:
        for number in numbers:
            await call(number)

    async with anyio.create_task_group() as tasks:
        for _ in range(AT_ONCE):
            tasks.start_soon(work)


@asynccontextmanager
async def _server() -> AsyncIterator[str]:
    process = subprocess.Popen(  # noqa: ASYNC220  # nothing runs beside it yet
        [sys.executable, "-m", "bench.server"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        while "http://" not in (line := process.stdout.readline()):
            pass
        yield line[line.index("http://") :].split()[0].rstrip(")") + "/v1"
    finally:
        process.terminate()
        process.wait()
