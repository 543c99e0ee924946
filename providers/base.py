"""The one door to a model, and the protocols that are handed in from outside."""

from __future__ import annotations

from typing import Protocol

import msgspec

from .types import Request, Response


class Provider(Protocol):
    """Answers one request. Adapters, retry, limits, cache and test fakes all look like this."""

    async def complete(self, request: Request) -> Response:
        """Return the response, or raise a ProviderError."""
        ...


class Clock(Protocol):
    """Time as the layers see it, so that tests can wind it by hand."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait, cancellably."""
        ...


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One call that was sent, however it ended."""

    pool: str
    waited_s: float  # for a slot and for the rate limits
    took_s: float
    error: str = ""  # the error class, empty when a response arrived
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0


class AttemptObserver(Protocol):
    """Is told of every attempt as it ends; must not block."""

    def attempt_ended(self, attempt: Attempt) -> None:
        """Take note of one attempt."""
        ...
