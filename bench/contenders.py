"""The ways to do the same work, each behind one function: a number in, the answer's text out.

Every library is imported by whoever opens it, for no environment holds them all.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Literal

import msgspec

from .calls import AT_ONCE, MAX_TOKENS, CallNumber, open_bare, prompt_of

Mode = Literal["live", "replay"]
Open = Callable[[str, Path, Mode], AbstractAsyncContextManager[CallNumber]]
"""Opens a contender for an address, with a folder for its cache, which replays only read."""

KEY = "no-key"  # the endpoint wants none, but libraries do


@asynccontextmanager
async def _open_bare(url: str, folder: Path, mode: Mode) -> AsyncIterator[CallNumber]:
    async with open_bare(url) as post:
        if mode == "live":
            yield post
            return
        import diskcache  # noqa: PLC0415

        with diskcache.Cache(str(folder), eviction_policy="none") as cache:
            decoder = msgspec.json.Decoder(str)

            async def call(number: int) -> str:
                message = {"role": "user", "content": prompt_of(number)}
                asked = msgspec.json.encode({"messages": [message], "max_tokens": MAX_TOKENS})
                key = blake2b(asked, digest_size=20).hexdigest()
                stored = cache.get(key)
                if stored is None:
                    stored = msgspec.json.encode(await post(number))
                    cache.add(key, stored)
                return decoder.decode(stored)

            yield call


@asynccontextmanager
async def _open_ours(url: str, folder: Path, _mode: Mode) -> AsyncIterator[CallNumber]:
    from .ours import open_ours  # noqa: PLC0415

    async with open_ours(url, folder) as call:
        yield call


@asynccontextmanager
async def _open_openai(
    url: str, _folder: Path, _mode: Mode, *, over_aiohttp: bool
) -> AsyncIterator[CallNumber]:
    import openai  # noqa: PLC0415

    transport = openai.DefaultAioHttpClient() if over_aiohttp else None
    async with openai.AsyncOpenAI(base_url=url, api_key=KEY, http_client=transport) as client:

        async def call(number: int) -> str:
            reply = await client.chat.completions.create(
                model="target",
                messages=[{"role": "user", "content": prompt_of(number)}],
                max_tokens=MAX_TOKENS,
            )
            return reply.choices[0].message.content or ""

        yield call


@asynccontextmanager
async def _open_litellm(url: str, folder: Path, mode: Mode) -> AsyncIterator[CallNumber]:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else an import asks the internet
    import litellm  # noqa: PLC0415

    if mode == "replay":
        litellm.cache = litellm.Cache(type="disk", disk_cache_dir=str(folder))

    async def call(number: int) -> str:
        reply = await litellm.acompletion(
            model="openai/target",
            api_base=url,
            api_key=KEY,
            messages=[{"role": "user", "content": prompt_of(number)}],
            max_tokens=MAX_TOKENS,
            caching=mode == "replay",
        )
        text: str = reply.choices[0].message.content
        return text

    yield call


@asynccontextmanager
async def _open_inspect(url: str, folder: Path, mode: Mode) -> AsyncIterator[CallNumber]:
    os.environ["INSPECT_CACHE_DIR"] = str(folder)
    from inspect_ai.model import CachePolicy, GenerateConfig, get_model  # noqa: PLC0415

    config = GenerateConfig(max_connections=AT_ONCE, max_tokens=MAX_TOKENS)
    cache = CachePolicy(expiry=None) if mode == "replay" else False
    async with get_model(
        "openai-api/bench/target", base_url=url, api_key=KEY, config=config
    ) as model:

        async def call(number: int) -> str:
            output = await model.generate(prompt_of(number), cache=cache)
            text: str = output.completion
            return text

        yield call


class Contender(msgspec.Struct, frozen=True):
    """A way to do the same work."""

    name: str
    library: str  # what it is installed as
    open: Open
    caches: bool = True  # has a cache to replay from


CONTENDERS = (
    Contender("bare", "aiohttp", _open_bare),
    Contender("hydrometer", "hydrometer", _open_ours),
    Contender("openai, aiohttp", "openai", partial(_open_openai, over_aiohttp=True), caches=False),
    Contender("openai", "openai", partial(_open_openai, over_aiohttp=False), caches=False),
    Contender("litellm", "litellm", _open_litellm),
    Contender("inspect_ai", "inspect_ai", _open_inspect),
)
