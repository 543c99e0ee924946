"""OpenAI-compatible endpoints through the openai SDK, for the ways it has to open a door.

The SDK decides where a call goes and what proves our right to make it. How it gets there and how
the reply is read is that of chat_http.py: connections, limits, proxies, errors. So both adapters
behave alike, and a call costs a third of what it does with the SDK's own transport and models.
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

from ..errors import ProviderError, SettingsInvalid
from ..http.exchange import read_reply, secret_words
from ..http.http_adapter import Sender, open_sender
from ..http.wire import to_body
from ..options import OpenAIOptions, parse_options
from ..quota import Quota
from ..settings import ModelSettings
from ..types import Request, Response
from .openai_tokens import Token, open_token

BASE_URL = "https://api.openai.com/v1"

_PATHS = {
    "chat": "/chat/completions",
    "completion": "/completions",
    "embedding": "/embeddings",
}
_NO_KEY = "-"  # the SDK insists on a key, and SenderTransport leaves it out
_PROOFS = ("authorization", "api-key")
# aiohttp has its own opinion of these, and unpacks only what it asked for.
_SENDERS_OWN = frozenset({"host", "connection", "accept-encoding", "content-length"})


class OpenAIProvider:
    """One endpoint. *client* must be built over a SenderTransport, and its owner closes it.

    None of *secrets*, nor the token of a call, is repeated in an error, whatever the endpoint says.
    """

    def __init__(
        self, client: openai.AsyncOpenAI, settings: ModelSettings, *, secrets: tuple[str, ...] = ()
    ) -> None:
        self._client = client
        self._model = settings.model
        self._secrets = secrets

    async def complete(self, request: Request) -> Response:
        """Return the response, or raise a ProviderError; one call, one attempt."""
        return (await self.complete_quoted(request))[0]

    async def complete_quoted(self, request: Request) -> tuple[Response, Quota | None]:
        """Do the same, and return also what the endpoint says of its limits."""
        carrier = await self._post(_PATHS[request.mode], to_body(request, self._model))
        return read_reply(
            carrier.extensions["reply"],
            request,
            model=self._model,
            now=time.time(),
            secrets=(*carrier.extensions["proofs"], *self._secrets),
        )

    async def _post(self, path: str, body: bytes) -> httpx2.Response:
        """Return what carries the reply to *body*, whatever its status.

        The errors of the SDK end here. They hold the request's headers, and so are not chained.
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
    """Lets *sender* do what the SDK asks for; *headers* win over those of the SDK.

    The SDK is told the status alone. The reply itself travels beside it, as an extension: so it
    is not unpacked, copied or searched for cookies again.
    """

    def __init__(self, sender: Sender, *, headers: Mapping[str, str], with_proof: bool) -> None:
        self._sender = sender
        self._headers = headers
        self._left_out = _SENDERS_OWN if with_proof else _SENDERS_OWN.union(_PROOFS)

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
) -> AsyncIterator[OpenAIProvider]:
    """Open connections to one endpoint, as many as there are *slots*.

    Give *api_key* as an empty string where the options name another proof, or where the endpoint
    wants none. *headers* go with every call and win over the SDK's. Of the environment, only the
    proxies are used, and what an identity of ``options`` asks for.
    """
    options = parse_options(settings.options, OpenAIOptions, "options")
    if not api_key.isascii():
        raise SettingsInvalid(
            "api_key_env names a key that the openai SDK cannot send: it is not ASCII (not shown)"
        )
    settings = msgspec.structs.replace(settings, base_url=settings.base_url or BASE_URL)
    secrets = secret_words(api_key, headers)
    # OPENAI_LOG would have the SDK write to stderr, between the lines of a progress display.
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
            yield OpenAIProvider(client, settings, secrets=sender.secrets)


def _build_client(
    settings: ModelSettings,
    options: OpenAIOptions,
    api_key: str,
    token: Token | None,
    http_client: httpx2.AsyncClient,
) -> openai.AsyncOpenAI:
    """Return a client that neither tries again nor takes anything from the environment.

    A setting that is None would be looked up there, so that all are given.
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
    # OPENAI_CUSTOM_HEADERS is the one variable that no argument switches off.
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
        # The SDK takes the model out of a body of its own making only.
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
