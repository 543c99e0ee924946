"""Pool of one model: adapters, limits, failover and retry, opened from the model's settings."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from .base import Adapter, AttemptObserver, Clock, Provider, ProviderKind
from .errors import AccessDenied, Outage, ReplyUnusable, RequestRejected, SettingsInvalid
from .kinds import ProviderKinds, check_kind
from .limits.budget import Budget, Spent
from .limits.failover import Endpoint, Failover
from .limits.limiter import Limited
from .limits.retry import AnswerCount, Retrying
from .settings import EndpointSettings, ModelSettings
from .statistics import PoolStatistics
from .types import Request, Response


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint before it is opened."""

    name: str
    settings: ModelSettings
    key_path: str  # the setting's path under which its key is named


class Pool:
    """Answers requests to one model. Several runs may share it, each through its own view.

    Its limits, failover, budget and breakers are shared by all views.
    """

    def __init__(
        self,
        name: str,
        *,
        limited: Limited | Failover,
        clock: Clock,
        attempts: int = 1,
        deadline_s: float = math.inf,
        budget: Budget | None = None,
    ) -> None:
        self.name = name  # the user's name for the model
        self._limited = limited
        self._clock = clock
        self._attempts = attempts
        self._deadline_s = deadline_s
        self._budget = budget or Budget()
        self._answers = AnswerCount()
        self._unwatched = self.watched_by(None)

    async def complete(self, request: Request) -> Response:
        """Return the response, or raise a ProviderError. No observer receives the attempts."""
        return await self._unwatched.complete(request)

    def watched_by(self, observer: AttemptObserver | None) -> Provider:
        """Return a view of this pool; *observer* receives the attempts of that view only."""
        return Retrying(
            self._limited.watched_by(observer),
            attempts=self._attempts,
            deadline_s=self._deadline_s,
            clock=self._clock,
            pool=self.name,
            answers=self._answers,
        )

    def abandon(self) -> None:
        """Let cancellation reach the attempts in flight, those of all views."""
        self._limited.abandon()

    def statistics(self) -> PoolStatistics:
        """Return what was sent and what is in flight at this moment, over all views."""
        found = self._limited.statistics()
        return found if isinstance(found, PoolStatistics) else PoolStatistics(endpoints=(found,))

    def spent(self) -> Spent:
        """Return what this model has spent, earlier sessions of its run included."""
        return self._budget.spent()


@asynccontextmanager
async def open_pool(
    name: str,
    settings: ModelSettings,
    *,
    environ: Mapping[str, str],
    clock: Clock,
    budget: Budget | None = None,
    spent: Spent | None = None,
    kinds: ProviderKinds | None = None,
) -> AsyncIterator[Pool]:
    """Open the pool of the model that the user calls *name*.

    Keys are looked up in *environ* once, here. *kinds* are the known kinds of providers, by default
    the built-in ones. The model's own budget lies under *budget*, and *spent* already counts
    against it. Raises SettingsInvalid, naming the setting, for one that cannot be used.
    """
    path = f"models.{name}"
    settings.check(path)
    kind = (kinds or ProviderKinds()).find(settings.provider, path)
    check_kind(settings, path)
    own = settings.budget
    budget = Budget(
        calls=own.calls,
        tokens=own.tokens,
        cost_usd=own.cost_usd,
        spent=spent,
        parent=budget,
        path=f"{path}.budget",
    )
    async with AsyncExitStack() as stack:
        endpoints = []
        for place in _places(settings, path):
            adapter = await _open_adapter(stack, kind, place, path, environ)
            limited = Limited(
                adapter,
                slots=place.settings.slots,
                rpm=place.settings.rpm,
                tpm=place.settings.tpm,
                clock=clock,
                pool=name,
                endpoint=place.name,
                price=settings.price,
                budget=budget,
            )
            endpoints.append(Endpoint(place.name, limited))
        several = len(endpoints) > 1
        yield Pool(
            name,
            limited=(
                Failover(endpoints, clock=clock, budget=budget) if several else endpoints[0].limited
            ),
            clock=clock,
            attempts=settings.attempts,
            deadline_s=settings.deadline_s,
            budget=budget,
        )


async def _open_adapter(
    stack: AsyncExitStack,
    kind: ProviderKind,
    place: _Place,
    path: str,
    environ: Mapping[str, str],
) -> Adapter:
    settings = place.settings
    api_key = _resolve_key(f"{place.key_path}.api_key_env", settings.api_key_env, environ)
    headers = _resolve_headers(path, settings.headers, environ)
    try:
        opened = kind.open(settings, slots=settings.slots, api_key=api_key, headers=headers)
        return await stack.enter_async_context(opened)
    except SettingsInvalid as error:
        raise SettingsInvalid(f"{path}.{error}") from error
    except ModuleNotFoundError as error:
        if not kind.extra:
            raise
        raise SettingsInvalid(
            f"{path}.provider: {kind.name} needs the {kind.extra} package: "
            f"pip install 'hydrometer[{kind.extra}]'"
        ) from error


async def preflight(provider: Provider, request: Request, path: str) -> Response:
    """Make one small call to the model at *path*, and name the settings to look at when it fails.

    *provider* is its pool or a view of it. A failure that no retry can mend is SettingsInvalid.
    Outage and AccessDenied stay what they are.
    """
    try:
        return await provider.complete(request)
    except AccessDenied as error:
        raise AccessDenied(
            f"{error} (look at api_key_env, model and base_url of {path})", status=error.status
        ) from error
    except Outage as error:
        raise Outage(f"{error} (look at base_url and timeout_s of {path})") from error
    except (RequestRejected, ReplyUnusable) as error:
        raise SettingsInvalid(
            f"{error} (look at model, mode, sampling and base_url of {path})"
        ) from error


def _places(settings: ModelSettings, path: str) -> tuple[_Place, ...]:
    """Return the settings of each endpoint; a model with one address has one without a name."""
    if not settings.endpoints:
        return (_Place(name="", settings=settings, key_path=path),)
    return tuple(
        _Place(
            name=settings.endpoint_name(index),
            settings=_at_one_address(settings, endpoint),
            key_path=f"{path}.endpoints[{index}]" if endpoint.api_key_env else path,
        )
        for index, endpoint in enumerate(settings.endpoints)
    )


def _at_one_address(settings: ModelSettings, endpoint: EndpointSettings) -> ModelSettings:
    """Return *settings* with the address, key and limits of *endpoint*."""
    return msgspec.structs.replace(
        settings,
        base_url=endpoint.base_url,
        endpoints=(),
        api_key_env=endpoint.api_key_env or settings.api_key_env,
        slots=settings.slots if endpoint.slots is None else endpoint.slots,
        rpm=settings.rpm if endpoint.rpm is None else endpoint.rpm,
        tpm=settings.tpm if endpoint.tpm is None else endpoint.tpm,
    )


def _resolve_headers(
    path: str, headers: Mapping[str, str], environ: Mapping[str, str]
) -> dict[str, str]:
    return {
        name: _resolve_header(f"{path}.headers.{name}", value, environ)
        for name, value in headers.items()
    }


def _resolve_header(path: str, value: str, environ: Mapping[str, str]) -> str:
    if value.startswith("env:"):
        value = _look_up(path, value.removeprefix("env:"), environ)
    if not _fits_a_header(value):
        raise SettingsInvalid(
            f"{path} holds a control character or one outside Latin-1 (value not shown)"
        )
    return value


def _resolve_key(path: str, variable: str, environ: Mapping[str, str]) -> str:
    if not variable:
        return ""
    key = _look_up(path, variable, environ)
    if not _fits_a_header(key) or any(character.isspace() for character in key):
        raise SettingsInvalid(
            f"{path} names {variable}, which holds white space or a character that no key may have "
            "(value not shown)"
        )
    return key


def _look_up(path: str, variable: str, environ: Mapping[str, str]) -> str:
    value = environ.get(variable, "")
    if not value:
        raise SettingsInvalid(f"{path} names {variable}, which is not set")
    return value


def _fits_a_header(value: str) -> bool:
    return all(" " <= character <= "\xff" and character != "\x7f" for character in value)
