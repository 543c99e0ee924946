"""The sliding window: never more than allowed in any minute, and no longer a wait than needed."""

from __future__ import annotations

import anyio
import pytest
from fakes import FakeClock, ScriptedProvider, make_request, make_response
from hydrometer.providers.limit import Limited
from hydrometer.providers.rate import (
    WINDOW_S,
    RateWindow,
    estimate_tokens,
    estimate_usage,
)
from hydrometer.providers.types import Message, Request, Response, Sampling, Usage
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.anyio

GAPS = st.floats(0, 40) | st.just(0.0)
CALLS = st.lists(st.tuples(GAPS, st.integers(0, 150)), max_size=60)
LIMITS = st.none() | st.integers(1, 8)
TOKEN_LIMITS = st.none() | st.integers(1, 300)


def send_all(
    window: RateWindow, calls: list[tuple[float, int]], start: float
) -> list[tuple[float, int]]:
    """Send *calls* one after the other, each a gap after the one before; return when."""
    clock = FakeClock()
    clock.time = start
    sent = []
    for gap, tokens in calls:
        clock.time += gap
        while wait := window.wait_s(clock.now(), tokens):
            clock.time += wait
        window.record(clock.now(), tokens)
        sent.append((clock.now(), tokens))
    return sent


@given(calls=CALLS, rpm=LIMITS, tpm=TOKEN_LIMITS, start=st.floats(0, 1e7))
def test_no_window_of_a_minute_holds_more_than_allowed(
    calls: list[tuple[float, int]], rpm: int | None, tpm: int | None, start: float
) -> None:
    sent = send_all(RateWindow(rpm=rpm, tpm=tpm), calls, start)

    for at_s, _ in sent:
        held = [tokens for when, tokens in sent if 0 <= at_s - when < WINDOW_S]
        assert rpm is None or len(held) <= rpm
        assert tpm is None or sum(min(tokens, tpm) for tokens in held) <= tpm


@given(calls=CALLS, rpm=LIMITS, tpm=TOKEN_LIMITS)
def test_a_call_waits_no_longer_than_it_has_to(
    calls: list[tuple[float, int]], rpm: int | None, tpm: int | None
) -> None:
    window = RateWindow(rpm=rpm, tpm=tpm)
    now = 0.0
    sent: list[tuple[float, int]] = []
    for gap, tokens in calls:
        now += gap
        wait = window.wait_s(now, tokens)
        if wait:
            # Just before the end of the wait there was no room: that is what it waited for.
            early = now + wait - 0.01
            held = [held for when, held in sent if early - when < WINDOW_S]
            full = rpm is not None and len(held) >= rpm
            heavy = tpm is not None and sum(held) + min(tokens, tpm) > tpm
            assert full or heavy
        now += wait
        window.record(now, tokens)
        sent.append((now, tokens if tpm is None else min(tokens, tpm)))


@given(
    calls=st.lists(st.tuples(GAPS, st.integers(0, 150), st.integers(0, 400)), max_size=40),
    tpm=st.integers(1, 300),
)
def test_reported_usage_replaces_the_estimate(
    calls: list[tuple[float, int, int]], tpm: int
) -> None:
    window = RateWindow(rpm=None, tpm=tpm)
    now = 0.0
    sent: list[tuple[float, int]] = []
    for gap, estimate, reported in calls:
        now += gap
        while wait := window.wait_s(now, estimate):
            now += wait
        held = sum(tokens for when, tokens in sent if now - when < WINDOW_S)
        assert held + min(estimate, tpm) <= tpm
        window.correct(window.record(now, estimate), reported)
        sent.append((now, reported))


def test_correction_that_comes_after_the_minute_changes_nothing() -> None:
    window = RateWindow(rpm=None, tpm=10)
    late = window.record(0.0, 10)
    assert window.wait_s(60.0, 10) == 0.0
    window.record(60.0, 10)

    window.correct(late, 0)

    assert window.wait_s(61.0, 1) == pytest.approx(59.0, abs=0.01)


def test_call_larger_than_the_limit_waits_for_an_empty_window() -> None:
    window = RateWindow(rpm=None, tpm=10)
    assert window.wait_s(0.0, 500) == 0.0
    window.record(0.0, 500)

    assert window.wait_s(1.0, 1) == pytest.approx(59.0, abs=0.01)
    assert window.wait_s(60.0, 500) == 0.0


def test_without_limits_nothing_waits() -> None:
    window = RateWindow(rpm=None, tpm=None)

    assert send_all(window, [(0.0, 10**9)] * 5, 0.0) == [(0.0, 10**9)] * 5


def test_estimate_counts_characters_and_the_longest_answer() -> None:
    request = Request(
        identity="test",
        messages=(Message(role="system", content="x" * 6), Message(role="user", content="y")),
        sampling=Sampling(max_tokens=100),
    )

    assert estimate_tokens(request) == 2 + 100
    assert estimate_tokens(Request(identity="test", messages=request.messages)) == 2 + 512
    assert estimate_usage(request, Response(text="x" * 7, reasoning="y" * 7)) == Usage(
        input_tokens=2, output_tokens=4
    )


async def test_calls_pass_the_window_in_the_order_they_came() -> None:
    clock = FakeClock()
    inner = ScriptedProvider(make_response())
    limited = Limited(inner, slots=8, rpm=2, clock=clock, pool="qwen")

    async with anyio.create_task_group() as group:
        for draw in range(6):
            group.start_soon(limited.complete, make_request(draw=draw))

    assert [request.draw for request in inner.requests] == [0, 1, 2, 3, 4, 5]
    assert clock.time == pytest.approx(120.0, abs=0.01)
    assert len(clock.slept) == 2
