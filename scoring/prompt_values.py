"""What each prompt says of how alike two models are: by a judge, by measures, by embeddings."""

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
from .text_metrics import MEASURES, Measure, likeness

SimilarityMetric = Aspect | Literal["overall"] | Measure | Literal["embedding"]
PromptOutcome = Literal["read", "failed", "refused", "truncated", "unparsed"]
PromptKey = tuple[str, int]

JUDGED: tuple[SimilarityMetric, ...] = (*ASPECTS, "overall")

# The smallest and the largest value that a metric can have.
RANGES: Mapping[SimilarityMetric, tuple[float, float]] = {
    **dict.fromkeys(JUDGED, (1.0, 5.0)),
    **dict.fromkeys(MEASURES, (0.0, 1.0)),
    "embedding": (-1.0, 1.0),
}


class PromptValue(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt: a value for each metric when it could be read, and otherwise why not.

    *order_effects* are there when both presentation orders were graded. *gradings* counts what was
    asked of the judge, *lost* those that failed or could not be read.
    """

    set: str
    prompt: int
    outcome: PromptOutcome
    values: tuple[float, ...] = ()
    order_effects: tuple[float, ...] = ()
    gradings: int = 0
    lost: int = 0


class PromptValues(msgspec.Struct, frozen=True, kw_only=True):
    """All prompts of one pair of models, in order of set and prompt; read in one way.

    Raises ValueError for a prompt that is there twice.
    """

    metrics: tuple[SimilarityMetric, ...]
    prompts: tuple[PromptValue, ...]

    def __post_init__(self) -> None:
        counts = Counter((reading.set, reading.prompt) for reading in self.prompts)
        for (name, prompt), count in counts.items():
            if count > 1:
                raise ValueError(f"prompt {prompt} of {name} has {count} rows")

    def values(self, metric: SimilarityMetric) -> dict[PromptKey, float]:
        """Return the values of *metric*, for the prompts that have one."""
        column = self.metrics.index(metric)
        return {(r.set, r.prompt): r.values[column] for r in self.prompts if r.values}


def read_gradings(rows: Iterable[ComparedRow], weights: Weights | None = None) -> PromptValues:
    """Return what the judge said: three aspects and their weighted mean, by default unweighted.

    The draws of one presentation order are averaged first, then the orders. A prompt without any
    readable grading is unparsed when the judge did reply, and otherwise failed.
    """
    weighed = weights or Weights()
    return _collect(JUDGED, (_read_gradings(row, weighed) for row in rows))


def read_texts(
    rows: Iterable[ComparedRow], measures: tuple[Measure, ...] = MEASURES
) -> PromptValues:
    """Return what judge-free measures say; a compared row without texts counts as failed."""
    return _collect(
        measures,
        (
            _reading(row, tuple(likeness(measure, *row.texts) for measure in measures))
            if row.state == "compared" and row.texts is not None
            else _reading(row)
            for row in rows
        ),
    )


def read_cosines(rows: Iterable[ComparedRow], cosines: Mapping[PromptKey, float]) -> PromptValues:
    """Return the cosines of both answers' embeddings; a row without one counts as failed."""
    return _collect(
        ("embedding",),
        (
            _reading(row, (found,))
            if row.state == "compared" and (found := cosines.get((row.set, row.prompt))) is not None
            else _reading(row)
            for row in rows
        ),
    )


def _collect(
    metrics: tuple[SimilarityMetric, ...], readings: Iterable[PromptValue]
) -> PromptValues:
    ordered = sorted(readings, key=lambda reading: (reading.set, reading.prompt))
    return PromptValues(metrics=metrics, prompts=tuple(ordered))


def _reading(row: ComparedRow, values: tuple[float, ...] = ()) -> PromptValue:
    missing: PromptOutcome = "failed" if row.state == "compared" else row.state
    outcome = "read" if values else missing
    return PromptValue(set=row.set, prompt=row.prompt, outcome=outcome, values=values)


def _read_gradings(row: ComparedRow, weights: Weights) -> PromptValue:
    if row.state != "compared":
        if row.gradings:
            raise ValueError(f"prompt {row.prompt} of {row.set} is {row.state} and has gradings")
        return _reading(row)
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
