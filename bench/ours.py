"""Everything Hydrometer does for a call: key, cache, retry, limits, wire, store, event."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from hydrometer.cache.cached import Cached
from hydrometer.cache.disk import open_store
from hydrometer.cache.keys import with_key
from hydrometer.command_line.process import tuned_gc
from hydrometer.engine.calls.answers import Answer
from hydrometer.engine.ice.ice_events import Probed
from hydrometer.engine.records.event_log import EventLog
from hydrometer.providers.clock import SystemClock
from hydrometer.providers.pool import open_pool
from hydrometer.providers.settings import ModelSettings
from hydrometer.providers.types import Message, Request, Sampling

from .calls import AT_ONCE, MAX_TOKENS, CallNumber, prompt_of


@asynccontextmanager
async def open_ours(url: str, folder: Path) -> AsyncIterator[CallNumber]:
    """Open a pool to *url* and a cache and an event log in *folder*."""
    settings = ModelSettings(provider="http", model="target", base_url=url, slots=AT_ONCE)
    with (folder / "events.jsonl").open("ab", buffering=0) as file:
        events = EventLog(iter(()), file)
        async with (
            open_store(folder) as store,
            open_pool("target", settings, environ={}, clock=SystemClock()) as pool,
        ):
            cached = Cached(pool, store, pool="target")

            async def call(number: int) -> str:
                request = Request(
                    identity="http:target",
                    messages=(Message(role="user", content=prompt_of(number)),),
                    sampling=Sampling(max_tokens=MAX_TOKENS),
                )
                keyed = with_key(request)
                response = await cached.complete(keyed)
                answer = Answer(key=keyed.key, text=response.text, finish=response.finish)
                events.write((Probed(ticket=0, template=0, question=number, outcome=answer),))
                return response.text

            with tuned_gc():
                yield call
