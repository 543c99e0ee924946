"""Imported runs: published transcripts become a plan and events, and their labels a layer."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path

import msgspec

from ....strategies.judging.contamination import hard_verdict
from ....strategies.types import Question, Template, Unparsed, Vendor, Verdict
from ...calls.answers import Answer, CallFailed, Judgement
from ...errors import FileInvalid, InputInvalid
from ...identity.judge_planning import BUILTIN
from ...identity.texts import ModelFact, load_facts, load_vendors
from ...measurement import ImportedRun, ImportRequest
from ...plurals import counted
from ...records.events import Event, Finished
from ...records.layers import LABELS, LayerHead, LayerRow
from ...setup.files import read_text
from ...setup.hints import name_hint
from ...setup.languages import language_of
from ...setup.models import PlannedModel
from ...setup.plan import PlannedJudge, PlannedStrategy, plan_digest
from ..ice_config import IceTable
from ..ice_events import IceStarted, Probed, Taken
from ..ice_fold import as_prompt
from ..ice_plan import IcePlan, Imported
from .transcripts import Labels, Transcript, parse_labels, parse_transcripts


def read_imports(request: ImportRequest) -> tuple[ImportedRun[IcePlan], ...]:
    """Return a run for each transcript file. Raises InputInvalid, which names file and line."""
    vendors = load_vendors()
    known = _fact(request.fact)
    vendor = _vendor(request.vendor, vendors) or known.vendor
    strict = tuple(sorted({*IceTable().strict_vendors} - {vendor}))
    runs: list[ImportedRun[IcePlan]] = []
    for file, name in zip(request.files, request.names, strict=True):
        rows = parse_transcripts(read_text(file), str(file))
        plan = build_imported_plan(
            rows,
            target=name,
            vendor=vendor,
            fact=known.fact,
            vendors=vendors,
            strict_vendors=strict,
        )
        layer = _read_layer(plan, rows, _labels_for(file, request.labels))
        runs.append(
            ImportedRun(
                name=name,
                plan=plan,
                events=partial(imported_events, plan, rows),
                layer=layer,
                remarks=tuple(_remarks(plan, rows, labelled=layer is not None)),
            )
        )
    return tuple(runs)


def _labels_for(file: Path, labels: Path | None) -> Path | None:
    return labels / f"{file.stem}.csv" if labels is not None and labels.is_dir() else labels


def _read_layer(
    plan: IcePlan, rows: Sequence[Transcript], labels: Path | None
) -> tuple[LayerHead, tuple[LayerRow, ...]] | None:
    if labels is None:
        return None
    head, layer_rows = build_label_layer(
        plan, rows, parse_labels(read_text(labels), str(labels)), str(labels)
    )
    return head, tuple(layer_rows)


def _remarks(plan: IcePlan, rows: Sequence[Transcript], *, labelled: bool) -> Iterator[str]:
    name = plan.target.name
    if missing := sum(row.response is None for row in rows):
        some = f"{missing} of {counted(len(rows), 'rows')} {'has' if missing == 1 else 'have'}"
        yield f"{name}: {some} no response: counted as failed"
    if not plan.target.vendor:
        yield f"{name}: no --vendor, so claims of its own vendor count like others"
    if not plan.judge.metrics and not labelled:
        yield (
            f"{name}: the file has no verdicts; read it by rule with: "
            "hydrometer rescore {run} --judge lexical"
        )


def _vendor(name: str, vendors: tuple[Vendor, ...]) -> str:
    ids = [vendor.id for vendor in vendors]
    if name and name not in ids:
        raise InputInvalid(f"--vendor: unknown vendor {name}; {name_hint(name, ids)}")
    return name


def _fact(fact: str) -> ModelFact:
    """Return the fact of the target. A built-in fact also has a vendor, as in a config."""
    if not fact.startswith(BUILTIN):
        return ModelFact(fact=fact, vendor="")
    family = fact.removeprefix(BUILTIN)
    facts = load_facts()
    if family not in facts:
        raise InputInvalid(f"--fact: no built-in fact {family}; {name_hint(family, facts)}")
    return facts[family]


def build_imported_plan(
    rows: Sequence[Transcript],
    *,
    target: str,
    vendor: str,
    fact: str,
    vendors: tuple[Vendor, ...],
    strict_vendors: tuple[str, ...],
) -> IcePlan:
    """Return the plan of a published run: its texts, and the facts about its target."""
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
    """Yield the events of a run. Consecutive rows with the same template are one ticket."""
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
    yield Finished(reason="imported", tickets=ticket + 1, units=len(rows))


def build_label_layer(
    plan: IcePlan, rows: Sequence[Transcript], labels: Labels, where: str
) -> tuple[LayerHead, list[LayerRow]]:
    """Return *labels* as a layer of strict verdicts, and of the hard verdicts derived from them.

    Raises FileInvalid, naming the line in *where*, for a label that matches no transcript, or only
    transcripts that have a label already.
    """
    unused: dict[tuple[str, str, str | None], deque[Transcript]] = defaultdict(deque)
    for label in labels.rows:
        unused[_match_key(label)].append(label)
    layer_rows = []
    for number, row in enumerate(rows):
        found = next((unused[key] for key in _keys_for_labels(row) if unused.get(key)), None)
        verdict = found.popleft().verdict if found else False if labels.positives_only else None
        if verdict is not None and row.response is not None:
            layer_rows.append(LayerRow(probe=number, judgement=_labelled(plan, row, verdict)))
    if left := [label for several in unused.values() for label in several]:
        first = min(left, key=lambda label: label.line)
        known = any(_match_key(first) in _keys_for_labels(row) for row in rows)
        fault = (
            "this transcript has a label already"
            if known
            else "no transcript has this template, question and response"
        )
        raise FileInvalid(f"{where}:{first.line}: {fault}")
    judge = PlannedJudge(
        name=LABELS,
        rules=PlannedStrategy(name=LABELS, version=_digest(labels.rows)[:12]),
        metrics=("strict",),
    )
    return LayerHead(judge=judge, plan=plan_digest(plan)), layer_rows


def _match_key(row: Transcript) -> tuple[str, str, str | None]:
    """Return the fields by which a label is matched with a transcript."""
    return row.template, row.question, row.response


def _keys_for_labels(row: Transcript) -> tuple[tuple[str, str, str | None], ...]:
    """Return the keys that a label of *row* may have, best first.

    A label file in CSV has an empty cell for an empty response, which is read as no response.
    """
    key = _match_key(row)
    return (key, (*key[:2], None)) if row.response == "" else (key,)


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
