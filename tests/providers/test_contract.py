"""What every adapter owes its caller, whatever the endpoint does. A new adapter is one line."""

from __future__ import annotations

import gc
import json
import socket
import tracemalloc
from base64 import b64decode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from fakes import ListObserver
from msgspec.structs import replace

from hydrometer.providers.base import Adapter, OpenAdapter, Provider
from hydrometer.providers.clock import SystemClock
from hydrometer.providers.errors import (
    AccessDenied,
    ConnectionFailed,
    ProviderError,
    RateLimited,
    ReplyMalformed,
    ReplyUnusable,
    RequestRejected,
    ServiceFailed,
    SettingsInvalid,
    TimedOut,
)
from hydrometer.providers.http.exchange import BODY_LIMIT
from hydrometer.providers.http.http_adapter import open_http
from hydrometer.providers.limits.limiter import Limited
from hydrometer.providers.openai.openai_adapter import open_openai
from hydrometer.providers.settings import ModelSettings
from hydrometer.providers.types import Message, Mode, Request, Response, Sampling, Usage

pytestmark = pytest.mark.anyio

KEY = "Planted.Key~0123456789"
PROXY_SECRET = "Planted-Proxy-Secret"
PROMPT = "Who made you? 谁创造了你？"


ADAPTERS: Mapping[str, OpenAdapter] = {"http": open_http, "openai": open_openai}


class Server:
    def __init__(self, url: str) -> None:
        self.url = f"{url}/v1"
        self._told_at = url

    def redirected(self) -> object:
        """What the address that it redirects to has been sent."""
        with urlopen(f"{self._told_at}/recorded") as reply:
            return json.load(reply)

    def calls(self, model: str) -> int:
        """How often *model* has been called."""
        with urlopen(f"{self._told_at}/counted") as reply:
            counted: dict[str, int] = json.load(reply)
        return counted.get(model, 0)


@pytest.fixture
def server(hostile_url: str) -> Server:
    return Server(hostile_url)


@pytest.fixture(params=sorted(ADAPTERS))
def adapter(request: pytest.FixtureRequest) -> OpenAdapter:
    return ADAPTERS[request.param]


def ask(*, mode: Mode = "chat", sampling: Sampling | None = None) -> Request:
    return Request(
        identity="test",
        mode=mode,
        messages=(Message(role="user", content=PROMPT),),
        sampling=sampling or Sampling(temperature=0.0, max_tokens=64),
    )


@asynccontextmanager
async def opened(
    adapter: OpenAdapter, url: str, model: str, *, timeout_s: float = 20.0, api_key: str = KEY
) -> AsyncIterator[Adapter]:
    settings = ModelSettings(provider="http", model=model, base_url=url, timeout_s=timeout_s)
    async with adapter(settings, slots=2, api_key=api_key, headers={"X-Team": "audit"}) as provider:
        yield provider


async def failure(
    adapter: OpenAdapter, url: str, model: str, *, timeout_s: float = 20.0
) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        async with opened(adapter, url, model, timeout_s=timeout_s) as provider:
            await provider.send(ask())
    assert KEY not in f"{caught.value!r} {vars(caught.value)}"
    return caught.value


HI = Response(
    text="hi",
    usage=Usage(input_tokens=3, output_tokens=1),
    model="served-model",
    fingerprint="fp_1",
)

ANSWERS: Mapping[str, Response] = {
    "ok": HI,
    "unicode": replace(HI, text="通义千问 \U0001f600 \u202e \x00 é"),
    "lone-surrogate": replace(HI, text="half \ufffd of it"),
    "invalid-utf8": replace(HI, text="h\ufffd"),
    "length": replace(HI, text="cut off", finish="length"),
    "filtered": replace(HI, text="", finish="content_filter"),
    "odd-finish": replace(HI, finish="other"),
    "null-finish": replace(HI, finish="other"),
    "refusal": replace(HI, text="", refusal="I cannot serve that"),
    "null-length": replace(HI, text="", finish="length"),
    "null-filtered": replace(HI, text="", finish="content_filter"),
    "null-reasoning": replace(HI, text="", reasoning="hm"),
    "reasoning": replace(HI, reasoning="hm"),
    "think": replace(HI, reasoning="hm"),
    "think-unopened": replace(HI, reasoning="hm"),
    "think-unclosed": replace(HI, text="", reasoning="hm", finish="length"),
    "list": HI,
    "no-usage": replace(HI, usage=None),
    "null-usage": replace(HI, usage=None),
    "html-type": HI,
    "no-type": HI,
    "open-body": HI,
}

DENIED = ("status-401", "status-402", "status-403", "status-404")
REJECTED = ("status-400", "status-409", "status-413", "status-422")
FAILED = ("status-500", "status-502", "status-503", "status-529")
REDIRECTED = ("status-301", "status-302", "redirect")
LIMITED: Mapping[str, float | None] = {
    "limited": None,
    "limited-again": 0.0,
    "limited-ms": 1.5,
    "limited-s": 7.0,
}
MALFORMED: Mapping[str, str] = {
    "empty-choices": "the reply has no choices",
    "no-choices": "the reply has no choices",
    "error-in-200": "the reply is an error of type server_error",
    "not-json": "the reply is not JSON (content type: application/json)",
    "empty-body": "the reply is not JSON (content type: application/json)",
    "html": "the reply is not JSON (content type: text/html; charset=utf-8)",
    "leak-type": "the reply is not JSON (content type: text/[key])",
    # A body that ends where the connection does cannot be told from one that was cut.
    "cut-in-open-body": "the reply is not JSON (content type: missing)",
    "array": "the reply is JSON of another shape: Expected `object`, got `array`",
    "wrong-shape": "the reply is JSON of another shape: Expected `str | array | null`, "
    "got `int` - at `$.choices[0].message.content`",
}
UNUSABLE: Mapping[str, str] = {
    "null-stop": "the reply has no content (finish_reason stop)",
    "big": f"the reply is larger than {BODY_LIMIT} bytes",
    "big-chunked": f"the reply is larger than {BODY_LIMIT} bytes",
    "bomb": f"the reply is larger than {BODY_LIMIT} bytes",
}
CUT: Mapping[str, str] = {
    "cut-before-head": "connection failed: Server disconnected",
    "cut-in-head": "connection failed: Server disconnected",
    "cut-in-body": "connection failed: Response payload is not completed",
    "cut-in-chunks": "connection failed: Response payload is not completed",
    "bad-gzip": "connection failed: the body does not match its headers",
    "not-http": "no proper HTTP reply: Bad status line",
    "short-length": "no proper HTTP reply: Bad status line",
}


@pytest.mark.parametrize("model", sorted(ANSWERS))
async def test_answer_is_read(server: Server, adapter: OpenAdapter, model: str) -> None:
    async with opened(adapter, server.url, model) as provider:
        response = (await provider.send(ask())).response

    assert response == ANSWERS[model]


async def test_completion_mode_sends_a_prompt_and_reads_its_text(
    server: Server, adapter: OpenAdapter
) -> None:
    async with opened(adapter, server.url, "completion") as provider:
        response = (await provider.send(ask(mode="completion"))).response

    assert response == replace(HI, text=" hi", fingerprint="")


async def heard(
    adapter: OpenAdapter, server: Server, request: Request, api_key: str = KEY
) -> dict[str, Any]:
    async with opened(adapter, server.url, "echo", api_key=api_key) as provider:
        response = (await provider.send(request)).response
    told: dict[str, Any] = json.loads(response.text)
    return told


async def test_request_is_sent_as_it_is(server: Server, adapter: OpenAdapter) -> None:
    told = await heard(adapter, server, ask())

    assert told["path"] == "/v1/chat/completions"
    assert told["body"] == {
        "model": "echo",
        "messages": [{"role": "user", "content": PROMPT}],
        "temperature": 0.0,
        "max_tokens": 64,
    }
    assert told["headers"]["authorization"] == f"Bearer {KEY}"
    assert told["headers"]["x-team"] == "audit"
    assert told["headers"]["content-type"] == "application/json"


async def test_completion_request_goes_to_its_own_path(
    server: Server, adapter: OpenAdapter
) -> None:
    request = ask(mode="completion", sampling=Sampling(stop=("\n",)))

    # The echo answers in the form of a chat, so the request is read from what the reply lacks.
    async with opened(adapter, server.url, "echo") as provider:
        with pytest.raises(ReplyMalformed, match="missing required field `text`"):
            await provider.send(request)


async def test_address_may_end_in_a_slash(server: Server, adapter: OpenAdapter) -> None:
    async with opened(adapter, f"{server.url}/", "echo") as provider:
        response = (await provider.send(ask())).response

    assert json.loads(response.text)["path"] == "/v1/chat/completions"


async def test_cookies_are_not_kept(server: Server, adapter: OpenAdapter) -> None:
    # A jar takes no cookies from an address without a name, so that would prove nothing.
    async with opened(adapter, server.url.replace("127.0.0.1", "localhost"), "echo") as provider:
        await provider.send(ask())
        response = (await provider.send(ask())).response

    assert "cookie" not in json.loads(response.text)["headers"]


async def test_every_slot_has_a_connection(server: Server, adapter: OpenAdapter) -> None:
    async with (
        opened(adapter, server.url, "pair") as provider,
        anyio.create_task_group() as group,
    ):
        group.start_soon(provider.send, ask())
        group.start_soon(provider.send, ask())


async def test_proxy_of_the_environment_is_used(
    server: Server, adapter: OpenAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url.removesuffix("/v1"))
    monkeypatch.delenv("no_proxy", raising=False)

    async with opened(adapter, "http://model.test/v1", "echo") as provider:
        response = (await provider.send(ask())).response

    assert json.loads(response.text)["path"] == "http://model.test/v1/chat/completions"


@pytest.mark.parametrize("key", ["", KEY])
async def test_a_proxy_gets_its_password_and_nobody_gets_one_of_netrc(
    server: Server,
    adapter: OpenAdapter,
    key: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine model.test login me password netrc-secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    place = server.url.removeprefix("http://").removesuffix("/v1")
    monkeypatch.setenv("http_proxy", f"puser:{PROXY_SECRET}@{place}")
    monkeypatch.delenv("no_proxy", raising=False)

    async with opened(adapter, "http://model.test/v1", "echo", api_key=key) as provider:
        headers = json.loads((await provider.send(ask())).response.text)["headers"]

    assert headers.get("authorization") == (f"Bearer {key}" if key else None)
    assert b64decode(headers["proxy-authorization"].removeprefix("Basic ")) == (
        f"puser:{PROXY_SECRET}".encode()
    )


async def test_a_proxy_that_opens_a_tunnel_is_not_shown_the_key(
    adapter: OpenAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads: list[str] = []

    async def refuse(stream: SocketStream) -> None:
        async with stream:
            heads.append((await stream.receive()).decode().lower())
            await stream.send(b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n")

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)
    monkeypatch.setenv("ALL_PROXY", f"http://puser:{PROXY_SECRET}@127.0.0.1:{port}")
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, refuse)
        error = await failure(adapter, "https://model.test/v1", "ok")
        tasks.cancel_scope.cancel()

    assert str(error) == "ok: the proxy in ALL_PROXY answered 407"
    assert heads[0].startswith("connect model.test:443 ")
    assert "\r\nproxy-authorization: basic " in heads[0]
    assert "\r\nauthorization:" not in heads[0]
    assert KEY.lower() not in heads[0]
    assert "x-team" not in heads[0]


async def test_a_proxy_that_cannot_be_used_is_a_setting(
    adapter: OpenAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", f"socks5://puser:{PROXY_SECRET}@127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)

    error = await failure(adapter, "http://model.test/v1", "ok")

    assert isinstance(error, SettingsInvalid)
    assert str(error).startswith("base_url is reached through the proxy in http_proxy, ")
    assert PROXY_SECRET not in str(error)


@pytest.mark.parametrize(
    ("environ", "where"),
    [({}, "the host of base_url"), ({"http_proxy": "proxy.test:1"}, "the proxy in http_proxy")],
)
async def test_a_name_that_nobody_knows_is_told_with_the_setting_that_holds_it(
    adapter: OpenAdapter,
    monkeypatch: pytest.MonkeyPatch,
    environ: dict[str, str],
    where: str,
) -> None:
    def resolve(*_: object, **__: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    error = await failure(adapter, "http://model.test/v1", "ok")

    assert isinstance(error, ConnectionFailed)
    assert str(error) == f"ok: cannot connect to {where}: name not known"


async def test_loopback_needs_no_proxy(
    server: Server, adapter: OpenAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:1")

    async with opened(adapter, server.url, "ok") as provider:
        assert (await provider.send(ask())).response == HI


async def test_no_authorization_is_sent_without_a_key(server: Server, adapter: OpenAdapter) -> None:
    told = await heard(adapter, server, ask(), api_key="")

    assert "authorization" not in told["headers"]


@pytest.mark.parametrize("model", DENIED)
async def test_access_is_denied(server: Server, adapter: OpenAdapter, model: str) -> None:
    error = await failure(adapter, server.url, model)

    status = int(model[-3:])
    assert isinstance(error, AccessDenied)
    assert error.status == status
    assert str(error) == f"{model} answered {status}: told to. say {status}"


@pytest.mark.parametrize("model", REDIRECTED)
async def test_redirect_is_not_followed(server: Server, adapter: OpenAdapter, model: str) -> None:
    error = await failure(adapter, server.url, model)

    assert isinstance(error, AccessDenied)
    assert str(error) == (
        f"{model} answered {error.status}: the endpoint redirects, and redirects are not followed"
    )
    assert server.redirected() == []


@pytest.mark.parametrize("model", REJECTED)
async def test_request_is_rejected(server: Server, adapter: OpenAdapter, model: str) -> None:
    error = await failure(adapter, server.url, model)

    status = int(model[-3:])
    assert isinstance(error, RequestRejected)
    assert (error.status, error.code) == (status, "told_to")
    assert str(error) == f"{model} answered {status}: told to. say {status}"


@pytest.mark.parametrize("model", FAILED)
async def test_service_fails(server: Server, adapter: OpenAdapter, model: str) -> None:
    error = await failure(adapter, server.url, model)

    status = int(model[-3:])
    assert isinstance(error, ServiceFailed)
    assert (error.status, error.retry_after_s) == (status, None)
    assert str(error) == f"{model} answered {status}: told to. say {status}"


@pytest.mark.parametrize("model", sorted(LIMITED))
async def test_rate_limit_says_how_long_to_wait(
    server: Server, adapter: OpenAdapter, model: str
) -> None:
    error = await failure(adapter, server.url, model)

    assert isinstance(error, RateLimited)
    assert error.retry_after_s == LIMITED[model]
    assert str(error) == f"{model} answered 429"


async def test_rate_limit_can_name_a_date(server: Server, adapter: OpenAdapter) -> None:
    error = await failure(adapter, server.url, "limited-date")

    assert isinstance(error, RateLimited)
    assert error.retry_after_s is not None
    assert 20.0 < error.retry_after_s <= 40.0


async def test_request_timeout_of_the_server_is_a_timeout(
    server: Server, adapter: OpenAdapter
) -> None:
    error = await failure(adapter, server.url, "status-408")

    assert isinstance(error, TimedOut)
    assert str(error) == "status-408 answered 408: told to. say 408"


@pytest.mark.parametrize("model", ["status-408", "status-409", "status-500", "limited-again"])
async def test_call_that_fails_is_sent_once(
    server: Server, adapter: OpenAdapter, model: str
) -> None:
    before = server.calls(model)

    await failure(adapter, server.url, model)

    assert server.calls(model) == before + 1


@pytest.mark.parametrize("model", sorted(MALFORMED))
async def test_reply_is_malformed(server: Server, adapter: OpenAdapter, model: str) -> None:
    error = await failure(adapter, server.url, model)

    assert isinstance(error, ReplyMalformed)
    assert str(error) == f"{model}: {MALFORMED[model]}"


@pytest.mark.parametrize("model", sorted(UNUSABLE))
async def test_reply_is_unusable(server: Server, adapter: OpenAdapter, model: str) -> None:
    error = await failure(adapter, server.url, model)

    assert isinstance(error, ReplyUnusable)
    assert str(error) == f"{model}: {UNUSABLE[model]}"


@pytest.mark.parametrize("model", sorted(CUT))
async def test_connection_is_cut(server: Server, adapter: OpenAdapter, model: str) -> None:
    error = await failure(adapter, server.url, model)

    assert isinstance(error, ConnectionFailed)
    assert str(error) == f"{model}: {CUT[model]}"


@pytest.mark.parametrize("model", ["slow-head", "slow-body"])
async def test_slow_reply_times_out(server: Server, adapter: OpenAdapter, model: str) -> None:
    error = await failure(adapter, server.url, model, timeout_s=0.2)

    assert isinstance(error, TimedOut)
    assert str(error) == f"{model}: no complete reply within 0.2 s"


async def test_connection_is_refused(adapter: OpenAdapter) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        port = unheard.getsockname()[1]

        error = await failure(adapter, f"http://127.0.0.1:{port}/v1", "ok")

    assert isinstance(error, ConnectionFailed)
    assert str(error) == "ok: cannot connect: connection refused"


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://[nonsense/v1", "Invalid IPv6 URL"),
        ("http://host:port/v1", "Port could not be cast to integer value as 'port'"),
    ],
)
async def test_address_that_is_none_is_a_setting(adapter: OpenAdapter, url: str, why: str) -> None:
    error = await failure(adapter, url, "ok")

    assert isinstance(error, SettingsInvalid)
    assert str(error) == f"base_url is no valid address: {why}"


@pytest.mark.parametrize("model", ["big", "big-chunked", "big-error", "bomb"])
async def test_memory_is_bounded_whatever_is_sent(
    server: Server, adapter: OpenAdapter, model: str
) -> None:
    tracemalloc.start()
    try:
        await failure(adapter, server.url, model)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < (1 if model == "big-error" else 2.5) * BODY_LIMIT


async def test_key_that_the_endpoint_repeats_is_masked(
    server: Server, adapter: OpenAdapter
) -> None:
    error = await failure(adapter, server.url, "leak")

    assert str(error) == ("leak answered 401: Incorrect API key provided: [key] as in Bearer [key]")


async def test_cancelled_call_ends_at_once_and_the_next_one_works(
    server: Server, adapter: OpenAdapter
) -> None:
    async with opened(adapter, server.url, "slow-body") as provider:
        with anyio.move_on_after(0.05) as scope:
            await provider.send(ask())
        with anyio.move_on_after(0.05) as again:
            await provider.send(ask())

    assert scope.cancelled_caught
    assert again.cancelled_caught


async def test_paid_answer_outlives_its_cancelled_task(
    server: Server, adapter: OpenAdapter
) -> None:
    kept: list[Response] = []

    async def keep(provider: Provider) -> None:
        kept.append(await provider.complete(ask()))

    async with opened(adapter, server.url, "late") as provider:
        limited = Limited(provider, slots=1, clock=SystemClock(), pool="late")
        async with anyio.create_task_group() as group:
            group.start_soon(keep, limited)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()

    assert kept == [HI]


async def test_abandoned_call_ends_at_once(server: Server, adapter: OpenAdapter) -> None:
    observer = ListObserver()

    async with opened(adapter, server.url, "slow-body") as provider:
        limited = Limited(provider, slots=1, clock=SystemClock(), pool="slow")
        async with anyio.create_task_group() as group:
            group.start_soon(limited.watched_by(observer).complete, ask())
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
            limited.abandon()

    assert [attempt.error for attempt in observer.attempts] == ["CancelledError"]


def test_adapter_closes_with_its_loop(server: Server, adapter: OpenAdapter) -> None:
    async def once() -> Response:
        async with opened(adapter, server.url, "ok") as provider:
            return (await provider.send(ask())).response

    answers = [anyio.run(once), anyio.run(once)]
    gc.collect()  # what was left open would warn, and warnings are errors

    assert answers == [HI, HI]


async def test_provider_shows_no_key(server: Server, adapter: OpenAdapter) -> None:
    async with opened(adapter, server.url, "ok") as provider:
        assert KEY not in repr(provider)
