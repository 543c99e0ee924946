"""RSE fold: turns events into rows for scores, and into running counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from statistics import fmean

from ...strategies.similarity.similarity_types import (
    ComparedRow,
    OrderedGrading,
    PromptState,
    Weights,
    combine,
    overall,
)
from ..calls.answers import CallFailed
from ..records.events import Event
from .rse_events import Answers, Compared, Graded


def fold_pairs(events: Iterable[Event]) -> Iterator[ComparedRow]:
    """Yield one row for each prompt: target against reference."""
    for event in events:
        if isinstance(event, Compared):
            yield _compared(event, event.target, event.gradings)


def fold_ceiling(events: Iterable[Event]) -> Iterator[ComparedRow]:
    """Yield one row for each prompt: the reference's second draw against its first."""
    for event in events:
        if isinstance(event, Compared) and event.again is not None:
            yield _compared(event, event.again, event.ceiling)


def _compared(
    event: Compared, other: Answers | CallFailed, gradings: tuple[Graded, ...]
) -> ComparedRow:
    reference = event.reference
    state: PromptState = "compared"
    texts = None
    if isinstance(reference, CallFailed) or isinstance(other, CallFailed):
        state = "failed"
    elif reference.refused or other.refused:
        state = "refused"
    elif reference.truncated or other.truncated:
        state = "truncated"
    else:
        texts = (reference.text, other.text)
    return ComparedRow(
        set=event.set,
        prompt=event.prompt,
        state=state,
        gradings=tuple(
            OrderedGrading(order=graded.order, draw=graded.draw, grading=graded.grading)
            for graded in gradings
        ),
        texts=texts,
    )


def fold_cosines(
    events: Iterable[Event],
) -> tuple[dict[tuple[str, int], float], dict[tuple[str, int], float]]:
    """Return the cosines of the embeddings by set and prompt: of the pairs, and of the ceiling."""
    pairs: dict[tuple[str, int], float] = {}
    ceiling: dict[tuple[str, int], float] = {}
    for event in events:
        if isinstance(event, Compared):
            both = ((pairs, event.embedded), (ceiling, event.ceiling_embedded))
            for found, embedded in both:
                if embedded is not None and embedded.cosine is not None:
                    found[event.set, event.prompt] = embedded.cosine
    return pairs, ceiling


class RseCounts:
    """Running counts of prompts, by the same rules as scores. *weights* are the plan's weights."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self.units = 0
        self.states: Counter[str] = Counter()
        self.grades: dict[str, list[float]] = {}  # by set: the overall grades of its prompts

    def add(self, event: Event) -> None:
        """Count each prompt once: as graded, or by the reason why it has no grade."""
        if not isinstance(event, Compared):
            return
        self.units += 1
        (row,) = fold_pairs((event,))
        graded = combine(row.gradings)
        if graded.means is not None:
            self.grades.setdefault(event.set, []).append(overall(graded.means, self._weights))
        elif row.state != "compared":
            self.states[row.state] += 1
        else:
            self.states["unparsed" if graded.unreadable else "failed"] += 1

    def headline(self) -> str:
        """Return the mean of the sets' mean grades so far, and the number of sets with a grade.

        A progress display may call this from another thread, so the lists are copied first.
        """
        means = [fmean(tuple(grades)) for grades in tuple(self.grades.values())]
        if not means:
            return "nothing graded"
        return f"overall {fmean(means):.3f} over {len(means)} set{'s' if len(means) > 1 else ''}"
