"""Adapter for OpenAI-compatible endpoints through the openai SDK, for its ways to authenticate.

The SDK decides the address and the authentication of a call. Connections, body limits, proxies and
the reading of replies and errors are those of the http adapter. So both adapters behave alike, and
a call costs a third of one with the SDK's own transport and models.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import quote

import httpx2
import msgspec
import openai

from ..base import AdapterReply
from ..errors import ProviderError, SettingsInvalid
from ..http.exchange import read_reply, secret_words
from ..http.http_adapter import Sender, open_sender
from ..http.wire import to_body
from ..options import parse_options
from ..settings import ModelSettings
from ..types import Request
from .openai_options import OpenAIOptions
from .openai_tokens import Token, open_token

BASE_URL = "https://api.openai.com/v1"

_PATHS = {
    "chat": "/chat/completions",
    "completion": "/completions",
    "embedding": "/embeddings",
}
_NO_KEY = "-"  # the SDK requires a key; SenderTransport does not send this one
_PROOFS = ("authorization", "api-key")
# aiohttp sets these itself, and unpacks only encodings that it asked for.
_SET_BY_SENDER = frozenset({"host", "connection", "accept-encoding", "content-length"})


class OpenAIAdapter:
    """Sends requests to one endpoint through *client*, which uses a SenderTransport.

    Whoever built *client* closes it. Errors never repeat *secrets* or the token of a call, even if
    the endpoint does.
    """

    def __init__(
        self, client: openai.AsyncOpenAI, settings: ModelSettings, *, secrets: tuple[str, ...] = ()
    ) -> None:
        self._client = client
        self._model = settings.model
        self._secrets = secrets

    async def send(self, request: Request) -> AdapterReply:
        """Make one attempt, and return the reply or raise a ProviderError."""
        carrier = await self._post(_PATHS[request.mode], to_body(request, self._model))
        return read_reply(
            carrier.extensions["reply"],
            request,
            model=self._model,
            now=time.time(),
            secrets=(*carrier.extensions["proofs"], *self._secrets),
        )

    async def _post(self, path: str, body: bytes) -> httpx2.Response:
        """Return the SDK's response object, which carries the reply to *body*, whatever its status.

        Errors of the SDK are translated here. They are not chained, because they hold the request's
        headers.
        """
        try:
            return await self._client.post(path, cast_to=httpx2.Response, content=body)
        except openai.APIStatusError as error:
            return error.response
        except openai.APIConnectionError as error:
            # Some versions of the SDK wrap whatever their transport raises.
            if isinstance(error.__cause__, ProviderError):
                raise error.__cause__ from None
            raise


class SenderTransport(httpx2.AsyncBaseTransport):
    """Transport of the SDK that sends through *sender*. *headers* override those of the SDK.

    The SDK gets only the status. The reply travels beside it, as an extension, so that the SDK does
    not unpack it, copy it or search it for cookies.
    """

    def __init__(self, sender: Sender, *, headers: Mapping[str, str], with_proof: bool) -> None:
        self._sender = sender
        self._headers = headers
        self._left_out = _SET_BY_SENDER if with_proof else _SET_BY_SENDER.union(_PROOFS)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the reply to *request*, or raise a ProviderError."""
        headers = {
            name: value for name, value in request.headers.items() if name not in self._left_out
        }
        headers.update(self._headers)
        reply = await self._sender.post(str(request.url), request.content, headers)
        tokens = {name: headers.get(name, "").rpartition(" ")[2] for name in _PROOFS}
        return httpx2.Response(
            reply.status, extensions={"reply": reply, "proofs": secret_words("", tokens)}
        )


@asynccontextmanager
async def open_openai(
    settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
) -> AsyncIterator[OpenAIAdapter]:
    """Open connections to one endpoint, one for each of *slots*.

    An empty *api_key* means that the options name another proof, or that the endpoint needs none.
    *headers* are sent with every request and override the SDK's. From the environment only the
    proxies are read, and what an identity in ``options`` needs.
    """
    options = parse_options(settings.options, OpenAIOptions, "options")
    if not api_key.isascii():
        raise SettingsInvalid(
            "api_key_env names a key that the openai SDK cannot send: it is not ASCII (not shown)"
        )
    settings = msgspec.structs.replace(settings, base_url=settings.base_url or BASE_URL)
    secrets = secret_words(api_key, headers)
    # With OPENAI_LOG set, the SDK would write to stderr into the progress display.
    logging.getLogger("openai").setLevel(logging.WARNING)
    async with (
        open_token(settings, options) as token,
        open_sender(settings, slots=slots, secrets=secrets) as sender,
    ):
        transport = SenderTransport(
            sender,
            headers={name.lower(): value for name, value in headers.items()},
            with_proof=bool(api_key or token),
        )
        async with httpx2.AsyncClient(transport=transport, trust_env=False) as http_client:
            client = _build_client(settings, options, api_key, token, http_client)
            yield OpenAIAdapter(client, settings, secrets=sender.secrets)


def _build_client(
    settings: ModelSettings,
    options: OpenAIOptions,
    api_key: str,
    token: Token | None,
    http_client: httpx2.AsyncClient,
) -> openai.AsyncOpenAI:
    """Return a client that does not retry and reads nothing from the environment.

    The SDK looks up settings that are None there, so all of them are given.
    """
    try:
        if options.azure:
            client = _build_azure_client(settings, options, api_key, token, http_client)
        else:
            client = openai.AsyncOpenAI(
                api_key=token or api_key or _NO_KEY,
                base_url=settings.base_url,
                admin_api_key="",
                webhook_secret="",
                timeout=settings.timeout_s,
                max_retries=0,
                http_client=http_client,
            )
    except httpx2.InvalidURL as error:
        raise SettingsInvalid(f"base_url is no valid address: {error}") from error
    client.organization = options.organization or None
    client.project = options.project or None
    # OPENAI_CUSTOM_HEADERS is the one variable that no argument turns off.
    client._custom_headers = {}  # noqa: SLF001
    return client


def _build_azure_client(
    settings: ModelSettings,
    options: OpenAIOptions,
    api_key: str,
    token: Token | None,
    http_client: httpx2.AsyncClient,
) -> openai.AsyncOpenAI:
    static_token = api_key if options.entra_token else None
    client = openai.AsyncAzureOpenAI(
        azure_endpoint=settings.base_url,
        # The SDK finds the model only in a body that it built itself.
        azure_deployment=quote(options.deployment or settings.model, safe=""),
        api_version=options.api_version,
        api_key=None if token or static_token else api_key,
        azure_ad_token=static_token,
        azure_ad_token_provider=token,
        admin_api_key="",
        webhook_secret="",
        timeout=settings.timeout_s,
        max_retries=0,
        http_client=http_client,
    )
    # Earlier versions let AZURE_OPENAI_AD_TOKEN win over a key.
    client._azure_ad_token = static_token  # noqa: SLF001
    return client
