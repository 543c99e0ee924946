"""Transcripts of other people's as a run: a plan, events, and labels as a layer."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from hashlib import blake2b

import msgspec

from ...strategies.judging.contamination import hard_verdict
from ...strategies.types import SLOT, Question, Template, Unparsed, Vendor, Verdict
from ..errors import FileInvalid
from ..identity.texts import language_of
from ..records.layers import LABELS, LayerHead, LayerRow
from ..setup.models import PlannedModel
from ..setup.plan import IcePlan, Imported, PlannedJudge, PlannedStrategy, plan_digest
from .ice_events import Answer, CallFailed, Event, Finished, IceStarted, Judgement, Probed, Taken
from .transcripts import Labels, Transcript


def build_imported_plan(
    rows: Sequence[Transcript],
    *,
    target: str,
    vendor: str,
    fact: str,
    vendors: tuple[Vendor, ...],
    strict_vendors: tuple[str, ...],
) -> IcePlan:
    """Return the plan of a run that somebody else made: its texts, and who its target is."""
    judged = any(row.verdict is not None for row in rows)
    templates = dict.fromkeys(row.template for row in rows)
    questions = dict.fromkeys(row.question for row in rows)
    return IcePlan(
        target=PlannedModel(name=target, identity=f"imported:{target}", vendor=vendor),
        judge=PlannedJudge(
            name="imported",
            rules=PlannedStrategy(name="imported", version="unknown"),
            metrics=("loose",) if judged else (),
        ),
        fact=fact,
        seed=0,
        window=1,
        probes=len(rows),
        questions_per_visit=len(questions),
        search=Imported(source=_digest(rows)),
        strict_vendors=strict_vendors,
        vendors=vendors,
        questions=tuple(
            Question(id=f"q{n}", text=text, language=language_of(text))
            for n, text in enumerate(questions, start=1)
        ),
        templates=tuple(
            Template(id=f"t{n}", text=text, language=language_of(text))
            for n, text in enumerate(templates, start=1)
        ),
    )


def imported_events(plan: IcePlan, rows: Sequence[Transcript]) -> Iterator[Event]:
    """Yield the events of a run: one ticket for each stretch of rows of one template."""
    templates = {template.text: n for n, template in enumerate(plan.templates)}
    questions = {question.text: n for n, question in enumerate(plan.questions)}
    yield IceStarted(
        plan=plan_digest(plan),
        target=plan.target.name,
        judge=plan.judge.name,
        questions=len(questions),
        templates=len(templates),
    )
    ticket, current = -1, None
    for row in rows:
        template = templates[row.template]
        if template != current:
            ticket, current = ticket + 1, template
            yield Taken(ticket=ticket, template=template, node=template)
        yield Probed(
            ticket=ticket,
            template=template,
            question=questions[row.question],
            outcome=_outcome(row),
            judgement=_judgement(row) if plan.judge.metrics else Judgement(),
        )
    yield Finished(reason="imported", tickets=ticket + 1, probes=len(rows))


def build_label_layer(
    plan: IcePlan, rows: Sequence[Transcript], labels: Labels, where: str
) -> tuple[LayerHead, list[LayerRow]]:
    """Return *labels* as a layer of strict verdicts, and of the hard ones that follow.

    Raises FileInvalid, naming the line in *where*, for a label of a transcript that is not there,
    or that has one already.
    """
    waiting: dict[tuple[str, str, str | None], deque[Transcript]] = defaultdict(deque)
    for label in labels.rows:
        waiting[_probe(label)].append(label)
    reread = []
    for number, row in enumerate(rows):
        found = next((waiting[key] for key in _labels_of(row) if waiting.get(key)), None)
        verdict = found.popleft().verdict if found else False if labels.positives_only else None
        if verdict is not None and row.response is not None:
            reread.append(LayerRow(probe=number, judgement=_labelled(plan, row, verdict)))
    if left := [label for labelled in waiting.values() for label in labelled]:
        first = min(left, key=lambda label: label.line)
        known = any(_probe(first) in _labels_of(row) for row in rows)
        said = (
            "this transcript has a label already"
            if known
            else "no transcript has this template, question and response"
        )
        raise FileInvalid(f"{where}:{first.line}: {said}")
    judge = PlannedJudge(
        name=LABELS,
        rules=PlannedStrategy(name=LABELS, version=_digest(labels.rows)[:12]),
        metrics=("strict",),
    )
    return LayerHead(judge=judge, plan=plan_digest(plan)), reread


def as_prompt(template: str, question: str) -> str:
    """Return what was probably sent: published templates have any number of slots, also none."""
    return template.replace(SLOT, question) if SLOT in template else f"{template}\n{question}"


def _probe(row: Transcript) -> tuple[str, str, str | None]:
    return row.template, row.question, row.response


def _labels_of(row: Transcript) -> tuple[tuple[str, str, str | None], ...]:
    """Return what labels of *row* may name, best first: CSV writes no answer for an empty one."""
    probe = _probe(row)
    return (probe, (*probe[:2], None)) if row.response == "" else (probe,)


def _outcome(row: Transcript) -> Answer | CallFailed:
    if row.response is None:
        return CallFailed(
            role="target", key="", error="NoResponse", message="the transcript has no response"
        )
    return Answer(key="", text=row.response, finish="stop")


def _judgement(row: Transcript) -> Judgement:
    if row.response is None:
        return Judgement()
    if row.verdict is None:
        return Judgement(opinions=(Unparsed(metric="loose", reason="the file has no verdict"),))
    return Judgement(opinions=(Verdict(metric="loose", positive=row.verdict, reason="imported"),))


def _labelled(plan: IcePlan, row: Transcript, verdict: bool) -> Judgement:  # noqa: FBT001
    strict = Verdict(metric="strict", positive=verdict, reason="label")
    prompt = as_prompt(row.template, row.question)
    hard = hard_verdict(strict, prompt, plan.vendors, plan.strict_vendors)
    return Judgement(opinions=(strict, hard))


def _digest(rows: Sequence[Transcript]) -> str:
    return blake2b(msgspec.json.encode(rows), digest_size=16).hexdigest()
