"""Stack over a store in memory: cache, retries, limits and an adapter, as a run has them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from ..cache.cached import Cached
from ..cache.keys import with_key
from ..cache.store import MemoryStore, Store
from ..providers.base import Clock, OpenAdapter
from ..providers.kinds import ProviderKinds
from ..providers.pool import Pool, open_pool
from ..providers.settings import ModelSettings
from ..providers.types import Request, Response
from .scripted import ListObserver
from .virtual_time import LoopClock


class MemoryStack:
    """One model as a run reaches it; open it with open_stack().

    *store* holds what was answered, *pool* the limits. *observed* holds every attempt that was sent
    and every call that was answered.
    """

    def __init__(self, pool: Pool, store: Store, clock: Clock) -> None:
        self.pool = pool
        self.store = store
        self.observed = ListObserver()
        self._cached = Cached(
            pool.watched_by(self.observed),
            store,
            pool=pool.name,
            observer=self.observed,
            now=clock.now,
        )

    async def complete(self, request: Request) -> Response:
        """Return the stored response, or send the request and store its response first.

        Raises what a run would meet: ProviderError, EntryDamaged.
        """
        return await self._cached.complete(with_key(request))


@asynccontextmanager
async def open_stack(
    settings: ModelSettings,
    adapter: OpenAdapter | None = None,
    *,
    store: Store | None = None,
    clock: Clock | None = None,
    environ: Mapping[str, str] | None = None,
) -> AsyncIterator[MemoryStack]:
    """Open the stack of one model over *store*, by default a new MemoryStore.

    *adapter* opens the provider that *settings* name; without one, the provider is a built-in kind.
    *clock* is by default that of the event loop, so the stack works in virtual time. Keys are
    looked up in *environ*, by default empty. Raises SettingsInvalid for settings that cannot be
    used, and ValueError for an adapter under the name of a built-in kind.
    """
    kinds = ProviderKinds()
    if adapter is not None:
        if settings.provider in kinds.names:
            raise ValueError(f"the provider {settings.provider} is built in: use another name")
        kinds = ProviderKinds({settings.provider: adapter})
    clock = clock or LoopClock()
    async with open_pool(
        settings.model, settings, environ=environ or {}, clock=clock, kinds=kinds
    ) as pool:
        yield MemoryStack(pool, MemoryStore() if store is None else store, clock)
