"""Provider that serves repeated requests from the store and sends only the others.

Three rules decide what is paid for:

- A request whose response is stored is never sent.
- Identical requests in flight are sent once. ``InFlight`` lets the first caller send; the others
  wait for its response. Several ``Cached`` may share one ``InFlight``: then the rule holds across
  the runs that they belong to, and each run still reports to its own observer.
- From the moment a response has arrived, cancellation cannot prevent its storing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, Protocol

import anyio
import msgspec

from ..providers.base import Provider
from ..providers.tokens import estimate_usage
from ..providers.types import Response, Usage
from .coalesce import InFlight
from .entry import decode_response, encode_entry
from .keys import KeyedRequest
from .store import Store, stored_response

Source = Literal["cache", "sent", "shared", "preflight"]


class AnsweredCall(msgspec.Struct, frozen=True, kw_only=True):
    """One answered request, and where its response came from.

    *source* is "cache" for a stored response, "sent" for one that this caller sent, "shared" for
    one that an identical call in flight sent, and "preflight" for a test request, which is sent but
    not stored. *counted* is set for requests that were sent: the usage that the endpoint reported,
    or else the estimate that the budget uses.
    """

    key: str
    pool: str
    source: Source
    took_s: float
    response: Response
    counted: Usage | None = None


class CallObserver(Protocol):
    """Receives every answered request; must not block."""

    def call_ended(self, call: AnsweredCall) -> None:
        """Record one call."""


class KeyedProvider(Protocol):
    """A model that is given each request with its key, so that the key is computed only once."""

    async def complete(self, keyed: KeyedRequest) -> Response:
        """Return the response to the request."""
        ...


class Cached:
    """Answers from *store*, and sends to *inner* what is not stored.

    A stored response is returned without a checkpoint. A new response is returned once it is
    stored. If another process has stored a response under the same key in the meantime, that
    response is returned to everyone.

    *in_flight* may be shared with other ``Cached`` over the same store and model. An error of a
    call in flight then reaches every run that waits for it. Without *in_flight*, only the callers
    of this object share identical requests.
    """

    def __init__(
        self,
        inner: Provider,
        store: Store,
        *,
        pool: str,
        observer: CallObserver | None = None,
        in_flight: InFlight[Response] | None = None,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._inner = inner
        self._store = store
        self._pool = pool
        self._observer = observer
        self._in_flight: InFlight[Response] = InFlight() if in_flight is None else in_flight
        self._now = now

    async def complete(self, keyed: KeyedRequest) -> Response:
        """Return the stored response, or send the request and store its response first.

        Raises ProviderError from the provider, EntryDamaged for a damaged entry, and
        CacheUnwritable for a response that arrived and could not be stored.
        """
        started = self._now()
        source: Source = "cache"
        response = stored_response(self._store, keyed.key)
        if response is None:
            source = "shared"

            async def fetch() -> Response:
                nonlocal source
                # Look again: if an earlier leader was cancelled, its response or that of another
                # process may have been stored since.
                stored = stored_response(self._store, keyed.key)
                source = "sent" if stored is None else "cache"
                return await self._send(keyed, started) if stored is None else stored

            response = await self._in_flight.run(keyed.key, fetch)
        if source != "sent":
            self._report(keyed.key, source, started, response)
        return response

    async def _send(self, keyed: KeyedRequest, started: float) -> Response:
        request = keyed.request
        response = await self._inner.complete(request)
        # The response is paid for: from here on the only checkpoint is the shielded one. Record
        # the cost before storing: a response that cannot be stored was still paid for.
        counted = response.usage or estimate_usage(request, response)
        self._report(keyed.key, "sent", started, response, counted)
        data = encode_entry(keyed.key, request, response)
        with anyio.CancelScope(shield=True):
            stored = await self._store.add(keyed.key, data)
        return response if stored == data else decode_response(keyed.key, stored)

    def _report(
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
