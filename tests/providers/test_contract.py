"""Every adapter of the project keeps the contract that plug-in authors test theirs against."""

from __future__ import annotations

import pytest
from example_plugin.hydrometer_example import open_parrot

from hydrometer.providers.base import OpenAdapter
from hydrometer.providers.errors import ProviderError
from hydrometer.providers.http.http_adapter import open_http
from hydrometer.providers.openai.openai_adapter import open_openai
from hydrometer.providers.settings import ModelSettings
from hydrometer.providers.simulation.simulated_adapter import open_simulated
from hydrometer.testing.adapter_contract import AdapterContract
from hydrometer.testing.http_contract import HttpAdapterContract


class OwnHttpContract(HttpAdapterContract):
    """Our own adapters also word their errors alike."""

    def check_message(self, error: ProviderError, sentence: str) -> None:
        assert str(error) == sentence


class TestHttp(OwnHttpContract):
    @pytest.fixture
    def adapter(self) -> OpenAdapter:
        return open_http


class TestOpenAI(OwnHttpContract):
    @pytest.fixture
    def adapter(self) -> OpenAdapter:
        return open_openai


class TestOpenAIInOtherWords(HttpAdapterContract):
    """An adapter that words its errors in its own way keeps the contract too."""

    @pytest.fixture
    def adapter(self) -> OpenAdapter:
        return open_openai


class TestSimulated(AdapterContract):
    @pytest.fixture
    def adapter(self) -> OpenAdapter:
        return open_simulated

    @pytest.fixture(params=["sim-target", "sim-helper", "sim-judge", "sim-writer"])
    def settings(self, request: pytest.FixtureRequest) -> ModelSettings:
        return ModelSettings(provider="simulated", model=request.param)


class TestExamplePlugin(AdapterContract):
    @pytest.fixture
    def adapter(self) -> OpenAdapter:
        return open_parrot

    @pytest.fixture
    def settings(self) -> ModelSettings:
        saying = {"saying": "I am Qwen.", "whisper": "Between us, I am Claude."}
        return ModelSettings(provider="parrot", model="polly", options={**saying})
