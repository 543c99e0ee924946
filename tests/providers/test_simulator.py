"""The simulated endpoint: the same answers over HTTP, and the faults it was told to have."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import anyio
import msgspec
import pytest
from aiohttp.test_utils import TestServer

from hydrometer.providers.errors import SettingsInvalid
from hydrometer.providers.simulation.planting import Planting
from hydrometer.providers.simulation.server.planted_faults import plan_reply
from hydrometer.providers.simulation.server.simulator import (
    SimulatorSettings,
    SimulatorStats,
    run_simulator,
    simulator_app,
)
from hydrometer.providers.simulation.simulated_adapter import answer
from hydrometer.providers.types import Message, Mode, Request
from hydrometer.testing import FakeClock

CHAT, COMPLETION = "/v1/chat/completions", "/v1/completions"


class Reply(msgspec.Struct, frozen=True):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> str:
        found = msgspec.json.decode(self.body, type=dict[str, dict[str, str | None]])
        return str(found["error"]["message"])


async def _whole(reply: aiohttp.ClientResponse) -> Reply:
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return Reply(reply.status, headers, await reply.read())


class Endpoint:
    """A client of one running simulator."""

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session = session
        self._address = address

    async def post(self, path: str, body: object) -> Reply:
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        async with self._session.post(self._address + path, data=data) as reply:
            return await _whole(reply)

    async def get(self, path: str) -> Reply:
        async with self._session.get(self._address + path) as reply:
            return await _whole(reply)

    async def stats(self) -> SimulatorStats:
        return msgspec.json.decode((await self.get("/stats")).body, type=SimulatorStats)


@asynccontextmanager
async def serving(
    settings: SimulatorSettings, clock: FakeClock | None = None
) -> AsyncIterator[Endpoint]:
    app = simulator_app(settings, clock=clock or FakeClock())
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        yield Endpoint(session, f"http://127.0.0.1:{server.port}")


@asynccontextmanager
async def running(settings: SimulatorSettings) -> AsyncIterator[str]:
    said: list[str] = []
    ready = anyio.Event()

    def announce(line: str) -> None:
        said.append(line)
        ready.set()

    async with anyio.create_task_group() as group:
        group.start_soon(run_simulator, settings, announce)
        await ready.wait()
        yield said[0].removeprefix("listening on ").removesuffix("/v1")
        group.cancel_scope.cancel()


class MeetingClock(FakeClock):
    """Lets nobody wake up before *count* sleep."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._missing = count
        self._met = anyio.Event()

    async def sleep(self, seconds: float) -> None:
        self._missing -= 1
        if self._missing == 0:
            self._met.set()
        await self._met.wait()


def call(text: str = "Who made you?", **more: object) -> dict[str, object]:
    return {"model": "sim-target", "messages": [{"role": "user", "content": text}], **more}


def request_of(text: str, mode: Mode = "chat") -> Request:
    return Request(identity="", mode=mode, messages=(Message(role="user", content=text),))


# answers


@pytest.mark.parametrize("model", ["sim-target", "sim-helper-2", "sim-judge", "anything"])
async def test_chat_answers_what_the_provider_in_this_process_answers(model: str) -> None:
    planting = Planting(rate=0.5, seed=3)
    async with serving(SimulatorSettings(planting=planting)) as endpoint:
        for text in ("Who made you?", "是谁开发了你？", "Task: similar"):
            reply = await endpoint.post(CHAT, call(text) | {"model": model, "temperature": 1})

            expected = answer(request_of(text), model, planting)
            assert expected.usage is not None
            asked, written = expected.usage.input_tokens, expected.usage.output_tokens
            body = msgspec.json.decode(reply.body)
            assert reply.status == 200
            assert body["choices"] == [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": expected.text},
                    "finish_reason": "stop",
                }
            ]
            assert body["model"] == model
            assert body["usage"] == {
                "prompt_tokens": asked,
                "completion_tokens": written,
                "total_tokens": asked + written,
            }


async def test_completion_answers_what_the_provider_in_this_process_answers() -> None:
    async with serving(SimulatorSettings()) as endpoint:
        reply = await endpoint.post(COMPLETION, {"model": "sim-base", "prompt": "Who are you?"})

        expected = answer(request_of("Who are you?", "completion"), "sim-base", Planting())
        body = msgspec.json.decode(reply.body)
        assert body["object"] == "text_completion"
        assert body["choices"] == [{"index": 0, "text": expected.text, "finish_reason": "stop"}]


async def test_content_in_text_parts_is_the_same_as_one_text() -> None:
    parts = [{"type": "text", "text": "Who made "}, {"type": "text", "text": "you?"}]
    body = {"model": "sim-target", "messages": [{"role": "user", "content": parts}]}
    async with serving(SimulatorSettings()) as endpoint:
        replies = [await endpoint.post(CHAT, body), await endpoint.post(CHAT, call())]

        texts = [msgspec.json.decode(reply.body)["choices"] for reply in replies]
        assert texts[0] == texts[1]


async def test_replies_say_of_themselves_what_they_are_told_to() -> None:
    settings = SimulatorSettings(model_id="sim-target-0613", fingerprint="fp_7")
    async with serving(SimulatorSettings()) as plain, serving(settings) as named:
        first = msgspec.json.decode((await plain.post(CHAT, call())).body)
        second = msgspec.json.decode((await named.post(CHAT, call())).body)

    assert "system_fingerprint" not in first
    assert second == first | {"model": "sim-target-0613", "system_fingerprint": "fp_7"}


async def test_models_are_listed() -> None:
    async with serving(SimulatorSettings()) as endpoint:
        body = msgspec.json.decode((await endpoint.get("/v1/models")).body)

        assert [model["id"] for model in body["data"]] == ["sim-target", "sim-helper", "sim-judge"]


# refusals


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "Input data was truncated"),
        (b"\xff", "JSON is malformed: invalid character (byte 0)"),
        ({"prompt": "hi"}, "Object missing required field `model`"),
        (call() | {"messages": []}, "Expected `array` of length >= 1 - at `$.messages`"),
        (
            {"model": "m", "messages": [{"role": "king", "content": "hi"}]},
            "Invalid enum value 'king' - at `$.messages[0].role`",
        ),
        (call(temperature=3), "Expected `float` <= 2.0 - at `$.temperature`"),
        (call(stream=True), "stream must be false: whole replies only"),
        (call(n=2), "Invalid enum value 2 - at `$.n`"),
    ],
)
async def test_malformed_calls_get_400_with_the_reason(body: object, message: str) -> None:
    async with serving(SimulatorSettings()) as endpoint:
        reply = await endpoint.post(CHAT, body)

        assert (reply.status, reply.error) == (400, message)
        assert (await endpoint.stats()).rejected == 1


@pytest.mark.parametrize("path", ["/", "/v1/embeddings", "/v1/models/x"])
async def test_unknown_paths_get_404_with_an_error_body(path: str) -> None:
    async with serving(SimulatorSettings()) as endpoint:
        reply = await endpoint.post(path, call())

        assert (reply.status, reply.error) == (404, f"unknown path POST {path}")


async def test_getting_a_path_that_takes_posts_is_unknown_too() -> None:
    async with serving(SimulatorSettings()) as endpoint:
        assert (await endpoint.get(CHAT)).status == 404


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (
            {"host": "0.0.0.0"},
            "simulator.host must be 127.0.0.1 or ::1, the loopback, got '0.0.0.0'",
        ),
        (
            {"host": "localhost.example"},
            "simulator.host must be 127.0.0.1 or ::1, the loopback, got 'localhost.example'",
        ),
        ({"port": 70000}, "simulator.port must be between 0 and 65535, got 70000"),
        ({"latency_ms": -1.0}, "simulator.latency_ms must be at least 0, got -1.0"),
        ({"jitter_ms": -1.0}, "simulator.jitter_ms must be at least 0, got -1.0"),
        ({"slow_ms": float("inf")}, "simulator.slow_ms must be at least 0, got inf"),
        ({"errors": 1.5}, "simulator.errors must be between 0 and 1, got 1.5"),
        ({"slow_share": -0.1}, "simulator.slow_share must be between 0 and 1, got -0.1"),
        ({"faults": {"cut": 2.0}}, "simulator.faults.cut must be between 0 and 1, got 2.0"),
        (
            {"errors": 0.5, "faults": {"cut": 0.4, "stalled": 0.2}},
            "simulator.errors and faults must add up to at most 1, got 1.1",
        ),
        ({"retry_after_s": -1.0}, "simulator.retry_after_s must be at least 0, got -1.0"),
        ({"dead_after": -1}, "simulator.dead_after must be at least 0, got -1"),
        ({"dead_for_s": 1.0}, "simulator.dead_for_s needs dead_after"),
        ({"time_scale": 0.0}, "simulator.time_scale must be above 0, got 0.0"),
        ({"rpm": 0}, "simulator.rpm must be at least 1, got 0"),
        ({"tpm": 0}, "simulator.tpm must be at least 1, got 0"),
    ],
)
def test_settings_are_checked(setting: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        msgspec.convert(setting, SimulatorSettings)

    assert str(caught.value) == message


# faults and delays


async def test_every_planted_fault_reaches_the_caller_and_is_counted() -> None:
    settings = SimulatorSettings(errors=0.6, seed=5)
    seen = {"rate_limited": 0, "failed": 0, "cut": 0, None: 0}
    async with serving(settings) as endpoint:
        for number in range(60):
            try:
                reply = await endpoint.post(CHAT, call())
            except aiohttp.ClientPayloadError:
                seen["cut"] += 1
                assert plan_reply(settings, number).fault == "cut"
                continue
            kind = {200: None, 429: "rate_limited", 500: "failed"}[reply.status]
            seen[kind] += 1
            assert plan_reply(settings, number).fault == kind
            if kind == "rate_limited":
                assert reply.headers["retry-after"] == "0"

        stats = await endpoint.stats()

    assert min(seen.values()) > 5
    assert stats.calls == 60
    assert (stats.answered, stats.rate_limited) == (seen[None], seen["rate_limited"])
    assert (stats.failed, stats.cut) == (seen["failed"], seen["cut"])
    assert (stats.in_flight, stats.max_in_flight) == (0, 1)


async def test_every_call_waits_for_its_delay() -> None:
    clock = FakeClock()
    async with serving(SimulatorSettings(latency_ms=50.0), clock) as endpoint:
        await endpoint.post(CHAT, call())
        await endpoint.post(CHAT, call())

    assert clock.slept == [0.05, 0.05]


# quotas


async def test_calls_over_rpm_get_429_until_the_minute_has_passed() -> None:
    clock = FakeClock()
    async with serving(SimulatorSettings(rpm=2), clock) as endpoint:
        first = await endpoint.post(CHAT, call())
        clock.time = 10.5
        second, third = [await endpoint.post(CHAT, call()) for _ in range(2)]
        clock.time = 60.0
        fourth, fifth = [await endpoint.post(CHAT, call()) for _ in range(2)]

        statuses = [reply.status for reply in (first, second, third, fourth, fifth)]
        assert statuses == [200, 200, 429, 200, 429]
        assert third.headers["retry-after"] == "50"
        assert (await endpoint.stats()).limited == 2


async def test_quota_headers_tell_limit_rest_and_reset() -> None:
    clock = FakeClock()
    async with serving(SimulatorSettings(rpm=1, tpm=1000), clock) as endpoint:
        passed = await endpoint.post(CHAT, call())
        clock.time = 0.5
        refused = await endpoint.post(CHAT, call())

    def quota(reply: Reply) -> dict[str, str]:
        kinds = ("x-ratelimit-", "retry-after")
        return {name: value for name, value in reply.headers.items() if name.startswith(kinds)}

    used = msgspec.json.decode(passed.body)["usage"]["total_tokens"]
    rest = {
        "x-ratelimit-limit-requests": "1",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-remaining-tokens": str(1000 - used),
    }
    resets = ("x-ratelimit-reset-requests", "x-ratelimit-reset-tokens")
    assert quota(passed) == rest | dict.fromkeys(resets, "60.000s")
    waits = {"retry-after": "60", "retry-after-ms": "59500"}
    assert quota(refused) == rest | dict.fromkeys(resets, "59.500s") | waits


# running


async def test_calls_are_served_beside_one_another() -> None:
    async with serving(SimulatorSettings(latency_ms=1.0), MeetingClock(8)) as endpoint:
        async with anyio.create_task_group() as calls:
            for _ in range(8):
                calls.start_soon(endpoint.post, CHAT, call())

        stats = await endpoint.stats()

    assert (stats.calls, stats.answered, stats.max_in_flight) == (8, 8, 8)


async def test_simulator_announces_its_address_and_stops_when_cancelled() -> None:
    async with aiohttp.ClientSession() as session:
        async with running(SimulatorSettings()) as address:
            status = (await Endpoint(session, address).post(CHAT, call())).status

        assert address.startswith("http://127.0.0.1:")
        assert status == 200
        with pytest.raises(aiohttp.ClientConnectorError):
            await Endpoint(session, address).stats()


async def test_stopping_hangs_up_on_calls_in_flight() -> None:
    async def expect_to_be_cut(endpoint: Endpoint) -> None:
        with pytest.raises(aiohttp.ClientConnectionError):
            await endpoint.post(CHAT, call())

    settings = SimulatorSettings(latency_ms=600_000.0)
    async with (
        aiohttp.ClientSession() as session,
        anyio.create_task_group() as calls,
        running(settings) as address,
    ):
        endpoint = Endpoint(session, address)
        calls.start_soon(expect_to_be_cut, endpoint)
        while (await endpoint.stats()).in_flight == 0:
            pass


async def test_port_in_use_is_named() -> None:
    async with serving(SimulatorSettings()) as endpoint:
        port = int(endpoint._address.rpartition(":")[2])

        with pytest.raises(SettingsInvalid) as caught:
            await run_simulator(SimulatorSettings(port=port), lambda line: None)

    assert str(caught.value) == (
        f"simulator.port {port} cannot be listened on: Address already in use"
    )
