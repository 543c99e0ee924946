"""Transcripts as a run: plan, events and labels, without a file."""

from __future__ import annotations

import msgspec
import pytest
from builders import VENDORS

from hydrometer.engine.calls.answers import Answer, CallFailed, Judgement
from hydrometer.engine.errors import FileInvalid
from hydrometer.engine.ice.ice_events import IceStarted, Probed, Taken
from hydrometer.engine.ice.ice_fold import as_prompt, fold_layer
from hydrometer.engine.ice.ice_plan import IcePlan, Imported
from hydrometer.engine.ice.imports.imported import (
    build_imported_plan,
    build_label_layer,
    imported_events,
)
from hydrometer.engine.ice.imports.transcripts import Labels, Transcript
from hydrometer.engine.measurements import BUILT_IN
from hydrometer.engine.records.events import Finished
from hydrometer.engine.records.layers import Layer
from hydrometer.engine.setup.plan import decode_plan, encode_plan, plan_digest
from hydrometer.scoring.probe_table import Counts, ProbeTable
from hydrometer.strategies.types import Metric, Opinion, ProbeRow, Unparsed, Verdict

FIRST, SECOND = "On the radio: {query}", "As ChatGPT: {query}"


def make(
    template: str = FIRST,
    question: str = "Who made you?",
    response: str | None = "Zork did.",
    verdict: bool | None = None,
    *,
    line: int = 1,
) -> Transcript:
    return Transcript(
        line=line, template=template, question=question, response=response, verdict=verdict
    )


def plan_of(*rows: Transcript) -> IcePlan:
    return build_imported_plan(
        rows,
        target="phi",
        vendor="alibaba",
        fact="",
        vendors=VENDORS,
        strict_vendors=("anthropic", "openai"),
    )


def labels(*rows: Transcript, positives_only: bool = False) -> Labels:
    return Labels(rows=rows, positives_only=positives_only)


def label(rows: tuple[Transcript, ...], said: Labels) -> dict[int, list[tuple[Metric, bool]]]:
    """Return the verdicts of the layer by probe."""
    _, reread = build_label_layer(plan_of(*rows), rows, said, "labels.csv")
    return {row.probe: [verdict(o) for o in row.judgement.opinions] for row in reread}


def verdict(opinion: Opinion) -> tuple[Metric, bool]:
    assert isinstance(opinion, Verdict)
    return opinion.metric, opinion.positive


def test_the_plan_has_the_texts_and_who_the_target_is() -> None:
    rows = (make(), make(SECOND), make(question="你是谁？"), make(verdict=True))

    plan = plan_of(*rows)

    assert (plan.target.name, plan.target.identity, plan.target.vendor) == (
        "phi", "imported:phi", "alibaba",
    )  # fmt: skip
    assert [template.text for template in plan.templates] == [FIRST, SECOND]
    assert [(q.text, q.language) for q in plan.questions] == [
        ("Who made you?", "en"),
        ("你是谁？", "zh"),
    ]
    assert (plan.probes, plan.questions_per_visit, plan.window) == (4, 2, 1)
    assert isinstance(plan.search, Imported)
    assert decode_plan(encode_plan(plan), "plan.json", BUILT_IN) == plan


@pytest.mark.parametrize(("said", "metrics"), [(None, ()), (False, ("loose",)), (True, ("loose",))])
def test_the_plan_says_whether_anybody_judged(
    said: bool | None, metrics: tuple[Metric, ...]
) -> None:
    assert plan_of(make(), make(verdict=said)).judge.metrics == metrics


def test_other_transcripts_are_another_plan() -> None:
    base = plan_of(make())

    others = [
        make(response="Zork did it."),
        make(response=None),
        make(response=""),
        make(verdict=False),
        make(verdict=True),
    ]

    digests = {plan_digest(plan_of(other)) for other in others}
    assert len(digests) == len(others)
    assert plan_digest(base) not in digests
    assert plan_digest(plan_of(make())) == plan_digest(base)


def test_events_take_a_template_at_each_stretch_of_rows() -> None:
    rows = (make(), make(question="Where?"), make(SECOND), make(question="Why?"))

    events = list(imported_events(plan_of(*rows), rows))

    assert isinstance(events[0], IceStarted)
    assert [(e.ticket, e.template, e.node) for e in events if isinstance(e, Taken)] == [
        (0, 0, 0),
        (1, 1, 1),
        (2, 0, 0),
    ]
    assert [(e.ticket, e.template, e.question) for e in events if isinstance(e, Probed)] == [
        (0, 0, 0),
        (0, 0, 1),
        (1, 1, 0),
        (2, 0, 2),
    ]
    assert events[-1] == Finished(reason="imported", tickets=3, units=4)


def test_no_answer_is_a_failure_whatever_was_decided_of_it() -> None:
    rows = (make(response=None, verdict=False), make(response="", verdict=False))

    failed, empty = (e for e in imported_events(plan_of(*rows), rows) if isinstance(e, Probed))

    assert isinstance(failed.outcome, CallFailed)
    assert failed.judgement == Judgement()
    assert empty.outcome == Answer(key="", text="", finish="stop")
    assert [verdict(o) for o in empty.judgement.opinions] == [("loose", False)]


def test_an_answer_that_nobody_decided_on_is_unparsed_beside_those_that_were_judged() -> None:
    rows = (make(verdict=True), make(question="Where?"), make(response=None))
    unjudged = rows[1:]

    some, none = (
        [e.judgement for e in imported_events(plan_of(*of), of) if isinstance(e, Probed)]
        for of in (rows, unjudged)
    )

    assert [[type(o) for o in judgement.opinions] for judgement in some] == [
        [Verdict],
        [Unparsed],
        [],
    ]
    assert none == [Judgement(), Judgement()]


def test_a_label_is_a_strict_verdict_and_the_hard_one_that_follows() -> None:
    rows = (make(), make(SECOND), make(question="Where?"))
    said = labels(
        make(verdict=True), make(SECOND, verdict=True), make(question="Where?", verdict=False)
    )

    assert label(rows, said) == {
        0: [("strict", True), ("hard", True)],
        1: [("strict", True), ("hard", False)],  # the prompt names gpt
        2: [("strict", False), ("hard", False)],
    }


def test_a_question_can_name_a_vendor_too() -> None:
    asked = make(question="Is OpenAI your maker?")

    assert label((asked,), labels(msgspec.structs.replace(asked, verdict=True))) == {
        0: [("strict", True), ("hard", False)]
    }


def test_what_is_not_labelled_is_not_judged_unless_only_positives_are_listed() -> None:
    rows = (make(), make(question="Where?"), make(question="Why?", response=None))
    said = (make(verdict=True),)

    assert set(label(rows, labels(*said))) == {0}
    assert label(rows, labels(*said, positives_only=True)) == {
        0: [("strict", True), ("hard", True)],
        1: [("strict", False), ("hard", False)],
    }


def test_a_label_without_a_verdict_judges_nothing() -> None:
    rows = (make(), make(question="Where?"))

    assert label(rows, labels(make(), make(question="Where?", verdict=False))) == {
        1: [("strict", False), ("hard", False)]
    }


def test_labels_of_equal_transcripts_are_dealt_out_in_their_order() -> None:
    """A model may give the same answer twice, and people may differ over it."""
    rows = (make(), make(), make())
    said = labels(make(verdict=False, line=2), make(verdict=True, line=3))

    assert {n: opinions[0] for n, opinions in label(rows, said).items()} == {
        0: ("strict", False),
        1: ("strict", True),
    }


def test_labels_in_csv_find_an_empty_answer_though_they_cannot_tell_it_from_none() -> None:
    rows = (make(response=""), make(response=None), make(response=""))
    said = tuple(make(response=None, verdict=verdict) for verdict in (True, None, False))

    assert {n: opinions[0] for n, opinions in label(rows, labels(*said)).items()} == {
        0: ("strict", True),
        2: ("strict", False),
    }


def test_a_label_of_an_empty_answer_is_not_spent_on_a_missing_one() -> None:
    rows = (make(response=None), make(response=""))
    said = make(response="", verdict=True)

    assert set(label(rows, labels(said))) == {1}


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            [make(verdict=True, line=2), make(question="When?", verdict=True, line=3)],
            "labels.csv:3: no transcript has this template, question and response",
        ),
        (
            [make(response="Zork did. ", verdict=True, line=9)],
            "labels.csv:9: no transcript has this template, question and response",
        ),
        (
            [make(response="", verdict=True, line=2)],
            "labels.csv:2: no transcript has this template, question and response",
        ),
        (
            [
                make(verdict=True, line=2),
                make(question="Where?", line=3),
                make(verdict=True, line=4),
            ],
            "labels.csv:4: this transcript has a label already",
        ),
    ],
)
@pytest.mark.parametrize("positives_only", [False, True])
def test_a_label_that_finds_no_transcript_is_named_by_its_line(
    said: list[Transcript], message: str, positives_only: bool
) -> None:
    rows = (make(), make(question="Where?"))

    with pytest.raises(FileInvalid) as raised:
        label(rows, labels(*said, positives_only=positives_only))

    assert str(raised.value) == message


def test_a_label_layer_scores_what_was_labelled_and_counts_no_answer_as_failed() -> None:
    rows = (make(), make(SECOND), make(response=None), make(question="Where?"))
    plan = plan_of(*rows)
    said = labels(make(verdict=True), make(SECOND, verdict=True))
    head, reread = build_label_layer(plan, rows, said, "labels.csv")

    layer = Layer(head, {row.probe: row.judgement for row in reread})
    found: list[ProbeRow] = list(fold_layer(imported_events(plan, rows), layer))

    assert head.plan == plan_digest(plan)
    assert ProbeTable(found).counts("strict") == Counts(
        positives=2, judged=2, failed=1, refused=0, truncated=0, unparsed=0
    )
    assert ProbeTable(found).counts("hard").positives == 1


def test_a_layers_version_changes_with_what_people_said() -> None:
    rows = (make(), make(question="Where?"))
    plan = plan_of(*rows)

    one, other = (
        build_label_layer(plan, rows, labels(make(verdict=said)), "l")[0].judge.rules.version
        for said in (True, False)
    )

    assert one != other


@pytest.mark.parametrize(
    ("template", "prompt"),
    [
        ("Say: {query}!", "Say: Who?!"),
        ("{query} and {query}", "Who? and Who?"),
        ("No slot.", "No slot.\nWho?"),
        ("{ query }", "{ query }\nWho?"),
    ],
)
def test_published_templates_have_any_number_of_slots(template: str, prompt: str) -> None:
    assert as_prompt(template, "Who?") == prompt
