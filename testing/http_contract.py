"""HTTP contract: what every adapter for OpenAI-compatible endpoints must do. It needs pytest.

Inherit from HttpAdapterContract in a test module, and override the fixture *adapter*::

    class TestMyAdapter(HttpAdapterContract):
        @pytest.fixture
        def adapter(self) -> OpenAdapter:
            return open_my_adapter

It includes AdapterContract and the tests of replies and statuses. The tests here are about the
connection: proxies, redirects, cut and slow replies, cancellation, memory.
"""

from __future__ import annotations

import json
import socket
import tracemalloc
from base64 import b64decode
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from ..providers.base import OpenAdapter, Provider
from ..providers.clock import SystemClock
from ..providers.errors import AccessDenied, ConnectionFailed, SettingsInvalid, TimedOut
from ..providers.http.exchange import BODY_LIMIT
from ..providers.limits.limiter import Limited
from ..providers.types import Response
from .adapter_contract import KEY, ask
from .hostile_endpoint import HostileEndpoint
from .http_contract_cases import CUT, HI, REDIRECTED
from .http_replies_contract import HttpRepliesContract
from .scripted import ListObserver

PROXY_SECRET = "Planted-Proxy-Secret"


class HttpAdapterContract(HttpRepliesContract):
    """What every adapter for OpenAI-compatible endpoints must do. Override *adapter*."""

    async def test_address_may_end_in_a_slash(
        self, server: HostileEndpoint, adapter: OpenAdapter
    ) -> None:
        async with self.opened(adapter, f"{server.url}/", "echo") as provider:
            response = (await provider.send(ask())).response

        assert json.loads(response.text)["path"] == "/v1/chat/completions"

    async def test_cookies_are_not_kept(
        self, server: HostileEndpoint, adapter: OpenAdapter
    ) -> None:
        # A jar takes no cookies from an address without a name, so that would prove nothing.
        async with self.opened(
            adapter, server.url.replace("127.0.0.1", "localhost"), "echo"
        ) as provider:
            await provider.send(ask())
            response = (await provider.send(ask())).response

        assert "cookie" not in json.loads(response.text)["headers"]

    async def test_every_slot_has_a_connection(
        self, server: HostileEndpoint, adapter: OpenAdapter
    ) -> None:
        async with (
            self.opened(adapter, server.url, "pair") as provider,
            anyio.create_task_group() as group,
        ):
            group.start_soon(provider.send, ask())
            group.start_soon(provider.send, ask())

    async def test_proxy_of_the_environment_is_used(
        self, server: HostileEndpoint, adapter: OpenAdapter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", server.url.removesuffix("/v1"))
        monkeypatch.delenv("no_proxy", raising=False)

        async with self.opened(adapter, "http://model.test/v1", "echo") as provider:
            response = (await provider.send(ask())).response

        assert json.loads(response.text)["path"] == "http://model.test/v1/chat/completions"

    @pytest.mark.parametrize("key", ["", KEY])
    async def test_a_proxy_gets_its_password_and_nobody_gets_one_of_netrc(
        self,
        server: HostileEndpoint,
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

        async with self.opened(adapter, "http://model.test/v1", "echo", api_key=key) as provider:
            headers = json.loads((await provider.send(ask())).response.text)["headers"]

        assert headers.get("authorization") == (f"Bearer {key}" if key else None)
        assert b64decode(headers["proxy-authorization"].removeprefix("Basic ")) == (
            f"puser:{PROXY_SECRET}".encode()
        )

    async def test_a_proxy_that_opens_a_tunnel_is_not_shown_the_key(
        self, adapter: OpenAdapter, monkeypatch: pytest.MonkeyPatch
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
            error = await self.failure(adapter, "https://model.test/v1", "ok")
            tasks.cancel_scope.cancel()

        self.check_message(error, "ok: the proxy in ALL_PROXY answered 407")
        assert heads[0].startswith("connect model.test:443 ")
        assert "\r\nproxy-authorization: basic " in heads[0]
        assert "\r\nauthorization:" not in heads[0]
        assert KEY.lower() not in heads[0]
        assert "x-team" not in heads[0]

    async def test_a_proxy_that_cannot_be_used_is_a_setting(
        self, adapter: OpenAdapter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", f"socks5://puser:{PROXY_SECRET}@127.0.0.1:9")
        monkeypatch.delenv("no_proxy", raising=False)

        error = await self.failure(adapter, "http://model.test/v1", "ok")

        assert isinstance(error, SettingsInvalid)
        assert str(error).startswith("base_url is reached through the proxy in http_proxy, ")
        assert PROXY_SECRET not in str(error)

    @pytest.mark.parametrize(
        ("environ", "where"),
        [({}, "the host of base_url"), ({"http_proxy": "proxy.test:1"}, "the proxy in http_proxy")],
    )
    async def test_a_name_that_nobody_knows_is_told_with_the_setting_that_holds_it(
        self,
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

        error = await self.failure(adapter, "http://model.test/v1", "ok")

        assert isinstance(error, ConnectionFailed)
        self.check_message(error, f"ok: cannot connect to {where}: name not known")

    async def test_loopback_needs_no_proxy(
        self, server: HostileEndpoint, adapter: OpenAdapter, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", "http://proxy.invalid:1")

        async with self.opened(adapter, server.url, "ok") as provider:
            assert (await provider.send(ask())).response == HI

    @pytest.mark.parametrize("model", REDIRECTED)
    async def test_redirect_is_not_followed(
        self, server: HostileEndpoint, adapter: OpenAdapter, model: str
    ) -> None:
        error = await self.failure(adapter, server.url, model)

        assert isinstance(error, AccessDenied)
        self.check_message(
            error,
            f"{model} answered {error.status}: "
            "the endpoint redirects, and redirects are not followed",
        )
        assert server.redirected() == []

    @pytest.mark.parametrize("model", sorted(CUT))
    async def test_connection_is_cut(
        self, server: HostileEndpoint, adapter: OpenAdapter, model: str
    ) -> None:
        error = await self.failure(adapter, server.url, model)

        assert isinstance(error, ConnectionFailed)
        self.check_message(error, f"{model}: {CUT[model]}")

    @pytest.mark.parametrize("model", ["slow-head", "slow-body"])
    async def test_slow_reply_times_out(
        self, server: HostileEndpoint, adapter: OpenAdapter, model: str
    ) -> None:
        error = await self.failure(adapter, server.url, model, timeout_s=0.2)

        assert isinstance(error, TimedOut)
        self.check_message(error, f"{model}: no complete reply within 0.2 s")

    async def test_connection_is_refused(self, adapter: OpenAdapter) -> None:
        with socket.socket() as unheard:
            unheard.bind(("127.0.0.1", 0))
            port = unheard.getsockname()[1]

            error = await self.failure(adapter, f"http://127.0.0.1:{port}/v1", "ok")

        assert isinstance(error, ConnectionFailed)
        self.check_message(error, "ok: cannot connect: connection refused")

    @pytest.mark.parametrize(
        ("url", "why"),
        [
            ("http://[nonsense/v1", "Invalid IPv6 URL"),
            ("http://host:port/v1", "Port could not be cast to integer value as 'port'"),
        ],
    )
    async def test_address_that_is_none_is_a_setting(
        self, adapter: OpenAdapter, url: str, why: str
    ) -> None:
        error = await self.failure(adapter, url, "ok")

        assert isinstance(error, SettingsInvalid)
        self.check_message(error, f"base_url is no valid address: {why}")

    @pytest.mark.parametrize("model", ["big", "big-chunked", "big-error", "bomb"])
    async def test_memory_is_bounded_whatever_is_sent(
        self, server: HostileEndpoint, adapter: OpenAdapter, model: str
    ) -> None:
        tracemalloc.start()
        try:
            await self.failure(adapter, server.url, model)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

        assert peak < (1 if model == "big-error" else 2.5) * BODY_LIMIT

    async def test_cancelled_call_ends_at_once_and_the_next_one_works(
        self, server: HostileEndpoint, adapter: OpenAdapter
    ) -> None:
        async with self.opened(adapter, server.url, "slow-body") as provider:
            with anyio.move_on_after(0.05) as scope:
                await provider.send(ask())
            with anyio.move_on_after(0.05) as again:
                await provider.send(ask())

        assert scope.cancelled_caught
        assert again.cancelled_caught

    async def test_paid_answer_outlives_its_cancelled_task(
        self, server: HostileEndpoint, adapter: OpenAdapter
    ) -> None:
        kept: list[Response] = []

        async def keep(provider: Provider) -> None:
            kept.append(await provider.complete(ask()))

        async with self.opened(adapter, server.url, "late") as provider:
            limited = Limited(provider, slots=1, clock=SystemClock(), pool="late")
            async with anyio.create_task_group() as group:
                group.start_soon(keep, limited)
                await anyio.wait_all_tasks_blocked()
                group.cancel_scope.cancel()

        assert kept == [HI]

    async def test_abandoned_call_ends_at_once(
        self, server: HostileEndpoint, adapter: OpenAdapter
    ) -> None:
        observer = ListObserver()

        async with self.opened(adapter, server.url, "slow-body") as provider:
            limited = Limited(provider, slots=1, clock=SystemClock(), pool="slow")
            async with anyio.create_task_group() as group:
                group.start_soon(limited.watched_by(observer).complete, ask())
                await anyio.wait_all_tasks_blocked()
                group.cancel_scope.cancel()
                limited.abandon()

        assert [attempt.error for attempt in observer.attempts] == ["CancelledError"]
