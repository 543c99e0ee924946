"""Value types of response similarity: prompts, pairings, judge replies and grades.

At the end of the file is the arithmetic on the gradings of one prompt, which scoring and the engine
share.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Literal

import msgspec

from ...providers.types import TokenLogprob

Aspect = Literal["style", "logic", "content"]
Order = Literal["reference-first", "target-first"]
PromptState = Literal["compared", "failed", "refused", "truncated"]

ASPECTS: tuple[Aspect, ...] = ("style", "logic", "content")
ORDERS: tuple[Order, ...] = ("reference-first", "target-first")


class PromptTurns(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The human turns of one conversation.

    *stratum* is a group whose share sampling keeps, such as a category or a source.
    Raises ValueError when there is no turn, or a turn without text.
    """

    id: str
    turns: tuple[str, ...]
    language: str = "en"
    stratum: str = ""

    def __post_init__(self) -> None:
        if not self.turns:
            raise ValueError(f"prompt {self.id!r} has no human turn")
        for number, turn in enumerate(self.turns, 1):
            if not turn.strip():
                raise ValueError(f"turn {number} of prompt {self.id!r} is empty")


class PromptSet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prompts of one kind; their scores are averaged together."""

    name: str
    prompts: tuple[PromptTurns, ...]


class Grades(msgspec.Struct, frozen=True, kw_only=True, tag="grades"):
    """Similarity of two responses by aspect, from 1 (very different) to 5 (very similar).

    A grade is a fraction only when *weighted* is true: it is then weighted by token probabilities.
    Raises TypeError or ValueError for any other value.
    """

    style: float
    logic: float
    content: float
    weighted: bool = False
    reason: str = ""

    def __post_init__(self) -> None:
        for aspect in ASPECTS:
            grade = getattr(self, aspect)
            if type(grade) is not float:
                raise TypeError(f"{aspect} must be a float, got {grade!r}")
            if not 1.0 <= grade <= 5.0:  # also false for NaN
                raise ValueError(f"{aspect} must be between 1 and 5, got {grade}")
            if not self.weighted and not grade.is_integer():
                raise ValueError(f"{aspect} must be whole when not weighted, got {grade}")


class Unreadable(msgspec.Struct, frozen=True, kw_only=True, tag="unreadable"):
    """The judge gave no readable grades, even when asked twice. Not a low grade."""

    reason: str


Grading = Grades | Unreadable


class OrderedGrading(msgspec.Struct, frozen=True, kw_only=True):
    """One grading of one prompt; *grading* is None when the judge's call failed for good.

    *draw* says which of several samples of the same prompt this is.
    """

    order: Order
    draw: int
    grading: Grading | None


class Pairing(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation with two models: the human turns, and the responses of each model.

    Raises ValueError when a model has not answered every turn.
    """

    turns: tuple[str, ...]
    reference: tuple[str, ...]
    target: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.turns:
            raise ValueError("a pairing needs at least one human turn")
        for name in ("reference", "target"):
            answers = len(getattr(self, name))
            if answers != len(self.turns):
                raise ValueError(f"{name} has {answers} answers to {len(self.turns)} human turns")


class ComparedRow(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt as the input of a score: the outcome of its two responses.

    *state* is "compared" when both models answered. Prompts of other states have no gradings and
    are reported beside every score. *texts* are the responses of the reference and of the target,
    for metrics without a judge.
    """

    set: str
    prompt: int
    state: PromptState
    gradings: tuple[OrderedGrading, ...] = ()
    texts: tuple[str, str] | None = None


class JudgeReply(msgspec.Struct, frozen=True, kw_only=True):
    """A judge reply; *tokens* are the token logprobs of *text*, if the endpoint returned them."""

    text: str
    tokens: tuple[TokenLogprob, ...] = ()


class ByAspect(msgspec.Struct, frozen=True, kw_only=True):
    """A number for each aspect: a mean or a difference of means."""

    style: float
    logic: float
    content: float


class Weights(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Weight of each aspect in the overall score; only the ratios matter.

    Raises ValueError for a weight that is negative or not finite, and when all are 0.
    """

    style: float = 1.0
    logic: float = 1.0
    content: float = 1.0

    def __post_init__(self) -> None:
        for aspect in ASPECTS:
            weight = getattr(self, aspect)
            if not 0.0 <= weight < math.inf:  # also false for NaN
                raise ValueError(f"weights.{aspect} must be finite and at least 0, got {weight}")
        if not any(getattr(self, aspect) for aspect in ASPECTS):
            raise ValueError("weights must not all be 0")


class Combined(msgspec.Struct, frozen=True, kw_only=True):
    """Summary of all gradings of one prompt.

    *means* is None when no grading was readable. *orders* are the presentation orders that entered
    the means. If one is missing, the means include the judge's preference for a position.
    *order_effect* is the mean with the target first less the mean with the reference first; None
    unless both orders entered.
    """

    means: ByAspect | None
    order_effect: ByAspect | None
    orders: tuple[Order, ...]
    readable: int
    unreadable: int
    failed: int


def combine(gradings: Iterable[OrderedGrading]) -> Combined:
    """Return the mean over the draws of each order, then over the orders.

    Both orders have the same weight, however many of their draws were readable. Failures in one
    order therefore do not shift the mean towards the other. The sequence of *gradings* does not
    matter.
    """
    given = tuple(gradings)
    means: dict[Order, ByAspect] = {}
    for order in ORDERS:
        grades = [g.grading for g in given if g.order == order and isinstance(g.grading, Grades)]
        if grades:
            means[order] = _by_aspect(grades)
    effect = None
    if len(means) == len(ORDERS):
        first, last = means["target-first"], means["reference-first"]
        effect = ByAspect(
            style=first.style - last.style,
            logic=first.logic - last.logic,
            content=first.content - last.content,
        )
    return Combined(
        means=_by_aspect(tuple(means.values())) if means else None,
        order_effect=effect,
        orders=tuple(means),
        readable=sum(isinstance(g.grading, Grades) for g in given),
        unreadable=sum(isinstance(g.grading, Unreadable) for g in given),
        failed=sum(g.grading is None for g in given),
    )


def overall(means: ByAspect, weights: Weights) -> float:
    """Return the weighted mean of the three aspects."""
    pairs = [(getattr(weights, aspect), getattr(means, aspect)) for aspect in ASPECTS]
    top = max(weight for weight, _ in pairs)  # weights near the largest float must not overflow
    shares = [(weight / top, mean) for weight, mean in pairs]
    return math.fsum(share * mean for share, mean in shares) / math.fsum(s for s, _ in shares)


def _by_aspect(given: Sequence[Grades] | Sequence[ByAspect]) -> ByAspect:
    return ByAspect(
        style=fmean(item.style for item in given),
        logic=fmean(item.logic for item in given),
        content=fmean(item.content for item in given),
    )
