"""How many calls may be in flight: up a little with each answer, down by half with each round."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydrometer.providers.limits.aimd import Concurrency


def test_it_starts_with_every_slot() -> None:
    assert Concurrency(7).limit == 7


def test_refusal_halves_it() -> None:
    concurrency = Concurrency(64)

    limits = []
    for number in range(8):
        concurrency.refused(number, number + 1)
        limits.append(concurrency.limit)

    assert limits == [32, 16, 8, 4, 2, 1, 1, 1]
    assert concurrency.decreases == 8


def test_round_of_calls_decreases_once() -> None:
    concurrency = Concurrency(64)

    cut = [concurrency.refused(number, 64) for number in range(64)]

    assert cut == [True] + [False] * 63
    assert concurrency.limit == 32
    assert concurrency.refused(64, 96)
    assert concurrency.limit == 16


def test_refusal_that_asks_for_no_time_is_forgiven_among_many_answers() -> None:
    concurrency = Concurrency(64)
    for _ in range(25):
        concurrency.answered()

    cut = [concurrency.refused(25 + number, 26 + number, asked=False) for number in range(4)]

    assert cut == [False, False, True, True]


def test_refusal_that_asks_for_a_time_is_not_forgiven() -> None:
    concurrency = Concurrency(64)
    for _ in range(100):
        concurrency.answered()

    assert concurrency.refused(100, 101)


def test_no_more_is_forgiven_than_there_are_slots() -> None:
    concurrency = Concurrency(20)
    for _ in range(1000):
        concurrency.answered()

    cut = [concurrency.refused(number, number + 1, asked=False) for number in range(4)]

    assert cut == [False, False, True, True]


def test_as_many_answers_as_it_allows_add_one() -> None:
    concurrency = Concurrency(64)
    concurrency.refused(0, 1)

    answers = 0
    while concurrency.limit < 33:
        concurrency.answered()
        answers += 1

    assert answers == pytest.approx(32, abs=1)


@given(slots=st.integers(1, 300), news=st.lists(st.booleans(), max_size=300))
def test_it_stays_between_one_and_the_slots(slots: int, news: list[bool]) -> None:
    concurrency = Concurrency(slots)
    for number, answered in enumerate(news):
        before = concurrency.limit
        if answered:
            concurrency.answered()
            assert before <= concurrency.limit <= min(slots, before + 1)
        else:
            concurrency.refused(number, number + 1)
            assert concurrency.limit >= max(1, before // 2)
            assert concurrency.limit < before or before == 1

    assert 1 <= concurrency.limit <= slots


@given(slots=st.integers(1, 100))
def test_enough_answers_bring_every_slot_back(slots: int) -> None:
    concurrency = Concurrency(slots)
    for number in range(10):
        concurrency.refused(number, number + 1)

    for _ in range(slots * slots):
        concurrency.answered()

    assert concurrency.limit == slots
