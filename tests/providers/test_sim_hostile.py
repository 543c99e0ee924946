"""The simulated endpoint at its worst, seen from a bare socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import msgspec
import pytest
from aiohttp.test_utils import TestServer
from anyio.abc import SocketStream
from processes import invoke, simulator

from hydrometer.providers.base import Clock
from hydrometer.providers.simulation.planting import Planting
from hydrometer.providers.simulation.server.server_stats import SimulatorStats
from hydrometer.providers.simulation.server.simulator import simulator_app
from hydrometer.providers.simulation.server.simulator_settings import (
    DeadForm,
    Faults,
    PlantedFault,
    SimulatorSettings,
)
from hydrometer.providers.simulation.simulated_adapter import answer
from hydrometer.providers.types import Message, Request
from hydrometer.testing import FakeClock

CHAT = "/v1/chat/completions"


class Heard(msgspec.Struct, frozen=True):
    """What came back on a connection that was read until the endpoint closed it."""

    status: int
    headers: dict[str, str]
    body: bytes


class Line:
    """A way to one running simulator, a new connection for every call."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def send(self, text: str = "Who made you?", path: str = CHAT) -> SocketStream:
        """Send a call, and leave it to the caller to read and to hang up."""
        body = b"" if path != CHAT else msgspec.json.encode(call(text))
        verb = "POST" if body else "GET"
        head = f"{verb} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        stream = await anyio.connect_tcp("127.0.0.1", self._port)
        await stream.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return stream

    async def raw(self, text: str = "Who made you?", path: str = CHAT) -> bytes:
        """Return all that comes until the endpoint hangs up."""
        data = b""
        async with await self.send(text, path) as stream:
            async for part in stream:
                data += part
        return data

    async def ask(self, text: str = "Who made you?", path: str = CHAT) -> Heard:
        head, _, body = (await self.raw(text, path)).partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        return Heard(int(first.split()[1]), headers, body)

    async def stats(self) -> SimulatorStats:
        return msgspec.json.decode((await self.ask(path="/stats")).body, type=SimulatorStats)

    async def stats_once(self, true: Callable[[SimulatorStats], bool]) -> SimulatorStats:
        while not true(stats := await self.stats()):
            pass
        return stats


@asynccontextmanager
async def serving(settings: SimulatorSettings, clock: Clock | None = None) -> AsyncIterator[Line]:
    app = simulator_app(settings, clock=clock or FakeClock())
    async with TestServer(app) as server:
        assert server.port is not None
        yield Line(server.port)


class HeldClock(FakeClock):
    """Wakes nobody up before it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asleep = anyio.Event()
        self.wake = anyio.Event()

    async def sleep(self, seconds: float) -> None:
        self.asleep.set()
        await self.wake.wait()


def call(text: str) -> dict[str, object]:
    return {"model": "sim-target", "messages": [{"role": "user", "content": text}]}


def only(fault: PlantedFault, **more: object) -> SimulatorSettings:
    faults = msgspec.convert({fault: 1.0}, Faults)
    return msgspec.structs.replace(SimulatorSettings(faults=faults), **more)


# faults


async def test_cut_connections_are_closed_wherever_the_reply_was() -> None:
    async with serving(only("cut")) as line:
        heard = [await line.raw() for _ in range(4)]
        stats = await line.stats()

    assert [data.count(b"\r\n\r\n") for data in heard[:3]] == [1, 0, 0]
    assert heard[1] == b""
    assert heard[3].endswith(b"\r\n")  # a chunk's, and no last chunk after it
    assert (stats.calls, stats.cut, stats.in_flight) == (4, 4, 0)


@pytest.mark.parametrize("form", [0, 1, 2])
async def test_stalled_call_is_in_flight_until_the_caller_gives_up(form: int) -> None:
    async with serving(only("stalled")) as line:
        for _ in range(form):
            await (await line.send()).aclose()
            await line.stats_once(lambda stats: stats.in_flight == 0)
        stream = await line.send()
        if form < 2:
            assert (await stream.receive()).startswith(b"HTTP/1.1 200 OK\r\n")
        stats = await line.stats_once(lambda stats: stats.stalled == form + 1)
        assert stats.in_flight == 1

        await stream.aclose()

        stats = await line.stats_once(lambda stats: stats.in_flight == 0)
        assert (stats.stalled, stats.gone) == (form + 1, 0)


async def test_malformed_replies_close_no_connection_but_the_one_that_lies_of_its_length() -> None:
    async with serving(only("malformed")) as line:
        heard = [await line.ask() for _ in range(9)]
        stats = await line.stats()

    assert [reply.status for reply in heard] == [200] * 9
    lengths = [int(reply.headers["content-length"]) for reply in heard]
    assert lengths[:8] == [len(reply.body) for reply in heard[:8]]
    assert lengths[8] == len(heard[8].body) // 2
    assert (stats.malformed, stats.answered, stats.resent_after_answer) == (9, 0, 0)


@pytest.mark.parametrize("fault", ["rate_limited", "failed", "malformed"])
async def test_quota_is_told_on_every_reply_whatever_it_is(fault: PlantedFault) -> None:
    async with serving(only(fault, rpm=100, tpm=100_000)) as line:
        for number in range(1, 10):
            headers = (await line.ask()).headers

            assert headers["x-ratelimit-remaining-requests"] == str(100 - number)
            assert {"x-ratelimit-limit-tokens", "x-ratelimit-reset-tokens"} <= set(headers)


async def test_rejected_call_is_told_the_quota_and_uses_none_of_it() -> None:
    async with serving(SimulatorSettings(rpm=2)) as line:
        headers = (await line.ask("")).headers
        rejected = await line.ask(path="/v1/models")

    assert headers["x-ratelimit-remaining-requests"] == "1"
    assert rejected.headers["x-ratelimit-remaining-requests"] == "1"


async def test_answers_are_the_same_whatever_fails_around_them() -> None:
    settings = SimulatorSettings(
        faults=Faults(rate_limited=0.2, failed=0.2, cut=0.2, malformed=0.2), seed=4
    )
    async with serving(settings) as line:
        for number in range(6):
            text = f"Who made you? ({number})"
            done = (await line.stats()).answered
            while (await line.stats()).answered == done:
                data = await line.raw(text)
            reply = msgspec.json.decode(data.partition(b"\r\n\r\n")[2])

            request = Request(identity="", messages=(Message(role="user", content=text),))
            expected = answer(request, "sim-target", Planting())
            assert reply["choices"][0]["message"]["content"] == expected.text
        stats = await line.stats()

    assert stats.calls > 12
    assert (stats.distinct_bodies, stats.resent_after_answer) == (6, 0)


# death


async def test_dead_endpoint_hangs_up_on_every_call_and_comes_back() -> None:
    clock = FakeClock()
    async with serving(SimulatorSettings(dead_after=1, dead_for_s=30.0), clock) as line:
        first = await line.ask()
        dead = [await line.raw() for _ in range(3)]
        models = await line.raw(path="/v1/models")
        clock.time = 30.0
        last = await line.ask()
        stats = await line.stats()

    assert (first.status, last.status) == (200, 200)
    assert (dead, models) == ([b""] * 3, b"")
    assert (stats.calls, stats.answered, stats.dead) == (5, 2, 3)


async def test_dead_endpoint_can_say_503_instead() -> None:
    settings = SimulatorSettings(dead_after=0, dead_as=DeadForm.unavailable, rpm=1)
    async with serving(settings) as line:
        statuses = [(await line.ask()).status for _ in range(3)]
        stats = await line.stats()

    assert statuses == [503] * 3
    assert (stats.dead, stats.limited) == (3, 0)


@pytest.mark.parametrize(
    ("form", "answered"), [(DeadForm.closed, False), (DeadForm.unavailable, True)]
)
async def test_endpoint_that_closes_takes_along_what_was_in_flight(
    form: DeadForm, answered: bool
) -> None:
    clock = HeldClock()
    settings = SimulatorSettings(latency_ms=1.0, dead_after=1, dead_for_s=30.0, dead_as=form)
    async with serving(settings, clock) as line, await line.send() as early:
        await clock.asleep.wait()
        await line.raw()
        clock.time = 30.0  # it is back when the call is due, and knows nothing of it
        clock.wake.set()
        heard = b"".join([part async for part in early])

    assert heard.startswith(b"HTTP/1.1 200 OK") if answered else heard == b""


# counts


async def test_caller_who_hangs_up_before_the_answer_is_gone() -> None:
    clock = HeldClock()
    async with serving(SimulatorSettings(latency_ms=1.0), clock) as line:
        stream = await line.send()
        await clock.asleep.wait()
        await stream.aclose()
        stats = await line.stats_once(lambda stats: stats.in_flight == 0)
        clock.wake.set()
        again = await line.ask()
        last = await line.stats()

    assert (stats.calls, stats.gone, stats.answered) == (1, 1, 0)
    assert again.status == 200
    assert (last.answered, last.distinct_bodies, last.resent_after_answer) == (1, 1, 0)


async def test_body_sent_again_after_its_answer_is_counted() -> None:
    async with serving(SimulatorSettings()) as line:
        for text in ("a", "b", "a", "a"):
            await line.ask(text)
        stats = await line.stats()

    assert (stats.distinct_bodies, stats.resent_after_answer) == (2, 2)


async def test_fullest_minute_is_counted_without_a_limit_too() -> None:
    clock = FakeClock()
    async with serving(SimulatorSettings(), clock) as line:
        used = []
        for clock.time in (0.0, 59.0, 61.0, 200.0):
            reply = msgspec.json.decode((await line.ask()).body)
            used.append(reply["usage"]["total_tokens"])
        stats = await line.stats()

    assert stats.max_calls_per_minute == 2
    assert stats.max_tokens_per_minute == 2 * used[0]
    assert stats.answered_per_s == 4 / 200


async def test_minute_of_a_faster_clock_is_shorter_and_told_in_its_own_seconds() -> None:
    clock = FakeClock()
    async with serving(SimulatorSettings(rpm=1, time_scale=60.0), clock) as line:
        first = await line.ask()
        clock.time = 0.5
        refused = await line.ask()
        clock.time = 1.0
        last = await line.ask()
        stats = await line.stats()

    assert [reply.status for reply in (first, refused, last)] == [200, 429, 200]
    assert refused.headers["retry-after-ms"] == "30000"
    assert refused.headers["x-ratelimit-reset-requests"] == "30.000s"
    assert (stats.limited_first_minute, stats.limited_later) == (1, 0)
    assert (stats.calls_first_minute, stats.max_calls_per_minute) == (2, 1)
    assert stats.seconds == 60.0


# the command line


def test_flags_reach_the_endpoint() -> None:
    flags = ["--faults", "malformed=1", "--rpm", "9", "--time-scale", "60", "--dead-after", "2"]
    flags += ["--dead-as", "503", "--jitter-shape", "pareto", "--slow-share", "0.5"]
    flags += ["--model-id", "sim-7", "--fingerprint", "fp_7", "--retry-after-s", "1"]

    async def ask(url: str) -> list[Heard]:
        line = Line(int(url.rpartition(":")[2].removesuffix("/v1")))
        return [await line.ask() for _ in range(3)]

    with simulator(*flags) as url:
        first, second, third = anyio.run(ask, url)

    assert first.headers["x-ratelimit-limit-requests"] == "9"
    assert b'"model":"sim-7","system_fingerprint":"fp_7"' in first.body
    assert second.body.startswith(b"<html>")
    assert third.status == 503


def test_faults_that_nobody_knows_are_an_error_of_input() -> None:
    done = invoke("simulate", "--port", "0", "--faults", "stall=0.1")

    assert done.returncode == 2
    assert done.stderr == (
        "hydrometer: simulator.faults: unknown kind stall; did you mean stalled?\n"
    )
