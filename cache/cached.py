"""A provider that asks each question once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, Protocol

import anyio
import msgspec

from ..providers.base import Provider
from ..providers.limits.rate_window import estimate_usage
from ..providers.types import Request, Response, Usage
from .coalesce import InFlight
from .entry import decode_response, encode_entry
from .keys import request_key
from .store import Store, stored_response

Source = Literal["cache", "sent", "shared", "preflight"]


class AnsweredCall(msgspec.Struct, frozen=True, kw_only=True):
    """One answered request: stored already, sent by us, or shared with an identical call.

    A preflight is sent by us too, and its answer is kept by nobody.
    """

    key: str
    pool: str
    source: Source
    took_s: float
    response: Response
    counted: Usage | None = None  # of one that was sent: reported, or else what budgets estimate


class CallObserver(Protocol):
    """Is told of every answered request; must not block."""

    def call_ended(self, call: AnsweredCall) -> None:
        """Take note of one call."""


class KeyedProvider(Protocol):
    """A provider that can be handed the key with the request: hashing it twice would show."""

    async def answer(self, key: str, request: Request) -> Response:
        """Return the response to *request*, whose key is *key*."""
        ...


class Cached:
    """Answers from *store*, and asks *inner* for what is missing there.

    A stored answer comes back without a checkpoint. A new one comes back when it is stored; where
    another process was faster, its answer is the one that everybody gets.
    """

    def __init__(
        self,
        inner: Provider,
        store: Store,
        *,
        pool: str,
        observer: CallObserver | None = None,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._inner = inner
        self._store = store
        self._pool = pool
        self._observer = observer
        self._now = now
        self._in_flight: InFlight[Response] = InFlight()

    async def complete(self, request: Request) -> Response:
        """Return the stored answer, asking for it first if need be.

        Raises ProviderError from *inner*, EntryDamaged, or CacheUnwritable for an answer that
        arrived and could not be kept.
        """
        return await self.answer(request_key(request), request)

    async def answer(self, key: str, request: Request) -> Response:
        """Do the same for a caller who knows the key of *request* already."""
        started = self._now()
        source: Source = "cache"
        response = stored_response(self._store, key)
        if response is None:
            source = "shared"

            async def fetch() -> Response:
                nonlocal source
                # Again: another process may have stored it while we waited for a leader in vain.
                stored = stored_response(self._store, key)
                source = "sent" if stored is None else "cache"
                return await self._send(key, request, started) if stored is None else stored

            response = await self._in_flight.run(key, fetch)
        if source != "sent":
            self._tell(key, source, started, response)
        return response

    async def _send(self, key: str, request: Request, started: float) -> Response:
        response = await self._inner.complete(request)
        # It is paid for: from here on no checkpoint but the shielded one. And it is told before it
        # is stored, because what cannot be stored has its price too.
        counted = response.usage or estimate_usage(request, response)
        self._tell(key, "sent", started, response, counted)
        data = encode_entry(key, request, response)
        with anyio.CancelScope(shield=True):
            stored = await self._store.add(key, data)
        return response if stored == data else decode_response(key, stored)

    def _tell(
        self,
        key: str,
        source: Source,
        started: float,
        response: Response,
        counted: Usage | None = None,
    ) -> None:
        if self._observer is not None:
            self._observer.call_ended(
                AnsweredCall(
                    key=key,
                    pool=self._pool,
                    source=source,
                    took_s=self._now() - started,
                    response=response,
                    counted=counted,
                )
            )
