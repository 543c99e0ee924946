"""The values of response similarity, and the arithmetic on one prompt's gradings."""

from __future__ import annotations

import math
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydrometer.strategies.similarity.similarity_types import (
    ByAspect,
    Combined,
    ComparedRow,
    Grades,
    Grading,
    Order,
    OrderedGrading,
    Pairing,
    PromptSet,
    PromptTurns,
    Unreadable,
    Weights,
    combine,
    overall,
)

R: Order = "reference-first"
T: Order = "target-first"
BAD = Unreadable(reason="no grades")


def graded(style: int, logic: int = 3, content: int = 3) -> Grades:
    return Grades(style=float(style), logic=float(logic), content=float(content))


def drawn(order: Order, *gradings: Grading | None) -> list[OrderedGrading]:
    return [
        OrderedGrading(order=order, draw=draw, grading=grading)
        for draw, grading in enumerate(gradings)
    ]


def test_draws_are_averaged_within_each_order_and_then_the_orders() -> None:
    gradings = [*drawn(R, graded(5, 4, 1), graded(4, 4, 2)), *drawn(T, graded(2, 4, 5))]

    assert combine(gradings) == Combined(
        means=ByAspect(style=3.25, logic=4.0, content=3.25),
        order_effect=ByAspect(style=-2.5, logic=0.0, content=3.5),
        orders=(R, T),
        readable=3,
        unreadable=0,
        failed=0,
    )


def test_draws_that_failed_in_one_order_do_not_tilt_the_mean() -> None:
    gradings = [*drawn(R, graded(5), None, BAD, None), *drawn(T, *[graded(1)] * 4)]

    combined = combine(gradings)

    assert combined.means == ByAspect(style=3.0, logic=3.0, content=3.0)
    assert (combined.readable, combined.unreadable, combined.failed) == (5, 1, 2)


def test_one_order_alone_has_no_order_effect_and_says_so() -> None:
    combined = combine([*drawn(T, graded(4)), *drawn(R, BAD, None)])

    assert combined.means == ByAspect(style=4.0, logic=3.0, content=3.0)
    assert combined.order_effect is None
    assert combined.orders == (T,)


@pytest.mark.parametrize("gradings", [[], drawn(R, None), drawn(R, BAD) + drawn(T, None, BAD)])
def test_without_a_readable_grading_there_is_no_mean(gradings: list[OrderedGrading]) -> None:
    combined = combine(gradings)

    assert (combined.means, combined.order_effect, combined.orders) == (None, None, ())
    assert combined.unreadable + combined.failed == len(gradings)


def test_the_sequence_of_gradings_does_not_matter() -> None:
    rng = Random("gradings")
    gradings = [
        OrderedGrading(
            order=order,
            draw=draw,
            grading=Grades(style=1 + 4 * rng.random(), logic=1.1, content=4.7, weighted=True),
        )
        for order in (R, T)
        for draw in range(20)
    ]
    shuffled = rng.sample(gradings, len(gradings))

    assert combine(shuffled) == combine(gradings)


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (Weights(), 3.0),
        (Weights(style=7.0, logic=7.0, content=7.0), 3.0),
        (Weights(style=2.0, logic=1.0, content=1.0), 2.5),
        (Weights(style=0.0, logic=0.0, content=0.1), 5.0),
        (Weights(style=1e308, logic=1e308, content=1e308), 3.0),
        (Weights(style=5e-324, logic=0.0, content=5e-324), 3.0),
    ],
)
def test_overall_is_the_weighted_mean(weights: Weights, expected: float) -> None:
    assert overall(ByAspect(style=1.0, logic=3.0, content=5.0), weights) == pytest.approx(expected)


@given(*[st.floats(1, 5)] * 3, *[st.floats(0, 1e300)] * 3)
def test_overall_lies_between_its_aspects(
    style: float, logic: float, content: float, first: float, second: float, third: float
) -> None:
    means = ByAspect(style=style, logic=logic, content=content)

    score = overall(means, Weights(style=first, logic=second, content=third + 1.0))

    assert min(style, logic, content) - 1e-9 <= score <= max(style, logic, content) + 1e-9


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((0.0, 0.0, 0.0), "weights must not all be 0"),
        ((-1.0, 1.0, 1.0), "weights.style must be finite and at least 0, got -1.0"),
        ((1.0, math.nan, 1.0), "weights.logic must be finite and at least 0, got nan"),
        ((1.0, 1.0, math.inf), "weights.content must be finite and at least 0, got inf"),
    ],
)
def test_weights_that_weigh_nothing_are_refused(
    values: tuple[float, float, float], message: str
) -> None:
    style, logic, content = values

    with pytest.raises(ValueError, match="weights") as refused:
        Weights(style=style, logic=logic, content=content)

    assert str(refused.value) == message


def test_weights_come_from_whole_numbers_of_a_config_too() -> None:
    weights = msgspec.convert({"style": 1, "logic": 2, "content": 0}, Weights)

    assert weights == Weights(style=1.0, logic=2.0, content=0.0)
    assert type(weights.logic) is float


def test_a_misspelt_weight_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="tone"):
        msgspec.convert({"tone": 1}, Weights)


@pytest.mark.parametrize("grade", [0.0, 0.999, 5.001, -3.0, math.nan, math.inf])
def test_a_grade_outside_one_to_five_is_refused(grade: float) -> None:
    with pytest.raises(ValueError, match="logic must be between 1 and 5"):
        Grades(style=1.0, logic=grade, content=5.0, weighted=True)


def test_a_fraction_without_weighting_is_refused() -> None:
    with pytest.raises(ValueError, match=r"style must be whole when not weighted, got 3\.5"):
        Grades(style=3.5, logic=3.0, content=3.0)


@pytest.mark.parametrize("grade", [3, True, "3"])
def test_a_grade_that_is_no_float_is_refused(grade: float) -> None:
    with pytest.raises(TypeError, match="content must be a float"):
        Grades(style=3.0, logic=3.0, content=grade)


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        ((), "prompt 'p1' has no human turn"),
        (("",), "turn 1 of prompt 'p1' is empty"),
        (("Hi", " \n"), "turn 2 of prompt 'p1' is empty"),
    ],
)
def test_a_prompt_without_words_is_refused(turns: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match="p1") as refused:
        PromptTurns(id="p1", turns=turns)

    assert str(refused.value) == message


def test_a_pairing_needs_an_answer_to_every_turn() -> None:
    with pytest.raises(ValueError, match="target has 1 answers to 2 human turns"):
        Pairing(turns=("a", "b"), reference=("x", "y"), target=("z",))
    with pytest.raises(ValueError, match="a pairing needs at least one human turn"):
        Pairing(turns=(), reference=(), target=())


@pytest.mark.parametrize(
    "value",
    [
        PromptSet(
            name="chat", prompts=(PromptTurns(id="1", turns=("你好", "So?"), language="zh"),)
        ),
        Pairing(turns=("a",), reference=("",), target=("b",)),
        ComparedRow(set="chat", prompt=3, state="refused"),
        ComparedRow(
            set="chat",
            prompt=0,
            state="compared",
            gradings=(
                *drawn(R, graded(1), BAD, None),
                *drawn(T, Grades(style=1.5, logic=2.25, content=5.0, weighted=True, reason="r")),
            ),
            texts=("a", "b"),
        ),
        Weights(style=0.0),
        combine([]),
    ],
)
def test_values_survive_being_written_and_read(value: msgspec.Struct) -> None:
    assert msgspec.json.decode(msgspec.json.encode(value), type=type(value)) == value


def test_a_stored_grade_is_checked_when_it_is_read() -> None:
    stored = b'{"type":"grades","style":3,"logic":6,"content":1}'

    with pytest.raises(msgspec.ValidationError, match="logic must be between 1 and 5"):
        msgspec.json.decode(stored, type=Grades)
