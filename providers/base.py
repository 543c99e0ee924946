"""The one door to a model, and the protocols that are handed in from outside."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol, runtime_checkable

import msgspec

from .quota import Quota
from .settings import ModelSettings
from .types import Request, Response


class Provider(Protocol):
    """Answers one request. Adapters, retry, limits, cache and test fakes all look like this."""

    async def complete(self, request: Request) -> Response:
        """Return the response, or raise a ProviderError."""
        ...


@runtime_checkable
class QuotedProvider(Protocol):
    """What a provider adds that can tell what its endpoint says of limits; nobody has to.

    A response is stored as it is, so this travels beside it.
    """

    async def complete_quoted(self, request: Request) -> tuple[Response, Quota | None]:
        """Do what `complete` does, and return also what the reply's headers say."""
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
    endpoint: str = ""  # the user's name of it, where the model has several


class AttemptObserver(Protocol):
    """Is told of every attempt as it ends; must not block."""

    def attempt_ended(self, attempt: Attempt) -> None:
        """Take note of one attempt."""
        ...
