from __future__ import annotations

import json

import pytest

from hydrometer.engine.errors import FileInvalid
from hydrometer.engine.ice.imports.transcripts import (
    Labels,
    Transcript,
    parse_labels,
    parse_transcripts,
)

HEADER = "template,question,response,verdict\n"


def parse(text: str) -> tuple[Transcript, ...]:
    return parse_transcripts(text, "f")


def jsonl(*rows: object) -> str:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)


def plain(response: object = "A.", **more: object) -> dict[str, object]:
    return {"template": "T {query}", "question": "Q?", "response": response, **more}


def published(responses: object, **more: object) -> dict[str, object]:
    return {"jailbreak_prompt": "T {query}", "query": "Q?", "target_responses": responses, **more}


def make(response: str | None = "A.", verdict: bool | None = None, line: int = 1) -> Transcript:
    return Transcript(
        line=line, template="T {query}", question="Q?", response=response, verdict=verdict
    )


def test_the_published_form_is_read() -> None:
    text = jsonl(published(["A."], eval_results=True), published(["B"], eval_results=False))

    assert parse(text) == (make(verdict=True), make("B", verdict=False, line=2))


def test_the_plain_form_is_read_as_json_lines_and_as_csv() -> None:
    as_json = parse(jsonl(plain(verdict=True), plain("B"), plain("C", verdict=None)))
    as_csv = parse(HEADER + "T {query},Q?,A.,true\nT {query},Q?,B,\nT {query},Q?,C,None\n")

    expected = (make(verdict=True, line=1), make("B", line=2), make("C", line=3))
    assert as_json == expected
    assert [(row.response, row.verdict) for row in as_csv] == [
        (row.response, row.verdict) for row in expected
    ]


def test_the_published_form_in_csv_has_lists_as_python_writes_them() -> None:
    said = 'He said "I\'m 通义"\nand left \\ \x07.'
    field = repr([said]).replace('"', '""')

    (row,) = parse(
        f'jailbreak_prompt,query,target_responses,eval_results\nT {{query}},Q?,"{field}",True\n'
    )

    assert (row.response, row.verdict) == (said, True)


@pytest.mark.parametrize(
    ("row", "response"),
    [
        (plain(None), None),
        (plain(""), ""),
        (plain(" "), " "),
        (published([None]), None),
        (published([]), None),
        (published(None), None),
        (published([""]), ""),
        (published("['A.']"), "A."),
        (published("[None]"), None),
        (published("[]"), None),
    ],
)
def test_no_answer_and_an_empty_answer_are_two_things(
    row: dict[str, object], response: str | None
) -> None:
    assert parse(jsonl(row)) == (make(response),)


@pytest.mark.parametrize(
    ("said", "verdict"),
    [
        (True, True),
        ("True", True),
        (" YES ", True),
        (1, True),
        ("1", True),
        (False, False),
        ("no", False),
        (0, False),
        (None, None),
        ("", None),
        ("None", None),
        ("null", None),
    ],
)
def test_verdicts_are_truth_values_in_the_usual_spellings(
    said: object, verdict: bool | None
) -> None:
    assert parse(jsonl(plain(verdict=said)))[0].verdict is verdict


@pytest.mark.parametrize("said", ["maybe", 2, -1, 0.5, 1.0, "tru", [], {}, [True], "truefalse"])
def test_a_verdict_that_is_no_truth_value_is_refused(said: object) -> None:
    with pytest.raises(FileInvalid, match=r"^f:2: verdict must be true or false, got '"):
        parse(jsonl(plain(), plain(verdict=said)))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            {"prompt": "p", "output": "o"},
            "found the keys prompt, output; expected template, question, response and perhaps "
            "verdict, or the keys of the published files",
        ),
        ({}, "found the keys ; expected template, "),
        ({"template": "T", "question": "Q"}, "found the keys template, question; expected "),
        ({"Template": "T", "question": "Q", "response": "R"}, "found the keys Template, "),
        (plain(7), "response must be a text, or null where there was no answer"),
        (plain(["A."]), "response must be a text, or null where there was no answer"),
        (plain(False), "response must be a text, or null where there was no answer"),
        (published(["A.", "B."]), "target_responses must hold one response, got 2"),
        (published([["A."]]), "target_responses must be a text, or null"),
        (published([7]), "target_responses must be a text, or null"),
        (published({"a": "b"}), "target_responses must be a text, or null"),
        (published("I am Qwen."), "target_responses must be a list of one text"),
        (published(""), "target_responses must be a list of one text"),
        (published("['A', 'B']"), "target_responses must hold one response, got 2"),
        (published("[f'{1}']"), "target_responses must be a list of one text"),
        (published("[open('f')]"), "target_responses must be a list of one text"),
        (published("{[]: 1}"), "target_responses must be a list of one text"),
        (published("[" * 5000), "target_responses must be a list of one text"),
        (published("-" * 20_000 + "1"), "target_responses must be a list of one text"),
        (published("['\\ud800']"), "target_responses has half of a surrogate pair"),
        ({**plain(), "template": ""}, "template must be a text that is not empty"),
        ({**plain(), "question": None}, "question must be a text that is not empty"),
        ({**plain(), "template": 3}, "template must be a text that is not empty"),
    ],
)
def test_a_row_that_cannot_be_used_is_named_by_its_line(row: dict[str, object], said: str) -> None:
    with pytest.raises(FileInvalid) as raised:
        parse(jsonl(plain(), row))

    assert str(raised.value).startswith(f"f:2: {said}")
    assert len(str(raised.value)) < 300
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["", "\n\n", HEADER])
def test_a_file_without_a_row_is_refused(text: str) -> None:
    with pytest.raises(FileInvalid, match=r"^f holds no transcript$"):
        parse(text)
    with pytest.raises(FileInvalid, match=r"^f holds no label$"):
        parse_labels(text, "f")


@pytest.mark.parametrize(
    "text",
    [
        HEADER + "T {query},Q?,,false\n",
        'template,question,response\nT {query},Q?,""\n',
        "jailbreak_prompt,query,target_responses,eval_results\nT {query},Q?,,\n",
    ],
)
def test_an_empty_cell_of_csv_is_no_answer(text: str) -> None:
    """Writers of CSV leave a cell empty for None, and a failed call must not look judged."""
    assert [row.response for row in parse(text)] == [None]


def test_a_row_may_end_before_a_verdict_that_nobody_gave() -> None:
    (row,) = parse(HEADER + "T {query},Q?,A.\n")

    assert row == make(line=2)


def test_a_row_that_was_cut_is_no_empty_answer() -> None:
    with pytest.raises(FileInvalid, match=r"^f:3: found the keys template, question; expected "):
        parse(HEADER + "T {query},Q?,A.,true\nT {query},Q?")


def test_columns_that_nobody_asked_for_are_left_alone() -> None:
    assert parse(jsonl(plain(note="x", cost=3))) == (make(),)


@pytest.mark.parametrize(
    "form",
    ["template,question,response,verdict", "jailbreak_prompt,query,target_responses,eval_results"],
)
def test_a_published_label_file_may_list_nothing(form: str) -> None:
    assert parse_labels(f"{form},re_judge\n", "f") == Labels(rows=(), positives_only=True)


@pytest.mark.parametrize("header", ["template,question,response,label", "page,re_judge"])
def test_a_header_alone_says_nothing_unless_it_is_that_of_a_published_label_file(
    header: str,
) -> None:
    with pytest.raises(FileInvalid, match=r"^f holds no label$"):
        parse_labels(f"{header}\n", "f")


def test_a_label_file_needs_a_label() -> None:
    with pytest.raises(FileInvalid) as raised:
        parse_labels(jsonl(plain()), "f")

    assert str(raised.value) == (
        "f:1: found the keys template, question, response; expected template, question, response "
        "and perhaps verdict, or the keys of the published files, and re_judge or label"
    )


@pytest.mark.parametrize(("column", "positives_only"), [("re_judge", True), ("label", False)])
def test_labels_stand_in_one_of_three_columns(column: str, positives_only: bool) -> None:
    row = published(["A."], eval_results=False, **{column: "yes"})

    assert parse_labels(jsonl(row), "f") == Labels(
        rows=(make(verdict=True),), positives_only=positives_only
    )


def test_plain_labels_say_yes_and_no() -> None:
    labels = parse_labels(jsonl(plain(label=True), plain("B", label=0), plain("C", label="")), "f")

    assert labels == Labels(
        rows=(make(verdict=True), make("B", verdict=False, line=2), make("C", line=3)),
        positives_only=False,
    )


@pytest.mark.parametrize("column", ["re_judge", "label"])
def test_what_people_said_goes_before_a_verdict_that_stands_beside_it(column: str) -> None:
    """Else labels added to one's own transcripts would only repeat what those say."""
    labels = parse_labels(jsonl(plain(verdict=True, **{column: "no"})), "f")

    assert labels.rows == (make(verdict=False),)


def test_a_verdict_is_a_label_in_a_file_that_has_no_other() -> None:
    assert parse_labels(jsonl(plain(verdict=True)), "f").rows == (make(verdict=True),)


@pytest.mark.parametrize(
    "text",
    [
        jsonl(plain(verdict=True), plain("B", verdict=True, label=False)),
        "template,question,response,verdict,label\nT {query},Q?,A.,true\nT {query},Q?,B,true,no\n",
    ],
)
def test_a_row_without_a_label_is_not_labelled_by_its_verdict(text: str) -> None:
    said = [(row.response, row.verdict) for row in parse_labels(text, "f").rows]

    assert said == [("A.", None), ("B", False)]


def test_a_label_column_that_no_row_reaches_is_one_still() -> None:
    text = "template,question,response,verdict,label\nT {query},Q?,A.,true\n"

    assert [row.verdict for row in parse_labels(text, "f").rows] == [None]


def test_two_columns_of_people_are_refused() -> None:
    with pytest.raises(FileInvalid) as raised:
        parse_labels(jsonl(plain(label=True), plain("B", re_judge=True)), "f")

    assert str(raised.value) == (
        "f has both re_judge and label; keep the one that says what people decided"
    )


def test_a_label_that_is_no_truth_value_is_refused() -> None:
    with pytest.raises(FileInvalid, match=r"^f:1: label must be true or false, got 'openai'$"):
        parse_labels(jsonl(plain(label="openai")), "f")
