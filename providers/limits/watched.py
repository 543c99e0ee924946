"""View of a shared layer: a provider that passes requests to one function of that layer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ..types import Request, Response


class Watched:
    """A provider whose requests are answered by *complete*, which names the observer."""

    def __init__(self, complete: Callable[[Request], Awaitable[Response]]) -> None:
        self._complete = complete

    async def complete(self, request: Request) -> Response:
        """Return the response, or raise a ProviderError."""
        return await self._complete(request)
