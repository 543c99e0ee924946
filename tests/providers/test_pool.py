"""From what a user writes about a model to something that answers."""

from __future__ import annotations

import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from msgspec.structs import replace

from hydrometer.providers.base import Adapter, Attempt
from hydrometer.providers.clock import SystemClock
from hydrometer.providers.errors import (
    AccessDenied,
    AttemptsExhausted,
    BudgetReached,
    ConnectionFailed,
    Outage,
    ProviderError,
    ReplyUnusable,
    RequestRejected,
    SettingsInvalid,
)
from hydrometer.providers.kinds import ProviderKinds
from hydrometer.providers.limits.budget import Budget, Spent
from hydrometer.providers.pool import open_pool, preflight
from hydrometer.providers.settings import BudgetTable, EndpointSettings, ModelSettings, Price
from hydrometer.testing import (
    AdapterOf,
    FakeClock,
    ListObserver,
    ScriptedProvider,
    make_request,
    make_response,
)

pytestmark = pytest.mark.anyio

KEY = "Planted.Key~0123456789"


def http(**changed: Any) -> ModelSettings:
    return ModelSettings(
        **({"provider": "http", "model": "m", "base_url": "http://127.0.0.1:1/v1"} | changed)
    )


async def why_invalid(settings: ModelSettings, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsInvalid) as caught:
        async with open_pool("qwen", settings, environ=environ or {}, clock=FakeClock()):
            pass
    assert KEY not in repr(caught.value)
    return str(caught.value)


def with_endpoints(*changed: dict[str, Any]) -> ModelSettings:
    endpoints = tuple(EndpointSettings(**({"base_url": "http://a/v1"} | each)) for each in changed)
    return http(base_url="", endpoints=endpoints)


@pytest.mark.parametrize("environ", [{}, {"QWEN_KEY": ""}])
async def test_key_that_is_not_set(environ: dict[str, str]) -> None:
    assert await why_invalid(http(api_key_env="QWEN_KEY"), environ) == (
        "models.qwen.api_key_env names QWEN_KEY, which is not set"
    )


async def test_header_that_is_not_set() -> None:
    assert await why_invalid(http(headers={"X-Key": "env:TEAM_KEY"})) == (
        "models.qwen.headers.X-Key names TEAM_KEY, which is not set"
    )


@pytest.mark.parametrize("key", [f"{KEY}\n", f" {KEY}", f"{KEY}\x00", f"{KEY}钥", f"{KEY}\xa0"])
async def test_key_that_no_header_can_hold_is_not_shown(key: str) -> None:
    assert await why_invalid(http(api_key_env="QWEN_KEY"), {"QWEN_KEY": key}) == (
        "models.qwen.api_key_env names QWEN_KEY, which holds white space or a character "
        "that no key may have (value not shown)"
    )


@pytest.mark.parametrize("value", [f"{KEY}\r\nX: y", f"{KEY}钥"])
async def test_header_value_that_cannot_be_sent_is_not_shown(value: str) -> None:
    message = (
        "models.qwen.headers.X-Team holds a control character or one outside Latin-1 "
        "(value not shown)"
    )

    assert await why_invalid(http(headers={"X-Team": value})) == message
    assert await why_invalid(http(headers={"X-Team": "env:TEAM"}), {"TEAM": value}) == message


async def test_provider_of_a_later_version() -> None:
    assert await why_invalid(http(provider="vllm")) == (
        "models.qwen.provider vllm is not available in this version"
    )


async def test_provider_that_nobody_knows() -> None:
    assert await why_invalid(http(provider="htp")) == (
        "models.qwen.provider: unknown provider htp; did you mean http?"
    )


async def test_openai_without_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hydrometer.providers.openai.openai_adapter", None)

    assert await why_invalid(http(provider="openai")) == (
        "models.qwen.provider: openai needs the openai package: pip install 'hydrometer[openai]'"
    )


async def test_openai_is_asked_through_every_layer(hostile_url: str) -> None:
    settings = http(provider="openai", model="ok", base_url=hostile_url, api_key_env="QWEN_KEY")

    async with open_pool("qwen", settings, environ={"QWEN_KEY": KEY}, clock=FakeClock()) as pool:
        response = await pool.complete(make_request())

    assert response.text == "hi"


async def test_what_an_adapter_refuses_names_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "azure.identity.aio", None)

    assert await why_invalid(http(provider="openai", options={"entra": True})) == (
        "models.qwen.options.entra needs the azure-identity package: pip install azure-identity"
    )


class Plugin:
    """A provider of another package, and what it was opened with."""

    def __init__(self, *, refuses: str = "") -> None:
        self._refuses = refuses
        self.told: list[object] = []

    @asynccontextmanager
    async def open(
        self, settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
    ) -> AsyncIterator[Adapter]:
        if self._refuses:
            raise SettingsInvalid(self._refuses)
        self.told += [settings.base_url, settings.options, slots, api_key, dict(headers)]
        yield AdapterOf(ScriptedProvider(make_response("from afar")))
        self.told.append("closed")


async def test_plug_in_opens_what_is_not_built_in() -> None:
    plugin = Plugin()
    endpoint = EndpointSettings(base_url="http://a/v1", slots=3, api_key_env="QWEN_KEY")
    settings = http(
        provider="mistral",
        base_url="",
        endpoints=(endpoint,),
        options={"region": "eu"},
        headers={"X-Team": "env:TEAM"},
    )

    async with open_pool(
        "qwen",
        settings,
        environ={"QWEN_KEY": KEY, "TEAM": "audit"},
        clock=FakeClock(),
        kinds=ProviderKinds({"mistral": plugin.open}),
    ) as pool:
        response = await pool.complete(make_request())

    assert response == replace(make_response("from afar"), endpoint="1")
    assert plugin.told == ["http://a/v1", {"region": "eu"}, 3, KEY, {"X-Team": "audit"}, "closed"]


async def test_built_in_provider_wins_over_a_plug_in_of_its_name() -> None:
    plugin = Plugin()
    settings = ModelSettings(provider="simulated", model="sim-target")

    async with open_pool(
        "sim",
        settings,
        environ={},
        clock=FakeClock(),
        kinds=ProviderKinds({"simulated": plugin.open}),
    ) as pool:
        await pool.complete(make_request())

    assert plugin.told == []


async def test_setting_that_a_plug_in_refuses_names_the_model() -> None:
    kinds = ProviderKinds({"mistral": Plugin(refuses="options.region is missing").open})

    with pytest.raises(SettingsInvalid, match=r"^models\.x\.options\.region is missing$"):
        async with open_pool(
            "x", http(provider="mistral"), environ={}, clock=FakeClock(), kinds=kinds
        ):
            pass


async def test_settings_are_checked() -> None:
    assert await why_invalid(http(slots=0)) == "models.qwen.slots must be at least 1, got 0"
    assert (
        await why_invalid(
            http(base_url="", endpoints=(EndpointSettings(base_url="http://a/v1", slots=0),))
        )
        == "models.qwen.endpoints[0].slots must be at least 1, got 0"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (http(deadline_s=0.0), "models.qwen.deadline_s must be above 0, got 0.0"),
        (
            http(budget=BudgetTable(calls=0)),
            "models.qwen.budget.calls must be at least 1, got 0",
        ),
        (
            with_endpoints({"name": "a b"}),
            "models.qwen.endpoints[0].name: a name has letters, digits, dot, dash and underscore",
        ),
        (
            with_endpoints({"name": "2"}, {}),
            "models.qwen.endpoints[1].name: another endpoint is called 2 already",
        ),
        (
            with_endpoints({}, {"rpm": 0}),
            "models.qwen.endpoints[1].rpm must be at least 1, got 0",
        ),
        (
            with_endpoints({}, {"api_key_env": "sk-1"}),
            "models.qwen.endpoints[1].api_key_env must be the name of an environment variable, "
            "not a key (value not shown)",
        ),
    ],
)
async def test_settings_of_limits_and_endpoints_are_checked(
    settings: ModelSettings, message: str
) -> None:
    assert await why_invalid(settings) == message


def test_all_slots_are_those_of_the_endpoints() -> None:
    assert http(slots=5).all_slots == 5
    assert with_endpoints({}, {"slots": 3}).all_slots == 16 + 3


async def test_key_of_the_endpoint_is_looked_up_where_it_is_named() -> None:
    endpoint = EndpointSettings(base_url="http://a/v1", api_key_env="A_KEY")

    assert await why_invalid(http(base_url="", endpoints=(endpoint,), api_key_env="B_KEY")) == (
        "models.qwen.endpoints[0].api_key_env names A_KEY, which is not set"
    )


async def test_key_of_the_model_serves_an_endpoint_that_names_none() -> None:
    endpoint = EndpointSettings(base_url="http://a/v1")

    assert await why_invalid(http(base_url="", endpoints=(endpoint,), api_key_env="B_KEY")) == (
        "models.qwen.api_key_env names B_KEY, which is not set"
    )


async def test_simulated_model_answers_through_every_layer() -> None:
    observer = ListObserver()
    budget = Budget()
    settings = ModelSettings(provider="simulated", model="sim-target")

    async with open_pool("sim", settings, environ={}, clock=FakeClock(), budget=budget) as pool:
        response = await pool.watched_by(observer).complete(make_request())

    assert response.text
    assert [attempt.pool for attempt in observer.attempts] == ["sim"]
    assert budget.spent().calls == 1
    statistics = pool.statistics()
    assert (statistics.sent, statistics.in_flight, statistics.waiting) == (1, 0, 0)
    assert [endpoint.name for endpoint in statistics.endpoints] == [""]


async def test_limits_and_prices_are_those_of_the_settings() -> None:
    clock = FakeClock()
    observer = ListObserver()
    settings = ModelSettings(
        provider="simulated",
        model="sim-target",
        rpm=1,
        price=Price(input_per_mtok=1.0, output_per_mtok=1.0),
    )

    async with open_pool("sim", settings, environ={}, clock=clock) as pool:
        view = pool.watched_by(observer)
        await view.complete(make_request())
        await view.complete(make_request())

    assert clock.time == pytest.approx(61.0, abs=0.01)
    assert observer.attempts[0].cost_usd > 0.0


async def test_model_has_a_budget_of_its_own_and_remembers_what_was_spent() -> None:
    run = Budget(calls=100)
    settings = ModelSettings(provider="simulated", model="sim-target", budget=BudgetTable(calls=5))

    async with open_pool(
        "sim", settings, environ={}, clock=FakeClock(), budget=run, spent=Spent(calls=3)
    ) as pool:
        await pool.complete(make_request())
        await pool.complete(make_request())
        with pytest.raises(BudgetReached) as caught:
            await pool.complete(make_request())

    assert str(caught.value) == "models.sim.budget calls = 5 is reached: 5 calls sent"
    assert (pool.spent().calls, run.spent().calls) == (5, 2)


async def test_deadline_is_that_of_the_settings() -> None:
    @asynccontextmanager
    async def open_dead(
        settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
    ) -> AsyncIterator[Adapter]:
        yield AdapterOf(ScriptedProvider(ConnectionFailed("cut")))

    settings = http(provider="dead", attempts=99, deadline_s=20.0)
    clock = FakeClock()

    async with open_pool(
        "x", settings, environ={}, clock=clock, kinds=ProviderKinds({"dead": open_dead})
    ) as pool:
        with pytest.raises(Outage, match=r"^x: no call was answered during \d+ attempts? within"):
            await pool.complete(make_request())

    assert clock.time < 20.0


async def test_tokens_are_limited_as_the_settings_say() -> None:
    clock = FakeClock()
    settings = ModelSettings(provider="simulated", model="sim-target", tpm=1)

    async with open_pool("sim", settings, environ={}, clock=clock) as pool:
        await pool.complete(make_request())
        await pool.complete(make_request())

    assert clock.time == pytest.approx(61.0, abs=0.01)


async def test_slots_are_those_of_the_settings() -> None:
    beside: list[int] = []

    class Counts:
        def attempt_ended(self, attempt: Attempt) -> None:
            beside.append(pool.statistics().in_flight)

    settings = ModelSettings(provider="simulated", model="sim-target", slots=3)
    async with (
        open_pool("sim", settings, environ={}, clock=FakeClock()) as pool,
        anyio.create_task_group() as group,
    ):
        view = pool.watched_by(Counts())
        for _ in range(6):
            group.start_soon(view.complete, make_request())

    assert max(beside) == 2


async def test_endpoint_nobody_listens_at_is_an_outage_that_shows_no_key() -> None:
    observer = ListObserver()
    budget = Budget()
    clock = FakeClock()
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        endpoint = EndpointSettings(base_url=f"http://127.0.0.1:{unheard.getsockname()[1]}/v1")
        settings = http(
            base_url="",
            endpoints=(endpoint,),
            api_key_env="QWEN_KEY",
            attempts=3,
            headers={"X-Secret": "env:QWEN_KEY"},
        )
        async with open_pool(
            "qwen",
            settings,
            environ={"QWEN_KEY": KEY},
            clock=clock,
            budget=budget,
        ) as pool:
            with pytest.raises(Outage) as caught:
                await pool.watched_by(observer).complete(make_request())

    assert str(caught.value).startswith(
        "qwen: no call was answered during 3 attempts, the last failed with: m: cannot connect: "
    )
    assert [attempt.error for attempt in observer.attempts] == ["ConnectionFailed"] * 4
    assert budget.spent() == Spent(calls=4)
    assert len(clock.slept) == 2
    shown = f"{caught.value!r} {caught.value.__cause__!r} {pool!r} {observer.attempts} {settings}"
    assert KEY not in shown


async def test_cancelled_pool_closes_without_a_word() -> None:
    with anyio.CancelScope() as scope:
        async with open_pool("qwen", http(), environ={}, clock=SystemClock()) as pool:
            scope.cancel()
            await pool.complete(make_request())

    assert scope.cancelled_caught


async def test_preflight_returns_the_answer() -> None:
    provider = ScriptedProvider(make_response("hi"))

    assert await preflight(provider, make_request(), "models.qwen") == make_response("hi")


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (
            AccessDenied("m answered 401", status=401),
            AccessDenied,
            "m answered 401 (look at api_key_env, model and base_url of models.qwen)",
        ),
        (
            Outage("qwen: no call was answered"),
            Outage,
            "qwen: no call was answered (look at base_url and timeout_s of models.qwen)",
        ),
        (
            RequestRejected("m answered 400", status=400),
            SettingsInvalid,
            "m answered 400 (look at model, mode, sampling and base_url of models.qwen)",
        ),
        (
            ReplyUnusable("m: the reply has no choices"),
            SettingsInvalid,
            "m: the reply has no choices "
            "(look at model, mode, sampling and base_url of models.qwen)",
        ),
        (
            AttemptsExhausted("qwen: 3 attempts failed", attempts=3),
            AttemptsExhausted,
            "qwen: 3 attempts failed",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_preflight_says_where_to_look(
    error: ProviderError, kind: type[ProviderError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        await preflight(ScriptedProvider(error), make_request(), "models.qwen")

    assert type(caught.value) is kind
    assert str(caught.value) == message
