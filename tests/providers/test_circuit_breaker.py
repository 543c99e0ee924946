"""Every transition of the breaker, and the calls that come too late to matter."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydrometer.providers.limits.circuit_breaker import Breaker


def opened(*, at_s: float = 0.0) -> Breaker:
    breaker = Breaker(failures=3, open_s=5.0, longest_open_s=30.0)
    for _ in range(3):
        breaker.failed(breaker.begin(), at_s)
    assert breaker.state(at_s) == "open"
    return breaker


def test_closed_stays_closed_while_answers_come_between_failures() -> None:
    breaker = Breaker(failures=3)

    for _ in range(9):
        breaker.failed(breaker.begin(), 0.0)
        breaker.failed(breaker.begin(), 0.0)
        breaker.answered(breaker.begin())

    assert breaker.state(0.0) == "closed"
    assert breaker.wait_s(0.0) == 0.0


def test_closed_opens_after_failures_in_a_row() -> None:
    breaker = Breaker(failures=3, open_s=5.0)

    states = []
    for _ in range(3):
        breaker.failed(breaker.begin(), 1.0)
        states.append(breaker.state(1.0))

    assert states == ["closed", "closed", "open"]
    assert breaker.wait_s(2.0) == 4.0


def test_open_is_half_open_after_a_while() -> None:
    breaker = opened()

    assert [breaker.state(at_s) for at_s in (4.9, 5.0)] == ["open", "half-open"]
    assert breaker.wait_s(5.0) == 0.0


def test_half_open_lets_one_call_go() -> None:
    breaker = opened()

    breaker.begin()

    assert breaker.state(6.0) == "half-open"
    assert breaker.wait_s(6.0) == math.inf


def test_half_open_closes_when_its_probe_is_answered() -> None:
    breaker = opened()

    breaker.answered(breaker.begin())
    answered = breaker.state(6.0)
    breaker.failed(breaker.begin(), 6.0)

    assert answered == "closed"
    assert breaker.state(6.0) == "closed"  # and it has forgotten


def test_half_open_opens_for_twice_as_long_when_its_probe_fails() -> None:
    breaker = opened()

    now, waits = 0.0, []
    for _ in range(5):
        waits.append(breaker.wait_s(now))
        now += waits[-1]
        breaker.failed(breaker.begin(), now)
        assert breaker.state(now) == "open"

    assert waits == [5.0, 10.0, 20.0, 30.0, 30.0]


def test_breaker_that_was_closed_opens_for_the_first_time_again() -> None:
    breaker = opened()
    breaker.failed(breaker.begin(), 5.0)
    breaker.answered(breaker.begin())

    for _ in range(3):
        breaker.failed(breaker.begin(), 100.0)

    assert breaker.wait_s(100.0) == 5.0


def test_half_open_whose_probe_tells_nothing_lets_the_next_call_go() -> None:
    breaker = opened()

    breaker.dropped(breaker.begin())

    assert breaker.wait_s(6.0) == 0.0


def test_call_from_before_it_opened_tells_nothing() -> None:
    breaker = Breaker(failures=3, open_s=5.0)
    rounds = [breaker.begin() for _ in range(8)]
    for round_ in rounds[:3]:
        breaker.failed(round_, 0.0)

    breaker.answered(rounds[3])
    for round_ in rounds[4:7]:
        breaker.failed(round_, 4.0)
    breaker.dropped(rounds[7])

    assert breaker.wait_s(4.0) == 1.0  # as long as before, not opened anew


def test_call_from_before_does_not_end_the_probe() -> None:
    breaker = Breaker(failures=3, open_s=5.0)
    old = [breaker.begin() for _ in range(5)]
    for round_ in old[:3]:
        breaker.failed(round_, 0.0)
    breaker.begin()

    breaker.dropped(old[3])
    breaker.failed(old[4], 6.0)

    assert breaker.wait_s(6.0) == math.inf


@given(
    news=st.lists(
        st.tuples(st.sampled_from(["answered", "failed", "dropped"]), st.floats(0, 40)),
        max_size=60,
    )
)
def test_no_call_waits_for_ever_and_one_at_a_time_goes_while_it_is_not_closed(
    news: list[tuple[str, float]],
) -> None:
    breaker = Breaker(failures=2, open_s=5.0, longest_open_s=30.0)
    now = 0.0
    for what, gap in news:
        now += gap
        now += breaker.wait_s(now)
        assert breaker.wait_s(now) == pytest.approx(0.0, abs=1e-6)
        round_ = breaker.begin()
        if breaker.state(now) != "closed":
            assert breaker.wait_s(now) == math.inf
        if what == "answered":
            breaker.answered(round_)
            assert breaker.state(now) == "closed"
        elif what == "failed":
            breaker.failed(round_, now)
        else:
            breaker.dropped(round_)
        assert breaker.wait_s(now) <= 30.0 + 1e-6
