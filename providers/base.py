"""The one door to a model, and the protocols that are handed in from outside."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from .settings import ModelSettings
from .types import Request, Response


class Provider(Protocol):
    """Answers one request. Adapters, retry, limits, cache and test fakes all look like this."""

    async def complete(self, request: Request) -> Response:
        """Return the response, or raise a ProviderError."""
        ...


class OpenProvider(Protocol):
    """Opens the adapter of one model, and closes it: the seam for providers of other packages.

    *settings* name one address at most, *api_key* is empty where none was named, and the values
    of *headers* are what is to be sent. Raise SettingsInvalid with a message that begins with the
    setting's name, as in "options.region is missing": the model's path is put in front of it.
    """

    def __call__(
        self, settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[Provider]:
        """Return what opens the adapter, for as many calls at once as there are *slots*."""
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
