"""The simulated models behind an OpenAI-compatible HTTP server on the loopback."""

from __future__ import annotations

import os
from collections.abc import Callable
from math import ceil

import anyio
import msgspec
from aiohttp import web

from .base import Clock
from .clock import SystemClock
from .errors import RequestRejected, SettingsInvalid
from .sim_faults import Fate, Quota, SimulatorSettings, fate_of
from .sim_wire import Call, read_chat, read_completion, write_error, write_models, write_reply
from .simulated import answer
from .types import Response, Usage

__all__ = ["SimulatorSettings", "SimulatorStats", "run_simulator", "simulator_app"]

_MODELS = ("sim-target", "sim-helper", "sim-judge")
_JSON = {"Content-Type": "application/json"}
_MAX_BODY_BYTES = 16 * 1024 * 1024
_BACKLOG = 4096  # a client may open all of its connections at once
_GRACE_S = 0.2  # how long calls in flight may go on after a stop


class SimulatorStats(msgspec.Struct, kw_only=True):
    """Counts since the start: *calls* is the sum of all that follow it up to *in_flight*."""

    calls: int = 0
    answered: int = 0
    rejected: int = 0  # 400, ours or the caller's fault
    limited: int = 0  # 429 by rpm or tpm
    rate_limited: int = 0  # 429, planted
    failed: int = 0  # 500, planted
    cut: int = 0  # planted
    in_flight: int = 0
    max_in_flight: int = 0


def simulator_app(settings: SimulatorSettings, *, clock: Clock) -> web.Application:
    """Return the application; its routes are those of an OpenAI-compatible API, and /stats."""
    endpoint = _Endpoint(settings, clock)
    app = web.Application(client_max_size=_MAX_BODY_BYTES)
    app.router.add_post("/v1/chat/completions", endpoint.chat)
    app.router.add_post("/v1/completions", endpoint.completion)
    app.router.add_get("/v1/models", endpoint.models)
    app.router.add_get("/stats", endpoint.statistics)
    app.router.add_route("*", "/{path:.*}", endpoint.unknown)
    return app


async def run_simulator(settings: SimulatorSettings, announce: Callable[[str], None]) -> None:
    """Serve until cancelled; *announce* is told the address once calls are accepted."""
    app = simulator_app(settings, clock=SystemClock())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GRACE_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port, backlog=_BACKLOG)
        try:
            await site.start()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise SettingsInvalid(
                f"simulator.port {settings.port} cannot be listened on: {reason}"
            ) from error
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        announce(f"listening on http://{host}:{site.port}/v1")
        await anyio.sleep_forever()
    finally:
        with anyio.CancelScope(shield=True):
            await runner.cleanup()


class _Endpoint:
    """The handlers, and the counts that they share."""

    def __init__(self, settings: SimulatorSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._quota = Quota(rpm=settings.rpm, tpm=settings.tpm)
        self._stats = SimulatorStats()

    async def chat(self, http: web.Request) -> web.StreamResponse:
        return await self._counted(http, read_chat)

    async def completion(self, http: web.Request) -> web.StreamResponse:
        return await self._counted(http, read_completion)

    async def models(self, _: web.Request) -> web.StreamResponse:
        return web.Response(body=write_models(_MODELS), headers=_JSON)

    async def statistics(self, _: web.Request) -> web.StreamResponse:
        return web.Response(body=msgspec.json.encode(self._stats), headers=_JSON)

    async def unknown(self, http: web.Request) -> web.StreamResponse:
        return _error(404, f"unknown path {http.method} {http.path}", "invalid_request_error")

    async def _counted(
        self, http: web.Request, read: Callable[[bytes], Call]
    ) -> web.StreamResponse:
        stats = self._stats
        number = stats.calls
        stats.calls += 1
        stats.in_flight += 1
        stats.max_in_flight = max(stats.max_in_flight, stats.in_flight)
        try:
            return await self._serve(http, read(await http.read()), number)
        except RequestRejected as error:
            stats.rejected += 1
            return _error(error.status, str(error), "invalid_request_error")
        finally:
            stats.in_flight -= 1

    async def _serve(self, http: web.Request, call: Call, number: int) -> web.StreamResponse:
        response = answer(call.request, call.model, self._settings.planting)
        now = self._clock.now()
        if (wait_s := self._quota.admit(now, _tokens(response))) > 0.0:
            self._stats.limited += 1
            headers = {"retry-after": str(ceil(wait_s)), **self._quota.headers(now)}
            return _error(429, "rate limit reached", "rate_limit_error", headers)
        fate = fate_of(self._settings, number)
        if fate.wait_s:
            await self._clock.sleep(fate.wait_s)
        body = write_reply(call, response, number)
        return await self._fulfil(http, fate, body)

    async def _fulfil(self, http: web.Request, fate: Fate, body: bytes) -> web.StreamResponse:
        match fate.fault:
            case None:
                self._stats.answered += 1
                headers = _JSON | self._quota.headers(self._clock.now())
                return web.Response(body=body, headers=headers)
            case "rate_limited":
                self._stats.rate_limited += 1
                return _error(429, "slow down", "rate_limit_error", {"retry-after": "0"})
            case "failed":
                self._stats.failed += 1
                return _error(500, "planted failure", "server_error")
            case "cut":
                self._stats.cut += 1
                return await _cut(http, body)


async def _cut(http: web.Request, body: bytes) -> web.StreamResponse:
    """Promise all of *body*, send half of it and hang up."""
    reply = web.StreamResponse(headers=_JSON | {"Content-Length": str(len(body))})
    await reply.prepare(http)
    await reply.write(body[: len(body) // 2])
    if http.transport is not None:
        http.transport.close()
    return reply


def _error(
    status: int, message: str, kind: str, headers: dict[str, str] | None = None
) -> web.Response:
    return web.Response(
        status=status, body=write_error(message, kind), headers=_JSON | (headers or {})
    )


def _tokens(response: Response) -> int:
    used = response.usage or Usage()
    return used.input_tokens + used.output_tokens
