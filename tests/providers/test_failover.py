"""Several endpoints of one model: which one is asked, what one that dies costs, and its return."""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import pytest

from hydrometer.providers.base import Clock, Provider
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
from hydrometer.providers.http.http_adapter import open_http
from hydrometer.providers.limits.circuit_breaker import Breaker
from hydrometer.providers.limits.failover import Endpoint, Failover
from hydrometer.providers.limits.limiter import Limited
from hydrometer.providers.limits.retry import Retrying
from hydrometer.providers.pool import open_pool
from hydrometer.providers.settings import EndpointSettings, ModelSettings
from hydrometer.providers.types import Request, Response
from hydrometer.testing import (
    AdapterOf,
    FakeClock,
    FunctionProvider,
    GatedProvider,
    ListObserver,
    LoopClock,
    ScriptedProvider,
    make_request,
    make_response,
    run_in_virtual_time,
)

pytestmark = pytest.mark.anyio

FAILURES = (
    ConnectionFailed("cut"),
    TimedOut("late"),
    ServiceFailed("down", status=503),
    ReplyMalformed("not JSON"),
)
ANSWERS = (
    RateLimited("over quota"),
    RequestRejected("too long", status=400),
    ReplyUnusable("too large"),
    AccessDenied("wrong key", status=401),
)


def failover(
    *providers: Provider, clock: Clock, slots: int = 4, failures: int = 2
) -> tuple[Failover, list[Endpoint]]:
    """Endpoints a, b, c ... whose breakers open for 5 s."""
    endpoints = [
        Endpoint(
            name,
            Limited(AdapterOf(provider), slots=slots, clock=clock, pool="x", endpoint=name),
            Breaker(failures=failures, open_s=5.0, longest_open_s=40.0),
        )
        for name, provider in zip("abc", providers, strict=False)
    ]
    return Failover(endpoints, clock=clock), endpoints


async def test_answer_names_its_endpoint() -> None:
    layer, _ = failover(
        ScriptedProvider(make_response()), ScriptedProvider(make_response()), clock=FakeClock()
    )

    assert (await layer.complete(make_request())).endpoint == "a"


async def test_least_loaded_is_asked_and_ties_go_in_order() -> None:
    gates = [GatedProvider(make_response()) for _ in range(3)]
    layer, _ = failover(*gates, clock=SystemClock())
    entered: list[tuple[int, ...]] = []

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(layer.complete, make_request())
            await anyio.wait_all_tasks_blocked()
            entered.append(tuple(gate.entered for gate in gates))
        for gate in gates:
            gate.gate.set()

    assert entered == [(1, 0, 0), (1, 1, 0), (1, 1, 1), (2, 1, 1), (2, 2, 1)]


async def test_endpoint_with_a_cooldown_comes_after_the_others() -> None:
    clock = FakeClock()
    refuses = ScriptedProvider(RateLimited("over quota", retry_after_s=9.0), make_response())
    other = ScriptedProvider(make_response())
    layer, _ = failover(refuses, other, clock=clock)

    with pytest.raises(RateLimited):
        await layer.complete(make_request(draw=1))
    for draw in range(2, 6):
        await layer.complete(make_request(draw=draw))

    assert (len(refuses.requests), len(other.requests)) == (1, 4)


async def test_request_that_failed_goes_elsewhere_and_others_stay() -> None:
    def answer(request: Request) -> Response | Exception:
        return ConnectionFailed("cut") if request.draw == 1 else make_response()

    first, second = FunctionProvider(answer), ScriptedProvider(make_response())
    layer, _ = failover(first, second, clock=FakeClock())
    provider = Retrying(layer, attempts=3, clock=FakeClock(), pool="x")

    endpoints = [(await provider.complete(make_request(draw=draw))).endpoint for draw in (1, 2, 1)]

    assert endpoints == ["b", "a", "b"]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
async def test_endpoint_that_fails_in_a_row_is_left_alone(error: ProviderError) -> None:
    clock = FakeClock()
    first, second = ScriptedProvider(error), ScriptedProvider(make_response())
    layer, _ = failover(first, second, clock=clock)

    for draw in range(9):
        try:
            await layer.complete(make_request(draw=draw))
        except ProviderError:
            clock.time += 0.1

    assert len(first.requests) == 2
    assert [row.breaker for row in layer.statistics().endpoints] == ["open", "closed"]


@pytest.mark.parametrize("error", ANSWERS, ids=lambda error: type(error).__name__)
async def test_endpoint_that_says_no_is_alive(error: ProviderError) -> None:
    layer, _ = failover(
        ScriptedProvider(error), ScriptedProvider(make_response()), clock=FakeClock()
    )

    for draw in range(9):
        with pytest.raises(type(error)):
            await layer.complete(make_request(draw=draw))

    assert [row.breaker for row in layer.statistics().endpoints] == ["closed", "closed"]


async def test_denied_access_names_the_endpoint() -> None:
    denied = AccessDenied("m answered 401: no", status=401)
    layer, _ = failover(ScriptedProvider(denied), ScriptedProvider(denied), clock=FakeClock())

    with pytest.raises(AccessDenied) as caught:
        await layer.complete(make_request())

    assert (str(caught.value), caught.value.status) == ("endpoint a: m answered 401: no", 401)


async def test_settings_that_cannot_work_name_the_endpoint() -> None:
    """A bad certificate is of one endpoint; its own error cannot know that there are several."""
    broken = SettingsInvalid("m: the endpoint cannot be called with these settings: expired")
    layer, _ = failover(ScriptedProvider(broken), ScriptedProvider(broken), clock=FakeClock())

    with pytest.raises(SettingsInvalid) as caught:
        await layer.complete(make_request())

    assert str(caught.value) == f"endpoint a: {broken}"


class DiesAfterTwo:
    """Answers its first call at *answers*, and closes the connection of its second at *cuts*."""

    def __init__(self) -> None:
        self.answers = anyio.Event()
        self.cuts = anyio.Event()
        self.entered = 0

    async def complete(self, request: Request) -> Response:
        self.entered += 1
        if self.entered == 1:
            await self.answers.wait()
            return make_response()
        await self.cuts.wait()
        raise ConnectionFailed("cut")


async def test_calls_that_wait_stay_away_from_an_endpoint_that_opens() -> None:
    dying, other = DiesAfterTwo(), GatedProvider(make_response())
    layer, endpoints = failover(dying, other, clock=SystemClock(), slots=2, failures=1)
    ended: list[str] = []

    async def call() -> None:
        try:
            ended.append((await layer.complete(make_request())).endpoint)
        except ConnectionFailed:
            ended.append("cut")

    async with anyio.create_task_group() as group:
        for _ in range(6):  # two are sent to each, and two wait for either
            group.start_soon(call)
        await anyio.wait_all_tasks_blocked()
        waiting = layer.statistics().waiting
        dying.cuts.set()  # and so has a slot again
        await anyio.wait_all_tasks_blocked()
        still_waiting = layer.statistics().waiting
        other.gate.set()
        await anyio.wait_all_tasks_blocked()
        dying.answers.set()

    assert (waiting, still_waiting) == (2, 2)
    assert ended == ["cut", "b", "b", "b", "b", "a"]  # what was sent was waited for
    assert (dying.entered, other.entered) == (2, 4)
    assert [endpoint.limited.statistics().in_flight for endpoint in endpoints] == [0, 0]


def test_when_all_are_open_calls_wait_for_the_first_that_may_be_back() -> None:
    sent: list[tuple[str, float]] = []
    back_s = 12.0

    async def main() -> None:
        clock = LoopClock()

        def answers(name: str) -> Callable[[Request], Response | Exception]:
            def answer(request: Request) -> Response | Exception:
                sent.append((name, clock.now()))
                return make_response() if clock.now() >= back_s else ConnectionFailed("cut")

            return answer

        layer, _ = failover(
            FunctionProvider(answers("a")),
            FunctionProvider(answers("b")),
            clock=clock,
            failures=1,
        )
        for draw in (1, 2):
            with pytest.raises(ConnectionFailed):
                await layer.complete(make_request(draw=draw))
        async with anyio.create_task_group() as group:
            for draw in range(3, 6):
                group.start_soon(in_the_end, layer, draw)
            await anyio.sleep(1.0)
            assert layer.statistics().queued == 3
            assert layer.statistics().waiting == 3

    async def in_the_end(layer: Failover, draw: int) -> None:
        while True:
            try:
                await layer.complete(make_request(draw=draw))
            except ConnectionFailed:
                continue
            return

    run_in_virtual_time(main)

    # Both are probed once when they are half-open, at 5, in vain; ten seconds later one is back.
    assert [(name, round(at_s)) for name, at_s in sent] == [
        ("a", 0),
        ("b", 0),
        ("a", 5),
        ("b", 5),
        ("a", 15),
        ("b", 15),
        ("a", 15),
    ]


async def test_probe_waits_for_its_turn_in_nobody_s_way_and_once_cancelled_lets_the_next_go() -> (
    None
):
    clock = SystemClock()
    cooling_down, gated = (
        ScriptedProvider(RateLimited("over quota", retry_after_s=1000.0)),
        GatedProvider(make_response()),
    )
    layer, endpoints = failover(cooling_down, gated, clock=clock, failures=1)
    held, probed = (endpoint.breaker for endpoint in endpoints)
    with pytest.raises(RateLimited):
        await layer.complete(make_request())
    for breaker in (held, probed):
        breaker.failed(breaker.begin(), clock.now() - 6.0)  # half-open by now

    async with anyio.create_task_group() as group:
        group.start_soon(layer.complete, make_request())
        await anyio.wait_all_tasks_blocked()
        during = [breaker.wait_s(clock.now()) for breaker in (held, probed)]
        layer.abandon()
        group.cancel_scope.cancel()

    assert during == [0.0, math.inf]
    assert [breaker.wait_s(clock.now()) for breaker in (held, probed)] == [0.0, 0.0]
    assert gated.cancelled == 1


async def test_who_is_cancelled_while_all_are_open_leaves_nothing_behind() -> None:
    clock = SystemClock()
    dead = ScriptedProvider(ConnectionFailed("cut"))
    layer, endpoints = failover(dead, dead, clock=clock, failures=1)
    for endpoint in endpoints:
        endpoint.breaker.failed(0, clock.now() + 1000.0)

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(layer.complete, make_request())
        await anyio.wait_all_tasks_blocked()
        queued = layer.statistics().queued
        group.cancel_scope.cancel()

    assert (queued, layer.statistics().queued) == (3, 0)
    assert dead.requests == []


class Loopback:
    """An endpoint on the loopback that can be killed and brought back at the same port."""

    def __init__(self) -> None:
        self.port = 0
        self.answered: Counter[str] = Counter()  # by prompt
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def kill(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in tuple(self._open):
            writer.transport.abort()
        await anyio.lowlevel.checkpoint()

    @property
    def calls(self) -> int:
        return self.answered.total()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                )
                prompt = json.loads(await reader.readexactly(length))["messages"][0]["content"]
                await asyncio.sleep(0.005)
                body = json.dumps(
                    {"choices": [{"message": {"content": prompt}, "finish_reason": "stop"}]}
                ).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
                await writer.drain()
                self.answered[prompt] += 1
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()


@asynccontextmanager
async def two_endpoints() -> AsyncIterator[tuple[Loopback, Loopback]]:
    servers = (Loopback(), Loopback())
    for server in servers:
        await server.start()
    try:
        yield servers
    finally:
        for server in servers:
            await server.kill()


@asynccontextmanager
async def open_both(
    servers: tuple[Loopback, Loopback], observer: ListObserver
) -> AsyncIterator[tuple[Provider, Failover]]:
    """Open what a pool does, with a breaker that opens sooner."""
    async with AsyncExitStack() as stack:
        endpoints = []
        for name, server in zip(("first", "second"), servers, strict=True):
            settings = ModelSettings(
                provider="http", model="m", base_url=f"http://127.0.0.1:{server.port}/v1"
            )
            adapter = await stack.enter_async_context(
                open_http(settings, slots=4, api_key="", headers={})
            )
            limited = Limited(
                adapter,
                slots=4,
                clock=SystemClock(),
                pool="x",
                endpoint=name,
            )
            breaker = Breaker(failures=3, open_s=0.1, longest_open_s=0.2)
            endpoints.append(Endpoint(name, limited, breaker))
        layer = Failover(endpoints, clock=SystemClock())
        view = layer.watched_by(observer)
        yield Retrying(view, attempts=12, clock=SystemClock(), pool="x"), layer


class News:
    """Wakes a task that waits for a condition, whenever something has changed."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def tell(self) -> None:
        self._event.set()
        self._event = anyio.Event()

    async def until(self, true: Callable[[], bool]) -> None:
        with anyio.fail_after(60):
            while not true():
                await self._event.wait()


async def test_endpoint_that_dies_fails_no_call_and_is_used_again_when_it_is_back() -> None:
    observer = ListObserver()
    answered: list[Response] = []
    numbers = iter(range(100_000))
    stop, news = anyio.Event(), News()

    async def work(provider: Provider) -> None:
        while not stop.is_set():
            text = f"prompt {next(numbers)}"
            response = await provider.complete(make_request(text))
            assert response.text == text
            answered.append(response)
            news.tell()

    async with (
        two_endpoints() as (first, second),
        open_both((first, second), observer) as (provider, layer),
        anyio.create_task_group() as group,
    ):
        for _ in range(8):
            group.start_soon(work, provider)
        await news.until(lambda: min(first.calls, second.calls) >= 20)
        await first.kill()
        await news.until(lambda: layer.statistics().endpoints[0].breaker == "open")
        before = second.calls
        await news.until(lambda: second.calls >= before + 20)
        await first.start()
        before = first.calls
        await news.until(lambda: first.calls >= before + 20)
        stop.set()

    assert {attempt.endpoint for attempt in observer.attempts if attempt.error} == {"first"}
    assert {response.endpoint for response in answered} == {"first", "second"}
    # The one that died may have answered a call without our hearing of it; else nobody did twice.
    assert max((first.answered + second.answered).values()) <= 2
    assert max(second.answered.values()) == 1
    assert len(answered) == len({response.text for response in answered})


async def test_keys_and_limits_are_those_of_each_endpoint(hostile_url: str) -> None:
    endpoints = (
        EndpointSettings(base_url=f"{hostile_url}/v1", api_key_env="A_KEY", slots=1),
        EndpointSettings(base_url=f"{hostile_url}/v1", name="spare", api_key_env="B_KEY"),
    )
    settings = ModelSettings(provider="http", model="echo", endpoints=endpoints, slots=7)

    async with open_pool(
        "x", settings, environ={"A_KEY": "Key.One", "B_KEY": "Key.Two"}, clock=SystemClock()
    ) as pool:
        responses: list[Response] = []

        async def call() -> None:
            responses.append(await pool.complete(make_request()))

        async with anyio.create_task_group() as group:
            group.start_soon(call)
            group.start_soon(call)
        limits = [(row.name, row.limit) for row in pool.statistics().endpoints]

    keys = {
        response.endpoint: json.loads(response.text)["headers"]["authorization"]
        for response in responses
    }
    assert keys == {"1": "Bearer Key.One", "spare": "Bearer Key.Two"}
    assert limits == [("1", 1), ("spare", 7)]
