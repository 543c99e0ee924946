"""Kinds of providers: identities, prices, preflight, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from hydrometer.providers.base import Adapter, OpenAdapter
from hydrometer.providers.errors import SettingsInvalid
from hydrometer.providers.kinds import (
    BUILT_IN,
    RESERVED,
    ProviderKinds,
    check_kind,
    has_known_price,
    model_identity,
    wants_preflight,
)
from hydrometer.providers.settings import BudgetTable, ModelSettings, Price

PLANTED = {"seed": 3, "rate": 0.7, "traits": {"radio": 0.9, "diary": 0.9}, "claims": {"openai": 1}}


def model(provider: str = "http", model: str = "m", **settings: Any) -> ModelSettings:
    return ModelSettings(provider=provider, model=model, **settings)


@pytest.mark.parametrize(
    ("settings", "identity"),
    [
        (model("http", "qwen"), "http:qwen"),
        (model("http", "qwen", revision="r1"), "http:qwen@r1"),
        (model("simulated", "sim-target"), "simulated:sim-target#33d5801b5a3b"),
        (
            model("simulated", "sim-target", revision="b", options={"planting": PLANTED}),
            "simulated:sim-target#42a6e7b05b1b@b",
        ),
        (
            model(
                "simulated",
                "sim-writer-a",
                options={"planting": {"family": 1, "relation": "family"}},
            ),
            "simulated:sim-writer-a#3c2ac149c37b",
        ),
        (model("openai", "gpt"), "openai:gpt"),
        (model("openai", "gpt", options={"organization": "o"}), "openai:gpt"),
        (model("openai", "gpt", options={"azure": True, "deployment": "d"}), "openai:gpt/d"),
        (model("mistral", options={"region": ["eu", 1], "a": 2}), "mistral:m#0527a76744e4"),
        (model("mistral", options={"a": 2, "region": ["eu", 1]}), "mistral:m#0527a76744e4"),
        (model("mistral", revision="x"), "mistral:m@x"),
        (model("vllm"), "vllm:m"),
    ],
)
def test_identities_are_those_of_recorded_runs(settings: ModelSettings, identity: str) -> None:
    assert model_identity(settings) == identity


@pytest.mark.parametrize("provider", ["http", "openai", "simulated", "mistral"])
def test_only_simulated_models_are_free_and_need_no_preflight(provider: str) -> None:
    simulated = provider == "simulated"

    assert has_known_price(model(provider)) == simulated
    assert has_known_price(model(provider, price=Price()))
    assert wants_preflight(model(provider)) != simulated


@pytest.mark.parametrize("provider", ["http", "openai", "mistral"])
def test_a_budget_in_money_needs_a_price(provider: str) -> None:
    settings = model(
        provider,
        base_url="http://a/v1",
        api_key_env="KEY",
        budget=BudgetTable(cost_usd=1.0),
    )

    with pytest.raises(SettingsInvalid) as caught:
        check_kind(settings, "models.x")

    assert str(caught.value) == (
        "models.x.budget.cost_usd cannot be enforced: models.x.price is not set "
        "(a free model has price = { input_per_mtok = 0, output_per_mtok = 0 })"
    )


def test_a_simulated_model_has_a_budget_in_money_without_a_price() -> None:
    check_kind(model("simulated", budget=BudgetTable(cost_usd=1.0)), "models.x")


def test_only_a_simulated_model_may_have_an_address_that_is_none() -> None:
    check_kind(model("simulated", base_url="nowhere"), "models.x")

    for provider in ("http", "openai", "mistral", "vllm"):
        with pytest.raises(SettingsInvalid, match=r"^models\.x\.base_url must start with http"):
            check_kind(model(provider, base_url="nowhere"), "models.x")


def test_only_http_needs_an_address() -> None:
    for provider in ("openai", "simulated", "mistral"):
        check_kind(model(provider, api_key_env="KEY"), "models.x")

    with pytest.raises(SettingsInvalid, match=r"^models\.x\.base_url is missing$"):
        check_kind(model("http"), "models.x")


class Unloadable(Mapping[str, OpenAdapter]):
    """Plug-ins whose import fails."""

    def __getitem__(self, name: str) -> OpenAdapter:
        raise ImportError(f"no {name}")

    def __iter__(self) -> Iterator[str]:
        return iter(("mistral", "http", "vllm"))

    def __len__(self) -> int:
        return 3


def test_finding_a_plug_in_does_not_import_it_and_opening_it_does() -> None:
    kind = ProviderKinds(Unloadable()).find("mistral", "models.x")

    with pytest.raises(ImportError, match="no mistral"):
        kind.open(model("mistral"), slots=1, api_key="", headers={})


def test_no_plug_in_takes_the_name_of_a_built_in_or_reserved_kind() -> None:
    kinds = ProviderKinds(Unloadable())

    assert kinds.names == ("http", "openai", "simulated", "mistral")
    for kind in (*BUILT_IN, *RESERVED):
        assert kinds.find(kind.name, "models.x") is kind


def test_a_plug_in_is_opened_with_what_it_needs() -> None:
    given: list[object] = []

    def open_mistral(
        settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
    ) -> AbstractAsyncContextManager[Adapter]:
        given.extend((settings.model, slots, api_key, dict(headers)))
        raise NotImplementedError

    kind = ProviderKinds({"mistral": open_mistral}).find("mistral", "models.x")
    with pytest.raises(NotImplementedError):
        kind.open(model("mistral"), slots=3, api_key="k", headers={"X-A": "b"})

    assert given == ["m", 3, "k", {"X-A": "b"}]


@pytest.mark.parametrize("module", ["hydrometer.cli", "hydrometer.providers.kinds"])
def test_an_import_loads_no_library_of_an_adapter_and_no_word_lists(module: str) -> None:
    heavy = (
        *("aiohttp", "openai"),
        *(
            f"hydrometer.providers.simulation.{name}"
            for name in ("writer_words", "helper_words", "simulated_adapter", "simulated_target")
        ),
    )
    script = f"import sys, {module}; print([name for name in {heavy!r} if name in sys.modules])"

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout == "[]\n"
