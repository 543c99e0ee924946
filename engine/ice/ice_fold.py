"""From events to what scores are made of. Scores know nothing of events, nor events of scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...strategies.similarity.similarity_types import ComparedRow, OrderedGrading, PromptState
from ...strategies.types import ProbeRow
from .ice_events import Answers, CallFailed, Compared, Event, Graded, Judgement, Probed


def fold_probes(events: Iterable[Event]) -> Iterator[ProbeRow]:
    """Yield one row for each probe, in the order in which they were applied."""
    for event in events:
        if isinstance(event, Probed):
            yield probe_row(event, event.judgement)


def probe_row(event: Probed, judgement: Judgement) -> ProbeRow:
    """Return the row of one probe as *judgement* has it."""
    outcome = event.outcome
    if isinstance(outcome, CallFailed):
        return ProbeRow(template=event.template, question=event.question, state="failed")
    if outcome.refused:
        return ProbeRow(template=event.template, question=event.question, state="refused")
    if outcome.truncated:
        return ProbeRow(template=event.template, question=event.question, state="truncated")
    return ProbeRow(
        template=event.template,
        question=event.question,
        state="judged",
        opinions=judgement.opinions,
    )


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
    """Return the embeddings' cosines by set and prompt: of the pairs, and of the ceiling."""
    pairs: dict[tuple[str, int], float] = {}
    ceiling: dict[tuple[str, int], float] = {}
    for event in events:
        if isinstance(event, Compared):
            both = ((pairs, event.embedded), (ceiling, event.ceiling_embedded))
            for found, embedded in both:
                if embedded is not None and embedded.cosine is not None:
                    found[event.set, event.prompt] = embedded.cosine
    return pairs, ceiling
