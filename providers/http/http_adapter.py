"""Adapter for OpenAI-compatible endpoints over aiohttp and msgspec: the fast default."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp

from ..base import AdapterReply
from ..errors import ConnectionFailed, SettingsInvalid, TimedOut
from ..settings import ModelSettings
from ..types import Request
from .exchange import HttpReply, body_limit, read_reply, secret_words
from .proxy import Proxy, find_proxy
from .wire import to_body
from .wire_errors import to_excerpt

_DNS_TTL_S = 300


class Sender:
    """Sends POST requests over *session*, which has the timeout. Every failure is a ProviderError.

    Errors never repeat *secrets* or the proxy's password, even if the endpoint does.
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
        self._proxy_proof: dict[str, str] = {}
        if proxy is not None and proxy.authorization:
            self._proxy_proof["proxy-authorization"] = proxy.authorization
            secrets = (*secret_words(proxy.password, self._proxy_proof), *secrets)
        self.secrets = secrets

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpReply:
        """Return the reply to *body*, whatever its status.

        The session has no headers of its own: aiohttp would send them, with the key, to a proxy
        that only opens a tunnel. Errors of aiohttp are translated here. They are not chained where
        they hold the request's headers.
        """
        proxy = self._proxy
        if self._proxy_proof and url.startswith("http:"):
            headers = {**headers, **self._proxy_proof}  # no tunnel: the proxy reads the request
        try:
            async with self._session.post(
                url,
                data=body,
                headers=headers,
                allow_redirects=False,
                proxy=None if proxy is None else proxy.url,
                proxy_headers=self._proxy_proof,
            ) as reply:
                data = await _read_past(reply, body_limit(reply.status))
                return HttpReply(status=reply.status, headers=reply.headers, body=data)
        except TimeoutError as error:
            raise TimedOut(
                f"{self._model}: no complete reply within {self._timeout_s:g} s"
            ) from error
        except aiohttp.ServerDisconnectedError as error:
            # Its message can hold the received part of a head.
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
            # The text behind the colon names a status that was never sent.
            words = str(error).partition(":")[0]
            if not words.startswith("Response payload"):
                words = "the body does not match its headers"
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
        # The text behind the colon is a part of the reply.
        words = to_excerpt(error.message.partition(":")[0], self.secrets)
        return f"no proper HTTP reply: {words}"

    def _unconnected(self, error: aiohttp.ClientConnectorError) -> str:
        """Return what failed, without the address: the message may be recorded in an event."""
        unknown = isinstance(error, aiohttp.ClientConnectorDNSError)
        where = " to the host of base_url" if unknown else ""
        # Once the proxy is reached, only TLS to the endpoint can fail like this.
        if self._proxy is not None and not isinstance(error, aiohttp.ClientSSLError):
            where = f" to the proxy in {self._proxy.variable}"
        code = error.os_error.errno or 0
        if not unknown:
            words = os.strerror(code).lower()
        else:
            words = "no name server answers" if code == socket.EAI_AGAIN else "name not known"
        return f"cannot connect{where}: {words}"


class HttpAdapter:
    """Sends requests to one OpenAI-compatible endpoint, with *headers* in every one."""

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

    async def send(self, request: Request) -> AdapterReply:
        """Make one attempt, and return the reply or raise a ProviderError."""
        url, body = self._urls[request.mode], to_body(request, self._model)
        reply = await self._sender.post(url, body, self._headers)
        return read_reply(
            reply, request, model=self._model, now=time.time(), secrets=self._sender.secrets
        )


async def _read_past(reply: aiohttp.ClientResponse, limit: int) -> bytes:
    """Return the body, or a little more than *limit* bytes of a longer one.

    The limit holds for the unpacked body. Content-Length and the compressed size prove nothing.
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
) -> AsyncIterator[HttpAdapter]:
    """Open connections to one endpoint, one for each of *slots*.

    An empty *api_key* is not sent. *headers* are sent with every request and override our own.
    """
    own = {"accept": "application/json", "content-type": "application/json"}
    if api_key:
        own["authorization"] = f"Bearer {api_key}"
    own |= {name.lower(): value for name, value in headers.items()}
    secrets = secret_words(api_key, headers)
    async with open_sender(settings, slots=slots, secrets=secrets) as sender:
        yield HttpAdapter(sender, settings, headers=own)


@asynccontextmanager
async def open_sender(
    settings: ModelSettings, *, slots: int, secrets: tuple[str, ...]
) -> AsyncIterator[Sender]:
    """Open one connection for each of *slots*, through the environment's proxy if there is one.

    trust_env stays off: it would also send a password of ~/.netrc to the endpoint, and its look-ups
    at every call cost more than the call itself.
    """
    proxy = find_proxy(settings.base_url, os.environ)
    connector = aiohttp.TCPConnector(limit=slots, limit_per_host=slots, ttl_dns_cache=_DNS_TTL_S)
    async with aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=settings.timeout_s),
    ) as session:
        yield Sender(session, settings, proxy=proxy, secrets=secrets)
