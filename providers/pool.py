"""One model, ready to be called: adapter, limits and retry, opened from what the user wrote."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from .base import AttemptObserver, Clock, OpenProvider, Provider
from .budget import Budget
from .errors import AccessDenied, Outage, ReplyUnusable, RequestRejected, SettingsInvalid
from .limit import Limited, LimitStatistics
from .retry import Retrying
from .settings import ModelSettings, check_provider
from .types import Request, Response


class Pool:
    """Answers requests to one model, *name*d by the user."""

    def __init__(self, name: str, *, retrying: Provider, limited: Limited) -> None:
        self.name = name
        self._retrying = retrying
        self._limited = limited

    async def complete(self, request: Request) -> Response:
        """Return the response, or raise a ProviderError."""
        return await self._retrying.complete(request)

    def abandon(self) -> None:
        """Let cancellation reach the attempts that are under way."""
        self._limited.abandon()

    def statistics(self) -> LimitStatistics:
        """Return what was sent and what is under way at this moment."""
        return self._limited.statistics()


@asynccontextmanager
async def open_pool(
    name: str,
    settings: ModelSettings,
    *,
    environ: Mapping[str, str],
    clock: Clock,
    observer: AttemptObserver | None = None,
    budget: Budget | None = None,
    openers: Mapping[str, OpenProvider] = {},
) -> AsyncIterator[Pool]:
    """Open the pool of the model that the user calls *name*.

    Keys are looked up in *environ*, now and only now. *openers* are the providers that are not
    built in. Raises SettingsInvalid, naming the setting, for what cannot be used.
    """
    path = f"models.{name}"
    settings.check(path)
    check_provider(path, settings.provider, openers)
    settings, key_path = _at_one_address(settings, path)
    async with AsyncExitStack() as stack:
        opened = _opener(settings.provider, path, openers)(
            settings,
            slots=settings.slots,
            api_key=_resolve_key(key_path, settings.api_key_env, environ),
            headers=_resolve_headers(path, settings.headers, environ),
        )
        try:
            adapter = await stack.enter_async_context(opened)
        except SettingsInvalid as error:
            raise SettingsInvalid(f"{path}.{error}") from error
        limited = Limited(
            adapter,
            slots=settings.slots,
            rpm=settings.rpm,
            tpm=settings.tpm,
            clock=clock,
            pool=name,
            observer=observer,
            price=settings.price,
            budget=budget,
        )
        retrying = Retrying(limited, attempts=settings.attempts, clock=clock, pool=name)
        yield Pool(name, retrying=retrying, limited=limited)


def _opener(provider: str, path: str, openers: Mapping[str, OpenProvider]) -> OpenProvider:
    """Return what opens *provider*; its libraries are imported when a model asks for them."""
    match provider:
        case "http":
            from .chat_http import open_http  # noqa: PLC0415 (aiohttp is a third of a start)

            return open_http
        case "openai":
            try:
                from .chat_openai import open_openai  # noqa: PLC0415 (the SDK takes a second)
            except ModuleNotFoundError as error:
                raise SettingsInvalid(
                    f"{path}.provider: openai needs the openai package: "
                    "pip install 'hydrometer[openai]'"
                ) from error
            return open_openai
        case "simulated":
            from .simulated import open_simulated  # noqa: PLC0415 (a run may need none)

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


def _at_one_address(settings: ModelSettings, path: str) -> tuple[ModelSettings, str]:
    """Return *settings* with its one endpoint, if any, written out, and where its key is named."""
    if not settings.endpoints:
        return settings, f"{path}.api_key_env"
    if len(settings.endpoints) > 1:
        raise SettingsInvalid(
            f"{path}.endpoints: several endpoints are not supported in this version"
        )
    endpoint = settings.endpoints[0]
    settings = msgspec.structs.replace(
        settings,
        base_url=endpoint.base_url,
        endpoints=(),
        api_key_env=endpoint.api_key_env or settings.api_key_env,
        slots=settings.slots if endpoint.slots is None else endpoint.slots,
        rpm=settings.rpm if endpoint.rpm is None else endpoint.rpm,
        tpm=settings.tpm if endpoint.tpm is None else endpoint.tpm,
    )
    settings.check(f"{path}.endpoints[0]")
    key_at = f"{path}.endpoints[0]" if endpoint.api_key_env else path
    return settings, f"{key_at}.api_key_env"


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
