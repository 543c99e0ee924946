"""Values of every prompt for the similarity of two models: by judge, text metric or embedding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from ..strategies.similarity.similarity_types import (
    ASPECTS,
    Aspect,
    ComparedRow,
    Weights,
    combine,
    overall,
)
from .text_metrics import TEXT_METRICS, TextMetric, compare_texts

SimilarityMetric = Aspect | Literal["overall"] | TextMetric | Literal["embedding"]
PromptOutcome = Literal["read", "failed", "refused", "truncated", "unparsed"]
PromptKey = tuple[str, int]

JUDGED: tuple[SimilarityMetric, ...] = (*ASPECTS, "overall")

# The smallest and the largest possible value of each metric.
RANGES: Mapping[SimilarityMetric, tuple[float, float]] = {
    **dict.fromkeys(JUDGED, (1.0, 5.0)),
    **dict.fromkeys(TEXT_METRICS, (0.0, 1.0)),
    "embedding": (-1.0, 1.0),
}


class PromptValue(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt: a value for each metric, or else *outcome* says why there is none.

    *order_effects* are set when both presentation orders were graded. *gradings* counts the
    gradings that the judge was asked for; *lost* counts those that failed or were unreadable.
    """

    set: str
    prompt: int
    outcome: PromptOutcome
    values: tuple[float, ...] = ()
    order_effects: tuple[float, ...] = ()
    gradings: int = 0
    lost: int = 0


class PromptValues(msgspec.Struct, frozen=True, kw_only=True):
    """All prompts of one pair of models, in order of set and prompt, with the same metrics.

    Raises ValueError for a prompt that occurs twice.
    """

    metrics: tuple[SimilarityMetric, ...]
    prompts: tuple[PromptValue, ...]

    def __post_init__(self) -> None:
        counts = Counter((entry.set, entry.prompt) for entry in self.prompts)
        for (name, prompt), count in counts.items():
            if count > 1:
                raise ValueError(f"prompt {prompt} of {name} has {count} rows")

    def values(self, metric: SimilarityMetric) -> dict[PromptKey, float]:
        """Return the values of *metric* for the prompts that have one."""
        column = self.metrics.index(metric)
        return {
            (entry.set, entry.prompt): entry.values[column]
            for entry in self.prompts
            if entry.values
        }


def read_gradings(rows: Iterable[ComparedRow], weights: Weights | None = None) -> PromptValues:
    """Return the judge's grades: three aspects, and their mean weighted by *weights* (default 1).

    The draws of one presentation order are averaged first, then the orders. A prompt without a
    readable grading is "unparsed" if the judge replied, and "failed" if it did not.
    """
    given = weights or Weights()
    return _collect(JUDGED, (_graded(row, given) for row in rows))


def read_texts(
    rows: Iterable[ComparedRow], metrics: tuple[TextMetric, ...] = TEXT_METRICS
) -> PromptValues:
    """Return the text metrics; a row in the state "compared" without texts counts as failed."""
    return _collect(
        metrics,
        (
            _value(row, tuple(compare_texts(metric, *row.texts) for metric in metrics))
            if row.state == "compared" and row.texts is not None
            else _value(row)
            for row in rows
        ),
    )


def read_cosines(rows: Iterable[ComparedRow], cosines: Mapping[PromptKey, float]) -> PromptValues:
    """Return the cosines of both responses' embeddings; a row without one counts as failed."""
    return _collect(
        ("embedding",),
        (
            _value(row, (found,))
            if row.state == "compared" and (found := cosines.get((row.set, row.prompt))) is not None
            else _value(row)
            for row in rows
        ),
    )


def _collect(metrics: tuple[SimilarityMetric, ...], values: Iterable[PromptValue]) -> PromptValues:
    ordered = sorted(values, key=lambda entry: (entry.set, entry.prompt))
    return PromptValues(metrics=metrics, prompts=tuple(ordered))


def _value(row: ComparedRow, values: tuple[float, ...] = ()) -> PromptValue:
    missing: PromptOutcome = "failed" if row.state == "compared" else row.state
    outcome = "read" if values else missing
    return PromptValue(set=row.set, prompt=row.prompt, outcome=outcome, values=values)


def _graded(row: ComparedRow, weights: Weights) -> PromptValue:
    if row.state != "compared":
        if row.gradings:
            raise ValueError(f"prompt {row.prompt} of {row.set} is {row.state} and has gradings")
        return _value(row)
    combined = combine(row.gradings)
    lost = combined.unreadable + combined.failed
    values: tuple[float, ...] = ()
    effects: tuple[float, ...] = ()
    outcome: PromptOutcome = "unparsed" if combined.unreadable else "failed"
    if means := combined.means:
        outcome = "read"
        values = (means.style, means.logic, means.content, overall(means, weights))
    if effect := combined.order_effect:
        effects = (effect.style, effect.logic, effect.content, overall(effect, weights))
    return PromptValue(
        set=row.set,
        prompt=row.prompt,
        outcome=outcome,
        values=values,
        order_effects=effects,
        gradings=len(row.gradings),
        lost=lost,
    )
