"""What refusals teach of a minute's limit, and what they must not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydrometer.providers.limits.inferred_limit import BURST_REFUSALS, InferredLimit


def refuse(
    inferred: InferredLimit, sent_s: float, now: float, *, admitted: int, asked_s: float = 60.0
) -> bool:
    """Refuse a call of a minute that began at 0; return whether that was of our own making."""
    if not inferred.refused(sent_s, now, asked_s=asked_s, oldest_s=max(0.0, sent_s - 60.0)):
        return False
    return inferred.infer(admitted, now)


def with_limit(rpm: int) -> InferredLimit:
    inferred = InferredLimit()
    for _ in range(BURST_REFUSALS):
        refuse(inferred, 5.0, 5.3, admitted=rpm)
    assert inferred.rpm == rpm
    return inferred


@pytest.mark.parametrize("asked_s", [53.0, 55.0, 56.0, 60.0])
def test_time_until_the_minute_is_over_teaches(asked_s: float) -> None:
    inferred = InferredLimit()

    for _ in range(BURST_REFUSALS):
        refuse(inferred, 5.0, 5.3, admitted=50, asked_s=asked_s)

    assert inferred.rpm == 50


@pytest.mark.parametrize("asked_s", [0.0, 1.0, 30.0, 3600.0])
def test_another_time_teaches_nothing(asked_s: float) -> None:
    inferred = InferredLimit()

    for _ in range(BURST_REFUSALS):
        refuse(inferred, 5.0, 5.3, admitted=50, asked_s=asked_s)

    assert inferred.rpm is None


def test_too_few_refusals_infer_nothing() -> None:
    inferred = InferredLimit()

    for _ in range(BURST_REFUSALS - 1):
        refuse(inferred, 5.0, 5.3, admitted=50)

    assert inferred.rpm is None


def test_refusals_of_several_rounds_are_no_burst() -> None:
    inferred = InferredLimit()

    for number in range(9):
        refuse(inferred, 5.0 + number, 5.3 + number, admitted=50)

    assert inferred.rpm is None


def test_refusals_among_as_many_answers_teach_and_among_more_do_not() -> None:
    inferred = InferredLimit()
    for _ in range(BURST_REFUSALS):
        refuse(inferred, 5.0, 5.3, admitted=50)

    for _ in range(BURST_REFUSALS):
        inferred.answered(5.1)
    half = inferred.rpm
    forgot = inferred.answered(5.2)

    assert (half, forgot, inferred.rpm) == (50, True, None)


def test_what_a_hole_taught_gives_way_to_what_was_known() -> None:
    inferred = with_limit(50)
    for _ in range(BURST_REFUSALS):
        refuse(inferred, 70.0, 70.3, admitted=30)

    for _ in range(BURST_REFUSALS + 1):
        inferred.answered(70.1)

    assert inferred.rpm == 50


def test_answers_from_before_and_after_the_round_say_nothing() -> None:
    inferred = with_limit(50)

    for sent_s in (4.9, 5.4) * 5:
        assert not inferred.answered(sent_s)

    assert inferred.rpm == 50


def test_it_grows_by_more_each_minute_that_it_binds() -> None:
    inferred = with_limit(50)

    grown = [inferred.call_waits(now) for now in (10.0, 66.0, 100.0, 130.0, 200.0)]

    assert grown == [False, True, False, True, True]
    assert inferred.rpm == 50 + 1 + 2 + 4


def test_refusal_takes_the_last_step_back_and_is_ours() -> None:
    inferred = with_limit(50)
    for now in (66.0, 130.0, 200.0):
        inferred.call_waits(now)

    assert refuse(inferred, 210.0, 210.3, admitted=57)
    assert inferred.rpm == 50 + 1 + 2
    inferred.call_waits(300.0)
    assert inferred.rpm == 50 + 1 + 2 + 1


def test_refusal_that_nothing_waited_for_is_not_ours() -> None:
    inferred = with_limit(50)

    assert not refuse(inferred, 210.0, 210.3, admitted=20)
    assert inferred.rpm == 50


@given(times=st.lists(st.floats(0.1, 100), max_size=60))
def test_single_refusals_never_lower_it_below_what_a_burst_inferred(times: list[float]) -> None:
    inferred = with_limit(50)
    now = 100.0
    for gap in times:
        now += gap
        inferred.call_waits(now)
        refuse(inferred, now, now + 0.05, admitted=1)

        assert inferred.rpm is not None
        assert inferred.rpm >= 50
