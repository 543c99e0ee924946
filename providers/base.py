"""Protocols and values at the edges of this package: models, adapters, provider kinds, clocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from .quota import Quota
from .settings import ModelSettings
from .types import Request, Response


class Provider(Protocol):
    """Answers one request. Retry, limits, pools, the cache and test fakes all look like this."""

    async def complete(self, request: Request) -> Response:
        """Return the response, or raise a ProviderError."""
        ...


class AdapterReply(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt brought back.

    *quota* is what the endpoint said about its limits. It is not part of *response*, because
    responses are stored as they are.
    """

    response: Response
    quota: Quota | None = None


class Adapter(Protocol):
    """Sends requests to one endpoint. An adapter does not retry, cache, limit or log."""

    async def send(self, request: Request) -> AdapterReply:
        """Make one attempt, and return the reply or raise a ProviderError."""
        ...


class OpenAdapter(Protocol):
    """Opens the adapter of one model and closes it: the seam for providers of other packages.

    *settings* name at most one address. *api_key* is empty where the user named no key. The values
    of *headers* are to be sent as they are. Raise SettingsInvalid with a message that begins with
    the setting's name, as in "options.region is missing"; the model's path is put in front of it.
    """

    def __call__(
        self, settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[Adapter]:
        """Return a context manager of an adapter that takes *slots* calls at once."""
        ...


class ProviderKind(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that differs between kinds of providers; *name* is what the config writes.

    *check* gets a model's settings and their path, and raises SettingsInvalid for a wrong address
    or option. *identity_suffix* returns what the model's identity holds beside kind, model name
    and revision; it may raise SettingsInvalid.
    """

    name: str
    open: OpenAdapter
    check: Callable[[ModelSettings, str], None]
    identity_suffix: Callable[[ModelSettings], str]
    free: bool = False  # calls cost nothing, so the price is known without a price table
    preflight: bool = True  # a small call before a run can find a wrong setting
    extra: str = ""  # pip extra with the libraries that *open* imports


class Clock(Protocol):
    """Time as this package sees it, so that a test can set it."""

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
    error: str = ""  # the error's class; empty when a response arrived
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    endpoint: str = ""  # the user's name for it, where the model has several


class AttemptObserver(Protocol):
    """Receives every attempt when it ends. It must not block."""

    def attempt_ended(self, attempt: Attempt) -> None:
        """Record one attempt."""
        ...
