"""Calls that several benchmarks make, how many at once, and the floor: the bare call.

Contenders are measured in environments that hold no Hydrometer, so nothing here imports it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import msgspec

AT_ONCE = 64
MAX_TOKENS = 512
_FILLING = "The studio is quiet and the lamp is on. " * 38

CallNumber = Callable[[int], Awaitable[str]]
"""Asks the prompt of that number, and returns the text of the answer."""


class Message(msgspec.Struct):
    """What a model said."""

    content: str


class Choice(msgspec.Struct):
    """One answer."""

    message: Message
    finish_reason: str


class Usage(msgspec.Struct):
    """Tokens."""

    prompt_tokens: int
    completion_tokens: int


class Reply(msgspec.Struct):
    """As much of a chat completion as a careful caller reads."""

    model: str
    choices: list[Choice]
    usage: Usage


def prompt_of(number: int) -> str:
    """Return a prompt of 1.6 KB that no other number has."""
    return f"{number} {_FILLING}"


async def spread(call: Callable[[int], Awaitable[object]], calls: int, *, first: int = 0) -> None:
    """Make *calls* numbered calls, ``AT_ONCE`` of them at any time."""
    numbers = iter(range(first, first + calls))

    async def work() -> None:
        for number in numbers:
            await call(number)

    async with anyio.create_task_group() as tasks:
        for _ in range(AT_ONCE):
            tasks.start_soon(work)


@asynccontextmanager
async def open_bare(url: str) -> AsyncIterator[CallNumber]:
    """Open a session that posts a prompt and decodes the answer, and does nothing else."""
    import aiohttp  # noqa: PLC0415  # a contender's environment may hold none

    encoder, decoder = msgspec.json.Encoder(), msgspec.json.Decoder(Reply)
    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=connector) as session:

        async def call(number: int) -> str:
            message = {"role": "user", "content": prompt_of(number)}
            body = encoder.encode(
                {"model": "target", "messages": [message], "max_tokens": MAX_TOKENS}
            )
            async with session.post(
                f"{url}/chat/completions", data=body, headers=headers
            ) as response:
                return decoder.decode(await response.read()).choices[0].message.content

        yield call
