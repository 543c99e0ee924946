"""What a user may write for the openai provider, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from hydrometer.providers.base import Adapter
from hydrometer.providers.errors import SettingsInvalid
from hydrometer.providers.kinds import ProviderKinds, check_kind
from hydrometer.providers.openai.openai_options import OpenAIOptions, WorkloadIdentity
from hydrometer.providers.options import parse_options
from hydrometer.providers.settings import EndpointSettings, ModelSettings

URL = "https://name.openai.azure.com"
AZURE = {"azure": True, "api_version": "2024-10-21"}
WORKLOAD = {"identity_provider_id": "idp", "service_account_id": "sa"}


def model(provider: str = "openai", **settings: Any) -> ModelSettings:
    return ModelSettings(provider=provider, model="gpt", **settings)


def open_mistral(
    settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
) -> AbstractAsyncContextManager[Adapter]:
    raise AssertionError("no test here opens an adapter")


def kinds() -> ProviderKinds:
    return ProviderKinds({"mistral": open_mistral})


def check(settings: ModelSettings) -> None:
    settings.check("models.x")
    check_kind(settings, "models.x")


def why_invalid(settings: ModelSettings) -> str:
    with pytest.raises(SettingsInvalid) as caught:
        check(settings)
    return str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        model(api_key_env="KEY"),
        model(headers={"Authorization": "env:KEY"}),
        model(base_url="http://localhost:8000/v1"),
        model(endpoints=(EndpointSettings(base_url=URL, api_key_env="KEY"),), options=AZURE),
        model(base_url=URL, api_key_env="KEY", options=AZURE | {"deployment": "d"}),
        model(base_url=URL, api_key_env="KEY", options=AZURE | {"entra_token": True}),
        model(base_url=URL, options=AZURE | {"entra": True, "entra_scope": "s"}),
        model(base_url=f"{URL}/openai/v1", options={"entra": True}),
        model(options={"workload": WORKLOAD}),
        model(options={"workload": WORKLOAD | {"token_file": "/token"}}),
        model("mistral", options={"region": ["eu", 1]}),
    ],
)
def test_options_that_fit(settings: ModelSettings) -> None:
    check(settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "api_key_env is missing: OpenAI needs a key"),
        ({"base_url": URL, "options": AZURE}, "api_key_env is missing: Azure needs a key"),
        (
            {"api_key_env": "KEY", "options": AZURE},
            "base_url is missing: options.azure needs it",
        ),
        (
            {"base_url": URL, "api_key_env": "KEY", "options": {"azure": True}},
            "options.api_version is missing",
        ),
        (
            {"base_url": f"{URL}/openai", "api_key_env": "KEY", "options": AZURE},
            "base_url must be the address of the Azure resource alone, without /openai",
        ),
        ({"options": {"entra": True}}, "base_url is missing: options.entra needs it"),
        (
            {"options": {"api_version": "2024-10-21"}},
            "options.api_version needs azure = true",
        ),
        ({"options": {"deployment": "d"}}, "options.deployment needs azure = true"),
        ({"options": {"entra_token": True}}, "options.entra_token needs azure = true"),
        ({"options": {"entra_scope": "s"}}, "options.entra_scope needs entra = true"),
        (
            {"base_url": URL, "options": AZURE | {"entra_token": True}},
            "api_key_env is missing: options.entra_token needs it",
        ),
        ({"options": {"project": "é"}}, "options.project must be printable ASCII"),
        (
            {"options": AZURE | {"workload": WORKLOAD}},
            "options.workload cannot be used with azure = true",
        ),
        (
            {"options": {"workload": WORKLOAD | {"subject": "aws"}}},
            "options.workload.subject must be one of kubernetes, azure, gcp",
        ),
        (
            {"options": {"workload": WORKLOAD | {"subject": "gcp", "token_file": "/t"}}},
            'options.workload.token_file needs subject = "kubernetes"',
        ),
        (
            {"options": {"workload": {"service_account_id": "sa"}}},
            "options.workload.identity_provider_id is missing",
        ),
        ({"options": {"entra": "yes"}}, "options.entra: expected bool, got str"),
        (
            {"options": {"api_verson": "1"}},
            "options.api_verson: unknown option; did you mean api_version?",
        ),
        (
            {"options": {"workload": WORKLOAD | {"token": "planted"}}},
            "options.workload.token: unknown option; did you mean token_file?",
        ),
    ],
)
def test_options_that_do_not_fit(settings: dict[str, Any], message: str) -> None:
    assert why_invalid(model(**settings)) == f"models.x.{message}"


def test_ways_to_prove_who_calls_exclude_each_other() -> None:
    settings = model(base_url=URL, api_key_env="KEY", options={"entra": True})

    assert why_invalid(settings) == (
        "models.x has both api_key_env and options.entra: write one of them"
    )


@pytest.mark.parametrize("provider", ["http", "vllm"])
def test_other_built_in_providers_have_no_options(provider: str) -> None:
    settings = model(provider, base_url="http://localhost/v1", options={"azure": True})

    assert why_invalid(settings) == f"models.x.options: provider {provider} has no options"


def test_address_of_a_plug_in_is_checked_where_it_is_given() -> None:
    check_kind(model("mistral"), "models.x")

    assert why_invalid(model("mistral", base_url="localhost")) == (
        "models.x.base_url must start with http:// or https://"
    )


def test_unknown_option_without_a_likeness_lists_those_that_are_known() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        parse_options({"zzz": 1}, WorkloadIdentity, "options")

    assert str(caught.value) == (
        "options.zzz: unknown option; "
        "known: identity_provider_id, service_account_id, subject, token_file"
    )


def test_options_become_values() -> None:
    assert parse_options({"workload": WORKLOAD}, OpenAIOptions, "options") == OpenAIOptions(
        workload=WorkloadIdentity(identity_provider_id="idp", service_account_id="sa")
    )


@pytest.mark.parametrize(
    ("provider", "why"),
    [
        ("htp", "unknown provider htp; did you mean http?"),
        ("mistrl", "unknown provider mistrl; did you mean mistral?"),
        ("zzz", "unknown provider zzz; known: http, openai, simulated, mistral"),
        ("vlm", "unknown provider vlm; known: http, openai, simulated, mistral"),
    ],
)
def test_provider_that_nobody_knows(provider: str, why: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        kinds().find(provider, "models.x")

    assert str(caught.value) == f"models.x.provider: {why}"


@pytest.mark.parametrize("provider", ["http", "openai", "vllm", "simulated", "mistral"])
def test_provider_that_is_known(provider: str) -> None:
    kinds().find(provider, "models.x")


@pytest.mark.parametrize("blank", [" ", "\t", "\n", "\x00"])
def test_an_address_holds_no_blank(blank: str) -> None:
    for url in (f"http://a.test/{blank}v1", f"http://a.test/v1{blank}"):
        with pytest.raises(SettingsInvalid) as caught:
            check(ModelSettings(provider="http", model="m", base_url=url))

        assert str(caught.value) == (
            "models.x.base_url holds a blank or a control character (not shown)"
        )
