"""Virtual time passes in the order of real time, and takes none."""

from __future__ import annotations

import anyio
import pytest

from hydrometer.providers.errors import RateLimited
from hydrometer.providers.settings import ModelSettings
from hydrometer.testing import (
    AdapterOf,
    FakeClock,
    LoopClock,
    ScriptedProvider,
    make_request,
    make_response,
    open_stack,
    opener_of,
    run_in_virtual_time,
)


def test_timers_fire_in_their_order() -> None:
    seen: list[tuple[str, float]] = []

    async def wait(name: str, seconds: float) -> None:
        await anyio.sleep(seconds)
        seen.append((name, LoopClock().now()))

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait, "hour", 3600.0)
            tasks.start_soon(wait, "minute", 60.0)

    run_in_virtual_time(main)

    assert seen == [("minute", 60.0), ("hour", 3600.0)]


def test_a_deadlock_is_an_error() -> None:
    async def main() -> None:
        await anyio.Event().wait()

    with pytest.raises(RuntimeError, match="deadlock in virtual time"):
        run_in_virtual_time(main)


async def test_a_fake_clock_moves_when_somebody_sleeps() -> None:
    clock = FakeClock()

    await clock.sleep(2.5)
    await clock.sleep(0.5)

    assert (clock.now(), clock.slept) == (3.0, [2.5, 0.5])


def test_a_stack_waits_as_long_as_it_is_asked_and_stores_the_answer() -> None:
    provider = ScriptedProvider(RateLimited("own", retry_after_s=90.0), make_response("hi"))
    settings = ModelSettings(provider="own", model="m")

    async def main() -> tuple[float, list[str], list[str]]:
        async with open_stack(settings, opener_of(AdapterOf(provider))) as stack:
            first = await stack.complete(make_request())
            assert await stack.complete(make_request()) == first == make_response("hi")
            sources = [str(call.source) for call in stack.observed.calls]
            return LoopClock().now(), sources, [a.error for a in stack.observed.attempts]

    waited_s, sources, errors = run_in_virtual_time(main)

    assert waited_s >= 90.0
    assert sources == ["sent", "cache"]
    assert errors == ["RateLimited", ""]
    assert len(provider.requests) == 2


async def test_a_store_outlives_its_stack() -> None:
    provider = ScriptedProvider(make_response())
    settings = ModelSettings(provider="own", model="m")

    async with open_stack(settings, opener_of(AdapterOf(provider))) as first:
        await first.complete(make_request())
    async with open_stack(settings, opener_of(AdapterOf(provider)), store=first.store) as second:
        await second.complete(make_request())

    assert len(provider.requests) == 1
    assert second.store.info().entries == 1


async def test_a_built_in_kind_takes_no_adapter() -> None:
    settings = ModelSettings(provider="http", model="m", base_url="http://localhost/v1")

    with pytest.raises(ValueError, match="the provider http is built in"):
        async with open_stack(settings, opener_of(AdapterOf(ScriptedProvider(make_response())))):
            pass


def test_a_script_is_not_empty() -> None:
    with pytest.raises(ValueError, match="at least one response"):
        ScriptedProvider()
