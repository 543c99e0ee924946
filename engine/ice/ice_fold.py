"""ICE fold: turns events into rows for scores, running counts, and cases for a later judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ...strategies.templates import fill
from ...strategies.types import SLOT, Case, Metric, ProbeRow, Verdict
from ..calls.answers import Answer, CallFailed, Judgement
from ..measurement import RescoreItem
from ..records.events import Event
from ..records.layers import Layer
from .ice_events import Mutated, Probed, Taken
from .ice_plan import IcePlan, Imported


def fold_probes(events: Iterable[Event]) -> Iterator[ProbeRow]:
    """Yield one row for each probe, in the order of the events."""
    for event in events:
        if isinstance(event, Probed):
            yield probe_row(event, event.judgement)


def fold_layer(events: Iterable[Event], layer: Layer) -> Iterator[ProbeRow]:
    """Yield a row for each probe, with the judgements of *layer*.

    An answer that the layer did not judge is left out if the layer may be a sample (labels by
    people), else its state is "unread". Raises FileInvalid at the end if the layer judged a probe
    that is not among *events*.
    """
    count = 0
    for event in events:
        if isinstance(event, Probed):
            judgement = layer.judgements.get(count)
            count += 1
            if not _readable(event):
                yield probe_row(event, Judgement())
            elif judgement is not None:
                yield probe_row(event, judgement)
            elif not layer.sampled:
                yield ProbeRow(template=event.template, question=event.question, state="unread")
    layer.require_probes(count)


def probe_row(event: Probed, judgement: Judgement) -> ProbeRow:
    """Return the row of one probe, with the opinions of *judgement*."""
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


def find_rescore_items(plan: IcePlan, events: Iterable[Event]) -> Iterator[RescoreItem]:
    """Yield every probe among *events*, with the case for the judge."""
    texts: dict[int, str] = {}
    build_prompt = as_prompt if isinstance(plan.search, Imported) else fill
    number = 0
    for event in events:
        if isinstance(event, Mutated):
            texts[event.template] = event.text
        elif isinstance(event, Taken):
            texts[event.template] = plan.templates[event.node].text
        elif isinstance(event, Probed):
            case = None
            if isinstance(event.outcome, Answer) and _readable(event):
                question = plan.questions[event.question].text
                case = Case(
                    question=question,
                    prompt=build_prompt(texts[event.template], question),
                    response=event.outcome.text,
                )
            yield RescoreItem(number=number, event=event, case=case)
            number += 1


def as_prompt(template: str, question: str) -> str:
    """Return the prompt that was probably sent with a published *template*.

    A published template may have any number of slots. If it has none, the question is assumed to
    follow it.
    """
    return template.replace(SLOT, question) if SLOT in template else f"{template}\n{question}"


class IceCounts:
    """Running counts of probes; the headline is the share of positives of *metric*.

    Probes without a result because a call failed are not in *states*: Tally.calls_failed has them.
    """

    def __init__(self, metric: Metric) -> None:
        self.metric = metric
        self.units = 0
        self.states: Counter[str] = Counter()
        self.judged: Counter[str] = Counter()  # by metric
        self.positives: Counter[str] = Counter()  # by metric

    def add(self, event: Event) -> None:
        """Count one event."""
        if not isinstance(event, Probed):
            return
        self.units += 1
        if isinstance(event.outcome, Answer):
            self.states["refused"] += event.outcome.refused
            self.states["truncated"] += event.outcome.truncated
        for opinion in event.judgement.opinions:
            if isinstance(opinion, Verdict):
                self.judged[opinion.metric] += 1
                self.positives[opinion.metric] += opinion.positive
            else:
                self.states["unparsed"] += 1

    def headline(self) -> str:
        """Return the number of positive verdicts so far, and the number of judged probes."""
        judged, positives = self.judged[self.metric], self.positives[self.metric]
        share = f" ({positives / judged:.1%})" if judged else ""
        return f"{self.metric} {positives} of {judged}{share}"


def _readable(event: Probed) -> bool:
    """Return whether the probe has an answer that a judge can read."""
    return isinstance(event.outcome, Answer) and event.outcome.whole
