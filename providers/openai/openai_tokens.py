"""Short-lived tokens in place of a key: fetched when a call needs one, kept until they expire."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module

import anyio
import httpx2
import openai
from openai import auth

from ..errors import AccessDenied, ConnectionFailed, SettingsInvalid, TimedOut
from ..http.wire_errors import to_excerpt
from ..settings import ModelSettings
from .openai_options import OpenAIOptions, WorkloadIdentity

Token = Callable[[], Awaitable[str]]

_EXCHANGE_URL = "https://auth.openai.com/oauth/token"


@asynccontextmanager
async def open_token(
    settings: ModelSettings, options: OpenAIOptions
) -> AsyncIterator[Token | None]:
    """Open the source of tokens that *options* name; None where a key is used."""
    if options.entra:
        async with open_entra_token(settings, options.entra_scope) as token:
            yield token
    elif options.workload is not None:
        yield workload_token(settings, options.workload)
    else:
        yield None


@asynccontextmanager
async def open_entra_token(settings: ModelSettings, scope: str) -> AsyncIterator[Token]:
    """Open azure-identity's DefaultAzureCredential, which tries several sources in turn."""
    try:
        identity = import_module("azure.identity.aio")
        exceptions = import_module("azure.core.exceptions")
    except ModuleNotFoundError as error:
        raise SettingsInvalid(
            "options.entra needs the azure-identity package: pip install azure-identity"
        ) from error
    # It logs a page to stderr for what our error says in one line.
    logging.getLogger("azure.identity").setLevel(logging.ERROR)
    async with identity.DefaultAzureCredential() as credential:
        yield _translated(
            identity.get_bearer_token_provider(credential, scope),
            settings,
            denied=(exceptions.ClientAuthenticationError,),
            failed=(exceptions.AzureError,),
        )


def workload_token(
    settings: ModelSettings, workload: WorkloadIdentity, *, exchange_url: str = _EXCHANGE_URL
) -> Token:
    """Return a source of tokens for which the identity of this machine is exchanged.

    The SDK's client could do this itself, but it would then retry a call that was answered 401.
    """
    identity: auth.WorkloadIdentity = {
        "identity_provider_id": workload.identity_provider_id,
        "service_account_id": workload.service_account_id,
        "provider": _subject(workload),
    }
    exchange = auth.WorkloadIdentityAuth(
        workload_identity=identity, token_exchange_url=exchange_url
    )
    return _translated(
        exchange.get_token_async,
        settings,
        denied=(openai.OAuthError,),
        failed=(openai.OpenAIError, httpx2.HTTPError),
    )


def _subject(workload: WorkloadIdentity) -> auth.SubjectTokenProvider:
    if workload.subject == "azure":
        return auth.azure_managed_identity_token_provider()
    if workload.subject == "gcp":
        return auth.gcp_id_token_provider()
    if workload.token_file:
        return auth.k8s_service_account_token_provider(workload.token_file)
    return auth.k8s_service_account_token_provider()


def _translated(
    fetch: Token,
    settings: ModelSettings,
    *,
    denied: tuple[type[Exception], ...],
    failed: tuple[type[Exception], ...],
) -> Token:
    """Return *fetch* with the model's timeout and our errors; *denied* goes before *failed*."""

    async def token() -> str:
        try:
            with anyio.fail_after(settings.timeout_s):
                return await fetch()
        except TimeoutError as error:
            raise TimedOut(f"{settings.model}: no token within {settings.timeout_s:g} s") from error
        except denied as error:
            # Unchained, as below: these errors hold requests, and so the credentials.
            raise AccessDenied(
                f"{settings.model}: no token: {to_excerpt(str(error))}", status=401
            ) from None
        except failed as error:
            raise ConnectionFailed(
                f"{settings.model}: no token: {to_excerpt(str(error)) or type(error).__name__}"
            ) from None

    return token
