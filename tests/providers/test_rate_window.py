"""The sliding window: never more than allowed in any minute, and no longer a wait than needed."""

from __future__ import annotations

import itertools

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydrometer.providers.limits.limiter import Limited
from hydrometer.providers.limits.rate_window import (
    CATCH_UP_S,
    JITTER_S,
    TICK_S,
    WINDOW_S,
    RateWindow,
)
from hydrometer.providers.tokens import estimate_need, estimate_usage
from hydrometer.providers.types import Message, Request, Response, Sampling, Usage
from hydrometer.testing import AdapterOf, FakeClock, ScriptedProvider, make_request, make_response

pytestmark = pytest.mark.anyio

GAPS = st.floats(0, 40) | st.just(0.0) | st.floats(0, 0.02)
CALLS = st.lists(st.tuples(GAPS, st.integers(1, 150)), max_size=60)
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


@given(
    calls=CALLS,
    rpm=st.integers(1, 8),
    delays=st.lists(st.floats(0, JITTER_S, exclude_max=True), min_size=60, max_size=60),
)
def test_calls_that_take_differently_long_arrive_within_the_limit(
    calls: list[tuple[float, int]], rpm: int, delays: list[float]
) -> None:
    sent = send_all(RateWindow(rpm=rpm, tpm=None), calls, 0.0)
    arrived = [at_s + delay for (at_s, _), delay in zip(sent, delays, strict=False)]

    for at_s in arrived:
        assert sum(0 <= at_s - when < 60.0 for when in arrived) <= rpm


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
        if wait > 2 * TICK_S:
            # Just before the end of the wait there was no room: that is what it waited for.
            early = now + wait - 2 * TICK_S
            held = [held for when, held in sent if early - when < WINDOW_S]
            full = rpm is not None and len(held) >= rpm
            heavy = tpm is not None and sum(held) + min(tokens, tpm) > tpm
            assert full or heavy
        now += wait
        window.record(now, tokens)
        sent.append((now, tokens))


@given(
    calls=st.lists(st.tuples(GAPS, st.integers(1, 150), st.integers(0, 400)), max_size=40),
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
        window.on_answer(window.record(now, estimate), estimate, reported)
        sent.append((now, reported))


def test_correction_that_comes_after_the_minute_changes_nothing() -> None:
    window = RateWindow(rpm=None, tpm=10)
    late = window.record(0.0, 10)
    assert window.wait_s(61.0, 10) == 0.0
    window.record(61.0, 10)

    window.on_answer(late, 10, 0)

    assert window.wait_s(62.0, 1) == pytest.approx(60.0, abs=0.01)


def test_call_larger_than_the_limit_waits_for_an_empty_window() -> None:
    window = RateWindow(rpm=None, tpm=10)
    assert window.wait_s(0.0, 500) == 0.0
    window.record(0.0, 500)

    assert window.wait_s(1.0, 1) == pytest.approx(60.0, abs=0.01)
    assert window.wait_s(61.0, 500) == 0.0


def test_without_limits_nothing_waits() -> None:
    window = RateWindow(rpm=None, tpm=None)

    assert send_all(window, [(0.0, 10**9)] * 5, 0.0) == [(0.0, 10**9)] * 5


def test_window_tells_how_many_calls_the_last_minute_had() -> None:
    window = RateWindow(rpm=None, tpm=None)
    for at_s in (0.0, 0.001, 30.0, 60.0):
        window.record(at_s, 1)

    assert [window.sent(60.5), window.sent(100.0)] == [2, 1]


@pytest.mark.parametrize(
    ("configured_rpm", "advertised_rpm", "narrowest"),
    [(None, 7, 7), (5, 7, 5), (9, 7, 7), (9, None, 9)],
)
def test_narrowest_limit_counts(
    configured_rpm: int | None, advertised_rpm: int | None, narrowest: int
) -> None:
    window = RateWindow(rpm=configured_rpm, tpm=configured_rpm)

    window.set_advertised(rpm=advertised_rpm, tpm=advertised_rpm)

    assert (window.rpm, window.tpm) == (narrowest, narrowest)


def test_advertised_limit_counts_the_calls_before_it() -> None:
    window = RateWindow(rpm=None, tpm=None)
    for at_s in (0.0, 1.0):
        window.record(at_s, 1)

    window.set_advertised(rpm=2, tpm=None)

    assert window.wait_s(2.0, 1) == pytest.approx(59.0, abs=0.01)


def test_advertised_limit_wider_again_is_wider_again() -> None:
    window = RateWindow(rpm=None, tpm=None)
    window.set_advertised(rpm=2, tpm=20)

    window.set_advertised(rpm=4, tpm=40)

    assert (window.rpm, window.tpm) == (4, 40)


def test_refusals_of_a_used_up_minute_teach_its_limit() -> None:
    window = RateWindow(rpm=None, tpm=None)
    ticks = [window.record(number / 10, 1) for number in range(60)]

    ours = [window.on_refusal(tick, 6.0, 54.0) for tick in ticks[40:]]

    assert window.rpm == 40
    assert not any(ours)
    assert window.wait_s(6.0, 1) == pytest.approx(57.0, abs=0.01)


def test_inferred_limit_is_withdrawn_when_later_calls_were_answered() -> None:
    window = RateWindow(rpm=None, tpm=None)
    ticks = [window.record(number / 10, 1) for number in range(60)]
    for tick in ticks[40:44]:
        window.on_refusal(tick, 6.0, 54.0)
    inferred = window.rpm

    for tick in ticks[44:49]:
        window.on_answer(tick, 1, 1)

    assert (inferred, window.rpm) == (40, None)


def test_inferred_limit_grows_while_it_binds_and_nothing_is_refused() -> None:
    window = RateWindow(rpm=None, tpm=None)
    ticks = [window.record(number / 10, 1) for number in range(8)]
    for tick in ticks[5:]:
        window.on_refusal(tick, 0.8, 60.0)
    now, limits = 0.8, [window.rpm]

    for _ in range(400):
        while wait := window.wait_s(now, 1):
            now += wait
        window.record(now, 1)
        if window.rpm != limits[-1]:
            limits.append(window.rpm)

    assert limits[:6] == [5, 6, 8, 12, 20, 36]


def test_endpoint_that_refuses_while_its_minute_has_room_is_called_evenly() -> None:
    window = RateWindow(rpm=61, tpm=None)
    window.on_refusal(window.record(0.0, 1), 0.5, 1.0)

    sent = send_all(window, [(0.0, 1)] * 5, 1.0)

    gaps = [later - earlier for (earlier, _), (later, _) in itertools.pairwise(sent)]
    assert gaps[0] == pytest.approx(1.0 - CATCH_UP_S, abs=0.01)
    assert gaps[1:] == pytest.approx([1.0] * 3, abs=0.01)


def test_endpoint_that_has_nothing_left_while_its_minute_has_room_is_called_evenly() -> None:
    window = RateWindow(rpm=61, tpm=None)
    window.record(0.0, 1)

    assert window.on_exhausted(requests=True, tokens=False)
    assert window.wait_s(0.5, 1) == 0.0
    window.record(0.5, 1)
    assert window.wait_s(0.5, 1) == pytest.approx(1.0 - CATCH_UP_S, abs=0.01)


def test_endpoint_whose_minute_is_used_up_is_expected() -> None:
    window = RateWindow(rpm=10, tpm=100)
    for _ in range(9):
        window.record(0.0, 10)

    assert not window.on_exhausted(requests=True, tokens=True)
    assert window.wait_s(0.0, 1) == 0.0


def test_limit_that_the_user_set_does_not_grow() -> None:
    window = RateWindow(rpm=2, tpm=None)
    send_all(window, [(0.0, 1)] * 9, 0.0)

    assert window.rpm == 2


def test_need_counts_characters_and_the_longest_answer() -> None:
    request = Request(
        identity="test",
        messages=(Message(role="system", content="x" * 6), Message(role="user", content="y")),
        sampling=Sampling(max_tokens=100),
    )

    assert estimate_need(request) == Usage(input_tokens=2, output_tokens=100)
    assert estimate_need(Request(identity="test", messages=request.messages)) == Usage(
        input_tokens=2, output_tokens=512
    )
    assert estimate_usage(request, Response(text="x" * 7, reasoning="y" * 7)) == Usage(
        input_tokens=2, output_tokens=4
    )


async def test_calls_pass_the_window_in_the_order_they_came() -> None:
    clock = FakeClock()
    inner = ScriptedProvider(make_response())
    limited = Limited(AdapterOf(inner), slots=8, rpm=2, clock=clock, pool="qwen")

    async with anyio.create_task_group() as group:
        for draw in range(6):
            group.start_soon(limited.complete, make_request(draw=draw))

    assert [request.draw for request in inner.requests] == [0, 1, 2, 3, 4, 5]
    assert clock.time == pytest.approx(122.0, abs=0.01)
    assert len(clock.slept) == 2
