"""Simulated endpoint: an OpenAI-compatible HTTP server on the loopback."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import anyio
import msgspec
from aiohttp import web

from ...base import Clock
from ...clock import SystemClock
from ...errors import RequestRejected, SettingsInvalid
from ...types import Response, Usage
from ..simulated_adapter import answer
from .faulty_replies import Broken, Whole, error_reply, planted_reply
from .planted_faults import Lifetime, plan_reply
from .server_quota import ScaledClock, ServerQuota, wait_headers
from .server_stats import Ending, Ledger, SimulatorStats
from .server_wire import ReceivedCall, read_chat, read_completion, write_models, write_reply
from .simulator_settings import DeadForm, SimulatorSettings

__all__ = ["SimulatorSettings", "SimulatorStats", "run_simulator", "simulator_app"]

_MODELS = ("sim-target", "sim-helper", "sim-judge")
_JSON = ("content-type", "application/json")
_MAX_BODY_BYTES = 16 * 1024 * 1024
_BACKLOG = 4096  # a client may open all of its connections at once
_GRACE_S = 0.2  # how long calls in flight may go on after a stop


def simulator_app(settings: SimulatorSettings, *, clock: Clock) -> web.Application:
    """Return the application, with the routes of an OpenAI-compatible API, and /stats.

    Serve it with *handler_cancellation*, so that a call ends when its client disconnects.
    """
    endpoint = _Endpoint(settings, clock)
    app = web.Application(client_max_size=_MAX_BODY_BYTES)
    app.router.add_post("/v1/chat/completions", endpoint.chat)
    app.router.add_post("/v1/completions", endpoint.completion)
    app.router.add_get("/v1/models", endpoint.models)
    app.router.add_get("/stats", endpoint.statistics)
    app.router.add_route("*", "/{path:.*}", endpoint.unknown)
    return app


async def run_simulator(settings: SimulatorSettings, announce: Callable[[str], None]) -> None:
    """Serve until cancelled. *announce* is called with the address once calls are accepted."""
    app = simulator_app(settings, clock=SystemClock())
    runner = web.AppRunner(
        app, access_log=None, shutdown_timeout=_GRACE_S, handler_cancellation=True
    )
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
    """The handlers, and the state that they share."""

    def __init__(self, settings: SimulatorSettings, clock: Clock) -> None:
        scaled = settings.time_scale != 1.0
        self._settings = settings
        self._clock = ScaledClock(clock, settings.time_scale) if scaled else clock
        self._quota = ServerQuota(rpm=settings.rpm, tpm=settings.tpm)
        self._lifetime = Lifetime(after=settings.dead_after, for_s=settings.dead_for_s)
        self._ledger = Ledger(self._quota)

    async def chat(self, http: web.Request) -> web.StreamResponse:
        return await self._take(http, read_chat)

    async def completion(self, http: web.Request) -> web.StreamResponse:
        return await self._take(http, read_completion)

    async def models(self, http: web.Request) -> web.StreamResponse:
        if self._is_dead():
            return await _send(http, self._death_reply())
        return await _send(
            http, Whole(headers=(_JSON, *self._quota_headers().items()), body=write_models(_MODELS))
        )

    async def statistics(self, http: web.Request) -> web.StreamResponse:
        return await _send(http, Whole(body=msgspec.json.encode(self._ledger.statistics())))

    async def unknown(self, http: web.Request) -> web.StreamResponse:
        message = f"unknown path {http.method} {http.path}"
        return await _send(http, error_reply(404, message, "invalid_request_error"))

    async def _take(
        self, http: web.Request, read: Callable[[bytes], ReceivedCall]
    ) -> web.StreamResponse:
        arrival = self._ledger.enter(self._clock.now())
        ending: Ending = "gone"  # until a reply is ready
        try:
            try:
                ending, reply = await self._decide(http, read, arrival)
            finally:
                self._ledger.end(ending, self._clock.now())
            return await _send(http, reply)
        finally:
            self._ledger.leave()

    async def _decide(
        self, http: web.Request, read: Callable[[bytes], ReceivedCall], arrival: int
    ) -> tuple[Ending, Whole | Broken]:
        body = await http.read()
        name = self._ledger.note(body)
        if self._is_dead():
            return "dead", self._death_reply()
        try:
            call = read(body)
        except RequestRejected as error:
            return "rejected", error_reply(
                error.status, str(error), "invalid_request_error", self._quota_headers()
            )
        response = answer(call.request, call.model, self._settings.planting)
        now = self._clock.now()
        if (wait_s := self._quota.admit(now, _tokens(response))) > 0.0:
            headers = wait_headers(wait_s) | self._quota.headers(now)
            return "limited", error_reply(429, "rate limit reached", "rate_limit_error", headers)
        return await self._fulfil(http, call, response, arrival, name)

    async def _fulfil(
        self, http: web.Request, call: ReceivedCall, response: Response, arrival: int, name: int
    ) -> tuple[Ending, Whole | Broken]:
        settings = self._settings
        plan = plan_reply(settings, arrival)
        if plan.wait_s:
            await self._clock.sleep(plan.wait_s)
            if settings.dead_as is DeadForm.closed and self._lifetime.interrupted(arrival):
                return "dead", self._death_reply()
        body = write_reply(
            call, response, arrival, model_id=settings.model_id, fingerprint=settings.fingerprint
        )
        if plan.fault is not None:
            return plan.fault, planted_reply(
                plan.fault,
                plan.form,
                answer=body,
                quota=self._quota_headers(),
                retry_after_s=settings.retry_after_s,
                unix_s=time.time(),
            )
        if http.transport is None or http.transport.is_closing():
            return "gone", Broken()
        # There is no await between here and the writing of the reply.
        self._ledger.answer(self._clock.now(), name)
        return "answered", Whole(headers=(_JSON, *self._quota_headers().items()), body=body)

    def _is_dead(self) -> bool:
        return self._lifetime.is_dead(self._clock.now(), self._ledger.calls)

    def _death_reply(self) -> Whole | Broken:
        if self._settings.dead_as is DeadForm.closed:
            return Broken()
        return error_reply(503, "the endpoint is down", "server_error")

    def _quota_headers(self) -> dict[str, str]:
        return self._quota.headers(self._clock.now())


async def _send(http: web.Request, reply: Whole | Broken) -> web.StreamResponse:
    if isinstance(reply, Whole):
        return web.Response(status=reply.status, headers=reply.headers, body=reply.body)
    if http.transport is not None:
        http.transport.write(reply.data)
        if reply.hold:
            await anyio.sleep_forever()  # cancelled when the client disconnects
        http.transport.close()
    return web.Response()  # never sent: the connection is closed


def _tokens(response: Response) -> int:
    used = response.usage or Usage()
    return used.input_tokens + used.output_tokens
