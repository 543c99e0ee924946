"""From events to what scores are made of. Scores know nothing of events, nor events of scores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..strategies.types import ProbeRow
from .events import CallFailed, Event, Judgement, Probed


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
