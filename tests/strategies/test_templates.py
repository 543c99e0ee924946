from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from hydrometer.strategies.templates import balanced_sample, fill
from hydrometer.strategies.types import Question

QUESTIONS = tuple(
    Question(id=f"{category}-{number}-{language}", text=f"{category}{number}{language}",
             language=language, category=category)
    for language in ("en", "zh")
    for category in ("team", "industry", "technology", "geography", "cooperation")
    for number in range(5)
)  # fmt: skip


def test_a_question_is_put_in_as_it_is() -> None:
    assert fill("a {query} b", r"\1 {0} {query}") == r"a \1 {0} {query} b"


@pytest.mark.parametrize("template", ["no slot", "{query} {query}"])
def test_a_template_without_exactly_one_slot_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r"^a template needs exactly one {query} slot, got [02]$"):
        fill(template, "?")


def test_ten_of_fifty_are_one_of_each_language_and_category() -> None:
    for ticket in range(20):
        sample = balanced_sample(QUESTIONS, 10, Random(ticket))

        cells = Counter((QUESTIONS[i].language, QUESTIONS[i].category) for i in sample)
        assert len(sample) == 10
        assert set(cells.values()) == {1}
        assert list(sample) == sorted(sample)


def test_every_question_is_asked_about_equally_often() -> None:
    asked = Counter(i for t in range(1000) for i in balanced_sample(QUESTIONS, 10, Random(t)))

    assert len(asked) == 50
    assert min(asked.values()) > 150
    assert max(asked.values()) < 250


def test_a_sample_as_large_as_the_set_is_the_set_in_order() -> None:
    assert balanced_sample(QUESTIONS, 50, Random(1)) == tuple(range(50))
    assert balanced_sample(QUESTIONS, 99, Random(1)) == tuple(range(50))


def test_questions_without_a_category_are_one_cell() -> None:
    plain = tuple(Question(id=str(n), text=str(n)) for n in range(7))

    assert len(set(balanced_sample(plain, 3, Random(1)))) == 3
