"""Provider that answers from the store alone and never reaches a network."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..providers.types import Response
from .cached import AnsweredCall, CallObserver
from .errors import CacheMiss
from .inspection.miss_report import describe_miss, describe_nearest, find_nearest
from .keys import KeyedRequest
from .store import Store, stored_response


class ReplayOnly:
    """Returns stored responses; for any other request it raises CacheMiss.

    The first miss searches the store for the most similar entry and names it, which takes up to a
    second. Later misses usually have the same cause, so they skip the search.
    """

    def __init__(
        self,
        store: Store,
        *,
        pool: str,
        observer: CallObserver | None = None,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._store = store
        self._pool = pool
        self._observer = observer
        self._now = now
        self._explained = False

    async def complete(self, keyed: KeyedRequest) -> Response:
        """Return the stored response, or raise CacheMiss, or EntryDamaged for a damaged entry."""
        started = self._now()
        response = stored_response(self._store, keyed.key)
        if response is None:
            raise self._miss(keyed)
        if self._observer is not None:
            took_s = self._now() - started
            self._observer.call_ended(
                AnsweredCall(
                    key=keyed.key,
                    pool=self._pool,
                    source="cache",
                    took_s=took_s,
                    response=response,
                )
            )
        return response

    def _miss(self, keyed: KeyedRequest) -> CacheMiss:
        message = describe_miss(keyed.key, keyed.request)
        if not self._explained:
            self._explained = True
            nearest = find_nearest(keyed.request, self._store)
            message = f"{message}: {describe_nearest(keyed.request, nearest)}"
        return CacheMiss(message, request_key=keyed.key)
