"""OpenAI-compatible endpoints over aiohttp and msgspec: the fast default adapter."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp

from ..errors import ConnectionFailed, SettingsInvalid, TimedOut
from ..quota import Quota
from ..settings import ModelSettings
from ..types import Request, Response
from .exchange import HttpReply, body_limit, read_reply, secret_words
from .proxy import Proxy, find_proxy
from .wire import to_body
from .wire_errors import to_excerpt

_DNS_TTL_S = 300


class Sender:
    """Posts over *session*, which carries the timeout; whatever fails is a ProviderError.

    None of *secrets*, nor what opens *proxy*, is repeated in an error, whatever the endpoint says.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        settings: ModelSettings,
        *,
        proxy: Proxy | None = None,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self._session = session
        self._model = settings.model
        self._timeout_s = settings.timeout_s
        self._proxy = proxy
        self._proof: dict[str, str] = {}
        if proxy is not None and proxy.authorization:
            self._proof["proxy-authorization"] = proxy.authorization
            secrets = (*secret_words(proxy.password, self._proof), *secrets)
        self.secrets = secrets

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpReply:
        """Return the reply to *body*, whatever its status.

        The session has no headers of its own: aiohttp would show them, and so the key, to a proxy
        that only has to open a tunnel. The errors of aiohttp end here. They are not chained where
        they hold the request's headers.
        """
        proxy = self._proxy
        if self._proof and url.startswith("http:"):
            headers = {**headers, **self._proof}  # no tunnel: the proxy reads the request itself
        try:
            async with self._session.post(
                url,
                data=body,
                headers=headers,
                allow_redirects=False,
                proxy=None if proxy is None else proxy.url,
                proxy_headers=self._proof,
            ) as reply:
                data = await _read_past(reply, body_limit(reply.status))
                return HttpReply(status=reply.status, headers=reply.headers, body=data)
        except TimeoutError as error:
            raise TimedOut(
                f"{self._model}: no complete reply within {self._timeout_s:g} s"
            ) from error
        except aiohttp.ServerDisconnectedError as error:
            # Its own words can be the half of a head that arrived.
            raise ConnectionFailed(
                f"{self._model}: connection failed: Server disconnected"
            ) from error
        except aiohttp.ClientResponseError as error:
            raise ConnectionFailed(f"{self._model}: {self._improper(error)}") from None
        except ValueError as error:  # also aiohttp.InvalidURL
            raise SettingsInvalid(
                f"{self._model}: the endpoint cannot be called with these settings: "
                f"{self._excerpt(error)}"
            ) from None
        except aiohttp.ClientConnectorError as error:
            words = self._unconnected(error)
            raise ConnectionFailed(f"{self._model}: {words}", sent=False) from error
        except aiohttp.ClientPayloadError as error:
            # What follows the colon names a status that nobody sent.
            words = str(error).partition(":")[0]
            if not words.startswith("Response payload"):
                words = "the body is not what its headers say"
            raise ConnectionFailed(f"{self._model}: connection failed: {words}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionFailed(
                f"{self._model}: connection failed: {self._excerpt(error)}"
            ) from error

    def _excerpt(self, error: Exception) -> str:
        return to_excerpt(str(error), self.secrets) or type(error).__name__

    def _improper(self, error: aiohttp.ClientResponseError) -> str:
        if self._proxy is not None and isinstance(error, aiohttp.ClientHttpProxyError):
            return f"the proxy in {self._proxy.variable} answered {error.status}"
        # What follows the colon are bytes of the reply.
        words = to_excerpt(error.message.partition(":")[0], self.secrets)
        return f"no proper HTTP reply: {words}"

    def _unconnected(self, error: aiohttp.ClientConnectorError) -> str:
        """Return what failed without the address: this may end in an event, where none belongs."""
        unknown = isinstance(error, aiohttp.ClientConnectorDNSError)
        where = " to the host of base_url" if unknown else ""
        # Behind a proxy that was reached, only TLS can fail so.
        if self._proxy is not None and not isinstance(error, aiohttp.ClientSSLError):
            where = f" to the proxy in {self._proxy.variable}"
        code = error.os_error.errno or 0
        if not unknown:
            words = os.strerror(code).lower()
        else:
            words = "no name server answers" if code == socket.EAI_AGAIN else "name not known"
        return f"cannot connect{where}: {words}"


class HttpProvider:
    """One OpenAI-compatible endpoint; *headers* go with every call."""

    def __init__(
        self, sender: Sender, settings: ModelSettings, *, headers: Mapping[str, str]
    ) -> None:
        base_url = settings.base_url.rstrip("/")
        self._sender = sender
        self._model = settings.model
        self._urls = {
            "chat": f"{base_url}/chat/completions",
            "completion": f"{base_url}/completions",
            "embedding": f"{base_url}/embeddings",
        }
        self._headers = headers

    async def complete(self, request: Request) -> Response:
        """Return the response, or raise a ProviderError; one call, one attempt."""
        return (await self.complete_quoted(request))[0]

    async def complete_quoted(self, request: Request) -> tuple[Response, Quota | None]:
        """Do the same, and return also what the endpoint says of its limits."""
        url, body = self._urls[request.mode], to_body(request, self._model)
        reply = await self._sender.post(url, body, self._headers)
        return read_reply(
            reply, request, model=self._model, now=time.time(), secrets=self._sender.secrets
        )


async def _read_past(reply: aiohttp.ClientResponse, limit: int) -> bytes:
    """Return the body, or a little more than *limit* bytes of it when it is longer.

    Neither Content-Length nor the compressed size is believed: what counts is what was unpacked.
    """
    body = bytearray()
    while chunk := await reply.content.readany():
        body += chunk
        if len(body) > limit:
            reply.close()
            break
    return bytes(body)


@asynccontextmanager
async def open_http(
    settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
) -> AsyncIterator[HttpProvider]:
    """Open connections to one endpoint, as many as there are *slots*.

    Give *api_key* as an empty string for an endpoint that wants none. *headers* go with every
    call and win over our own.
    """
    own = {"accept": "application/json", "content-type": "application/json"}
    if api_key:
        own["authorization"] = f"Bearer {api_key}"
    own |= {name.lower(): value for name, value in headers.items()}
    secrets = secret_words(api_key, headers)
    async with open_sender(settings, slots=slots, secrets=secrets) as sender:
        yield HttpProvider(sender, settings, headers=own)


@asynccontextmanager
async def open_sender(
    settings: ModelSettings, *, slots: int, secrets: tuple[str, ...]
) -> AsyncIterator[Sender]:
    """Open as many connections as there are *slots*, through the environment's proxy if it has one.

    trust_env stays off: it would also send a password of ~/.netrc to the endpoint, and looks for
    all that at every call, which is more work than the call itself.
    """
    proxy = find_proxy(settings.base_url, os.environ)
    connector = aiohttp.TCPConnector(limit=slots, limit_per_host=slots, ttl_dns_cache=_DNS_TTL_S)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=settings.timeout_s),
    ) as session:
        yield Sender(session, settings, proxy=proxy, secrets=secrets)
