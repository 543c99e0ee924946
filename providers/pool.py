"""One model, ready to be called: adapters, limits, failover and retry, opened from its settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from .base import AttemptObserver, Clock, OpenProvider, Provider
from .errors import AccessDenied, Outage, ReplyUnusable, RequestRejected, SettingsInvalid
from .limits.budget import Budget, Spent
from .limits.failover import Endpoint, Failover
from .limits.limiter import Limited
from .limits.retry import Retrying
from .settings import EndpointSettings, ModelSettings, check_provider
from .statistics import PoolStatistics
from .types import Request, Response


class _Place(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint as it is to be opened."""

    name: str
    settings: ModelSettings
    key_path: str  # where its key is named


class Pool:
    """Answers requests to one model, *name*d by the user; *budget* is what it may spend."""

    def __init__(
        self,
        name: str,
        *,
        retrying: Provider,
        limited: Limited | Failover,
        budget: Budget | None = None,
    ) -> None:
        self.name = name
        self._retrying = retrying
        self._limited = limited
        self._budget = budget or Budget()

    async def complete(self, request: Request) -> Response:
        """Return the response, or raise a ProviderError."""
        return await self._retrying.complete(request)

    def abandon(self) -> None:
        """Let cancellation reach the attempts that are under way."""
        self._limited.abandon()

    def statistics(self) -> PoolStatistics:
        """Return what was sent and what is under way at this moment."""
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
    observer: AttemptObserver | None = None,
    budget: Budget | None = None,
    spent: Spent | None = None,
    openers: Mapping[str, OpenProvider] = {},
) -> AsyncIterator[Pool]:
    """Open the pool of the model that the user calls *name*.

    Keys are looked up in *environ*, now and only now. *openers* are the providers that are not
    built in. The model's own budget lies under *budget*, and *spent* counts against it already.
    Raises SettingsInvalid, naming the setting, for what cannot be used.
    """
    path = f"models.{name}"
    settings.check(path)
    check_provider(path, settings.provider, openers)
    open_adapter = _opener(settings.provider, path, openers)
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
            adapter = await _open_adapter(stack, open_adapter, place, path, environ)
            limited = Limited(
                adapter,
                slots=place.settings.slots,
                rpm=place.settings.rpm,
                tpm=place.settings.tpm,
                clock=clock,
                pool=name,
                endpoint=place.name,
                observer=observer,
                price=settings.price,
                budget=budget,
            )
            endpoints.append(Endpoint(place.name, limited))
        several = len(endpoints) > 1
        door = Failover(endpoints, clock=clock, budget=budget) if several else endpoints[0].limited
        retrying = Retrying(
            door,
            attempts=settings.attempts,
            deadline_s=settings.deadline_s,
            clock=clock,
            pool=name,
        )
        yield Pool(name, retrying=retrying, limited=door, budget=budget)


async def _open_adapter(
    stack: AsyncExitStack,
    open_adapter: OpenProvider,
    place: _Place,
    path: str,
    environ: Mapping[str, str],
) -> Provider:
    settings = place.settings
    opened = open_adapter(
        settings,
        slots=settings.slots,
        api_key=_resolve_key(f"{place.key_path}.api_key_env", settings.api_key_env, environ),
        headers=_resolve_headers(path, settings.headers, environ),
    )
    try:
        return await stack.enter_async_context(opened)
    except SettingsInvalid as error:
        raise SettingsInvalid(f"{path}.{error}") from error


def _opener(provider: str, path: str, openers: Mapping[str, OpenProvider]) -> OpenProvider:
    """Return what opens *provider*; its libraries are imported when a model asks for them."""
    match provider:
        case "http":
            from .http.http_adapter import open_http  # noqa: PLC0415 (aiohttp is a third of a start)

            return open_http
        case "openai":
            try:
                from .openai.openai_adapter import open_openai  # noqa: PLC0415 (the SDK takes a second)
            except ModuleNotFoundError as error:
                raise SettingsInvalid(
                    f"{path}.provider: openai needs the openai package: "
                    "pip install 'hydrometer[openai]'"
                ) from error
            return open_openai
        case "simulated":
            from .simulation.simulated_adapter import open_simulated  # noqa: PLC0415 (a run may need none)

            return open_simulated
        case "vllm":
            raise SettingsInvalid(f"{path}.provider {provider} is not available in this version")
        case _:
            return openers[provider]


async def preflight(pool: Pool, request: Request) -> Response:
    """Make one small call, and say which settings to look at when it fails.

    What another attempt cannot mend is SettingsInvalid; a model that cannot be reached, or that
    denies access, stays what it is.
    """
    path = f"models.{pool.name}"
    try:
        return await pool.complete(request)
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
    """Return the settings of each endpoint; one of a base_url has no name."""
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
    """Return *settings* with *endpoint* written out as their one address."""
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
            f"{path} names {variable}, which holds white space or a character that no key has "
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
