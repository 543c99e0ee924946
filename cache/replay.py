"""A provider that answers from the store alone."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..providers.types import Request, Response
from .cached import AnsweredCall, CallObserver
from .errors import CacheMiss
from .keys import request_key
from .miss_report import describe_miss, describe_nearest, find_nearest
from .store import Store, stored_response


class ReplayOnly:
    """Answers what is stored; anything else raises CacheMiss and reaches no network.

    The first miss looks through the store for the nearest entry, which takes up to a second;
    those that follow have, as a rule, the same reason and don't.
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

    async def complete(self, request: Request) -> Response:
        """Return the stored answer, or raise CacheMiss."""
        return await self.answer(request_key(request), request)

    async def answer(self, key: str, request: Request) -> Response:
        """Do the same for a caller who knows the key of *request* already."""
        started = self._now()
        response = stored_response(self._store, key)
        if response is None:
            raise self._miss(key, request)
        if self._observer is not None:
            took_s = self._now() - started
            self._observer.call_ended(
                AnsweredCall(
                    key=key, pool=self._pool, source="cache", took_s=took_s, response=response
                )
            )
        return response

    def _miss(self, key: str, request: Request) -> CacheMiss:
        message = describe_miss(key, request)
        if not self._explained:
            self._explained = True
            nearest = find_nearest(request, self._store)
            message = f"{message}: {describe_nearest(request, nearest)}"
        return CacheMiss(message, request_key=key)
