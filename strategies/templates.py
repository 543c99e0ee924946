"""Templates and questions: filling a template, and choosing the questions of one visit."""

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
    """Return *count* distinct indices, spread evenly over languages and categories, sorted.

    With the built-in set, a visit of ten questions asks one of each of its ten (language, category)
    cells. If *count* is at least the number of questions, all are returned, in file order.
    """
    if count >= len(questions):
        return tuple(range(len(questions)))
    return tuple(sorted(stratified_order(questions, rng)[:count]))


def stratified_order(questions: Sequence[Question], rng: Random) -> list[int]:
    """Return all indices in a stratified order: every part of it covers the cells evenly.

    A cell is a (language, category) pair. The questions of each cell are shuffled; then the cells,
    in shuffled order, contribute one question each in turn (round-robin).
    """
    cells: dict[tuple[str, str], list[int]] = {}
    for index, question in enumerate(questions):
        cells.setdefault((question.language, question.category), []).append(index)
    strata = list(cells.values())
    for stratum in strata:
        rng.shuffle(stratum)
    rng.shuffle(strata)
    longest = max(map(len, strata))
    return [stratum[turn] for turn in range(longest) for stratum in strata if turn < len(stratum)]
