"""From events to what scores are made of. Scores know nothing of events, nor events of scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..strategies.comparing import ComparedRow, OrderedGrading, State
from ..strategies.types import ProbeRow
from .events import Answers, CallFailed, Compared, Event, Graded, Judgement, Probed


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
    state: State = "compared"
    texts = None
    if isinstance(reference, CallFailed) or isinstance(other, CallFailed):
        state = "failed"
    elif reference.refused or other.refused:
        state = "refused"
    elif reference.truncated or other.truncated:
        state = "truncated"
    else:
        texts = (_joined(reference), _joined(other))
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


def _joined(side: Answers) -> str:
    return "\n\n".join(answer.text for answer in side.answers)
