"""The contract suite fails for adapters that break it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import anyio.lowlevel
import pytest

from hydrometer.providers.base import Adapter, AdapterReply, OpenAdapter
from hydrometer.providers.settings import ModelSettings
from hydrometer.providers.types import Request
from hydrometer.testing import AdapterOf, ScriptedProvider, make_response, opener_of
from hydrometer.testing.adapter_contract import AdapterContract

SETTINGS = ModelSettings(provider="own", model="m")
CONTRACT = AdapterContract()


class WithoutReply:
    async def send(self, request: Request) -> AdapterReply:
        return make_response()  # type: ignore[return-value]  # the fault


class KnowsChatAlone:
    async def send(self, request: Request) -> AdapterReply:
        if request.mode != "chat":
            raise KeyError(request.mode)
        return AdapterReply(response=make_response())


class AnswersEmbeddingsWithWords:
    async def send(self, request: Request) -> AdapterReply:
        return AdapterReply(response=make_response("I am a model."))


class OneAtATime:
    """Breaks for good when a call is cancelled."""

    def __init__(self) -> None:
        self._busy = False

    async def send(self, request: Request) -> AdapterReply:
        if self._busy:
            raise RuntimeError("busy")
        self._busy = True
        await anyio.lowlevel.checkpoint()
        self._busy = False
        return AdapterReply(response=make_response())


@asynccontextmanager
async def open_talkative(
    settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
) -> AsyncIterator[Adapter]:
    class Talkative(AdapterOf):
        def __repr__(self) -> str:
            return f"Talkative({api_key})"

    yield Talkative(ScriptedProvider(make_response()))


@asynccontextmanager
async def open_meddling(
    settings: ModelSettings, *, slots: int, api_key: str, headers: Mapping[str, str]
) -> AsyncIterator[Adapter]:
    settings.options["seen"] = True
    yield AdapterOf(ScriptedProvider(make_response()))


@pytest.mark.parametrize(
    ("adapter", "check"),
    [
        (opener_of(WithoutReply()), CONTRACT.test_answer_can_be_stored_and_read_again),
        (opener_of(OneAtATime()), CONTRACT.test_every_slot_takes_a_call),
        (opener_of(OneAtATime()), CONTRACT.test_call_after_a_cancelled_one_is_answered),
        (open_talkative, CONTRACT.test_key_is_not_shown),
        (open_meddling, CONTRACT.test_settings_are_left_as_they_are),
    ],
)
async def test_a_broken_adapter_fails(adapter: OpenAdapter, check: Callable[..., object]) -> None:
    with pytest.raises((AssertionError, RuntimeError, ExceptionGroup)):
        await check(adapter, SETTINGS)  # type: ignore[misc]


@pytest.mark.parametrize("adapter", [KnowsChatAlone(), AnswersEmbeddingsWithWords()])
async def test_an_adapter_that_cannot_refuse_a_mode_fails(adapter: Adapter) -> None:
    with pytest.raises((KeyError, ValueError)):
        await CONTRACT.test_each_mode_is_answered_or_refused_with_a_provider_error(
            opener_of(adapter), SETTINGS, "embedding"
        )


def imported_by(code: str) -> set[str]:
    program = f"import sys; {code}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_pytest_is_needed_by_the_contract_suites_alone() -> None:
    loaded = imported_by("import hydrometer.testing, hydrometer.testing.hostile_endpoint")

    assert "hydrometer.testing.strategy_checks" in loaded
    assert "pytest" not in loaded


def test_the_library_does_not_load_the_tools_for_tests() -> None:
    loaded = imported_by("import hydrometer; hydrometer.run")

    assert "hydrometer.commands.api" in loaded
    assert not [name for name in loaded if name.startswith("hydrometer.testing")]
