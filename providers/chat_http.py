"""OpenAI-compatible endpoints over aiohttp and msgspec: the fast default adapter."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp

from .errors import ConnectionFailed, SettingsInvalid, TimedOut
from .exchange import Reply, body_limit, read_reply, secret_words
from .quota import Quota
from .settings import ModelSettings
from .types import Request, Response
from .wire import to_body
from .wire_errors import to_excerpt

_DNS_TTL_S = 300


class Sender:
    """Posts over *session*, which carries the timeout; whatever fails is a ProviderError.

    None of *secrets* is repeated in an error, whatever the endpoint says.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        settings: ModelSettings,
        *,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self._session = session
        self._model = settings.model
        self._timeout_s = settings.timeout_s
        self._secrets = secrets

    async def post(self, url: str, body: bytes, headers: Mapping[str, str] | None = None) -> Reply:
        """Return the reply to *body*, whatever its status; *headers* win over the session's.

        The errors of aiohttp end here. They are not chained where they hold the request's
        headers, and so the key.
        """
        try:
            async with self._session.post(
                url, data=body, headers=headers, allow_redirects=False
            ) as reply:
                data = await _read_past(reply, body_limit(reply.status))
                return Reply(status=reply.status, headers=reply.headers, body=data)
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
            # What follows the colon are bytes of the reply.
            words = to_excerpt(error.message.partition(":")[0], self._secrets)
            raise ConnectionFailed(f"{self._model}: no proper HTTP reply: {words}") from None
        except ValueError as error:  # also aiohttp.InvalidURL
            raise SettingsInvalid(
                f"{self._model}: the endpoint cannot be called with these settings: "
                f"{self._excerpt(error)}"
            ) from None
        except aiohttp.ClientConnectorError as error:
            # aiohttp's own words hold the address, and this message may end in an event.
            words = os.strerror(error.os_error.errno or 0).lower()
            raise ConnectionFailed(f"{self._model}: cannot connect: {words}") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ConnectionFailed(
                f"{self._model}: connection failed: {self._excerpt(error)}"
            ) from error

    def _excerpt(self, error: Exception) -> str:
        return to_excerpt(str(error), self._secrets) or type(error).__name__


class HttpProvider:
    """One OpenAI-compatible endpoint; the session of *sender* carries the headers."""

    def __init__(
        self, sender: Sender, settings: ModelSettings, *, secrets: tuple[str, ...] = ()
    ) -> None:
        base_url = settings.base_url.rstrip("/")
        self._sender = sender
        self._model = settings.model
        self._urls = {
            "chat": f"{base_url}/chat/completions",
            "completion": f"{base_url}/completions",
            "embedding": f"{base_url}/embeddings",
        }
        self._secrets = secrets

    async def complete(self, request: Request) -> Response:
        """Return the response, or raise a ProviderError; one call, one attempt."""
        return (await self.complete_quoted(request))[0]

    async def complete_quoted(self, request: Request) -> tuple[Response, Quota | None]:
        """Do the same, and return also what the endpoint says of its limits."""
        reply = await self._sender.post(self._urls[request.mode], to_body(request, self._model))
        return read_reply(
            reply, request.mode, model=self._model, now=time.time(), secrets=self._secrets
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
    async with open_sender(settings, slots=slots, headers=own, secrets=secrets) as sender:
        yield HttpProvider(sender, settings, secrets=secrets)


@asynccontextmanager
async def open_sender(
    settings: ModelSettings,
    *,
    slots: int,
    secrets: tuple[str, ...],
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[Sender]:
    """Open as many connections as there are *slots*; *headers* go with every post."""
    connector = aiohttp.TCPConnector(limit=slots, limit_per_host=slots, ttl_dns_cache=_DNS_TTL_S)
    async with aiohttp.ClientSession(
        connector=connector,
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=settings.timeout_s),
        trust_env=_needs_proxy(settings.base_url),
    ) as session:
        yield Sender(session, settings, secrets=secrets)


def _needs_proxy(url: str) -> bool:
    """Return whether the environment names a proxy for *url*.

    With trust_env aiohttp looks for a proxy and for ~/.netrc at every call, each in a thread:
    more work than the call itself. So it is asked to only where there is something to find.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise SettingsInvalid(f"base_url is no valid address: {error}") from error
    return parts.scheme in getproxies() and not _is_loopback(host) and not proxy_bypass(host)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
