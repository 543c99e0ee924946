"""Filling templates, and choosing the questions that one visit asks."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from .types import SLOT, Question


def fill(template: str, question: str) -> str:
    """Return the prompt: *template* with its one slot replaced by *question*."""
    before, slot, after = template.partition(SLOT)
    if not slot or SLOT in after:
        raise ValueError(f"a template needs exactly one {SLOT} slot, got {template.count(SLOT)}")
    return before + question + after


def balanced_sample(questions: Sequence[Question], count: int, rng: Random) -> tuple[int, ...]:
    """Return *count* distinct indices, spread evenly over languages and categories.

    A visit of ten questions to the built-in set so asks one of each of its ten cells. *count* at
    or above the number of questions takes all, in file order.
    """
    if count >= len(questions):
        return tuple(range(len(questions)))
    return tuple(sorted(stratified_order(questions, rng)[:count]))


def stratified_order(questions: Sequence[Question], rng: Random) -> list[int]:
    """Return all indices in an order of which every stretch is spread over the questions' kinds.

    The questions of each (language, category) cell are shuffled, then the cells, in shuffled
    order, give one each in turn.
    """
    cells: dict[tuple[str, str], list[int]] = {}
    for index, question in enumerate(questions):
        cells.setdefault((question.language, question.category), []).append(index)
    piles = list(cells.values())
    for pile in piles:
        rng.shuffle(pile)
    rng.shuffle(piles)
    return [
        pile[turn] for turn in range(max(map(len, piles))) for pile in piles if turn < len(pile)
    ]
