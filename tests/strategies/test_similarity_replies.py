"""What counts as a readable reply of the similarity judge, and above all what does not."""

from __future__ import annotations

import json
from itertools import permutations
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydrometer.strategies.similarity.similarity_judge import Form, parse
from hydrometer.strategies.similarity.similarity_types import ASPECTS, Grades, JudgeReply

FORMS: tuple[Form, ...] = get_args(Form)
S, L, C = "<style>4</style>", "<logic>2</logic>", "<content>5</content>"
WHOLE = '{"analysis": "why", "content": 5, "logic": 2, "style": 4}'
GRADES = Grades(style=4.0, logic=2.0, content=5.0, reason="why")
LONG = 2_000_000  # characters
SILENT = Grades(style=4.0, logic=2.0, content=5.0)


def told(text: str, form: Form) -> Grades | None:
    return parse(JudgeReply(text=text), form)


@pytest.mark.parametrize(
    "reply",
    [
        WHOLE,
        f"\n\t {WHOLE} \r\n\u3000",
        '{"analysis":"why","content":5,"logic":2,"style":4}',
        '{\n  "style" : 4 ,\n  "content":5,\t"analysis": "why",\r\n "logic":2\n}',
        '{"analysis": " why\\n", "content": 5, "logic": 2, "style": 4}',
        '{"analysis": "\\u0077hy", "content": 5, "logic": 2, "style": 4}',
        f"```json\n{WHOLE}\n```",
        f"\n```json\n\n{WHOLE}\n```\n\n",
        f"```json {WHOLE}```",
    ],
)
def test_one_object_is_read(reply: str) -> None:
    assert told(reply, "json") == GRADES


@pytest.mark.parametrize(
    "reply",
    [
        f"<analysis>why</analysis>\n{S}\n{L}\n{C}",
        f"<analysis>why</analysis>{S}{L}{C}",
        f" \n{C}{L}\n\n{S}\t<analysis> why\n</analysis>\u3000\n",
        "<analysis>why</analysis><style> 4\n</style><logic>2</logic><content>\t5</content>",
    ],
)
def test_one_set_of_tags_is_read(reply: str) -> None:
    assert told(reply, "tags") == GRADES


def test_the_sentence_may_be_missing_or_empty() -> None:
    assert told('{"style": 4, "logic": 2, "content": 5}', "json") == SILENT
    assert told('{"analysis": "", "style": 4, "logic": 2, "content": 5}', "json") == SILENT
    assert told(f"{S}{L}{C}", "tags") == SILENT
    assert told(f"<analysis></analysis>{S}{L}{C}", "tags") == SILENT


UNREADABLE = [
    json.loads(line)
    for line in Path(__file__)
    .with_name("unreadable_replies.jsonl")
    .read_text(encoding="utf-8")
    .splitlines()
]
LONG_REASON = "x" * 2001


def unreadable(form: Form) -> list[str]:
    return [row["reply"] for row in UNREADABLE if row["form"] == form]


@pytest.mark.parametrize(
    "reply",
    [
        *unreadable("json"),
        f'{{"analysis": "{LONG_REASON}", "content": 5, "logic": 2, "style": 4}}',
    ],
)
def test_what_is_not_exactly_one_object_is_never_guessed_at(reply: str) -> None:
    assert told(reply, "json") is None


@pytest.mark.parametrize(
    "reply", [*unreadable("tags"), f"<analysis>{LONG_REASON}</analysis>{S}{L}{C}"]
)
def test_what_is_not_exactly_the_tags_is_never_guessed_at(reply: str) -> None:
    assert told(reply, "tags") is None


def test_words_inside_the_sentence_are_no_grades() -> None:
    reason = '"style": 1, } ```json {"logic": 1} </analysis> 3/5 \\ "'
    reply = json.dumps({"analysis": reason, "content": 5, "logic": 2, "style": 4})

    assert told(reply, "json") == Grades(style=4.0, logic=2.0, content=5.0, reason=reason)


grades = st.fixed_dictionaries({aspect: st.integers(1, 5) for aspect in ASPECTS})


@given(grades, st.text(max_size=200), st.permutations(["analysis", *ASPECTS]), st.booleans())
def test_any_object_of_the_schema_is_read_back(
    values: dict[str, int],
    reason: str,
    names: list[str],
    indent: bool,
) -> None:
    members = {**values, "analysis": reason}
    reply = json.dumps({name: members[name] for name in names}, indent=2 if indent else None)

    assert told(reply, "json") == Grades(
        style=float(values["style"]),
        logic=float(values["logic"]),
        content=float(values["content"]),
        reason=reason.strip(),
    )


@pytest.mark.parametrize("names", list(permutations(ASPECTS)))
def test_tags_are_read_by_name_in_any_order(names: tuple[str, ...]) -> None:
    values = {"style": 4, "logic": 2, "content": 5}
    reply = "\n".join(f"<{name}>{values[name]}</{name}>" for name in names)

    assert told(reply, "tags") == SILENT


@given(st.text(), st.sampled_from(FORMS))
def test_no_text_makes_the_reading_fail(text: str, form: Form) -> None:
    assert told(text, form) is None


PIECES = ("{", "}", ",", ":", '"', "\\", "\\ud800", "\ud800", "\n", " ", "```", "```json\n", "<",
          *(f'"{name}"' for name in ("analysis", *ASPECTS)), *"0123456", '"style": 4', S, L, C,
          "<analysis>", "</analysis>", "é", "雪")  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join), st.sampled_from(FORMS))
def test_no_pieces_of_a_reply_make_the_reading_fail(text: str, form: Form) -> None:
    read = told(text, form)

    assert read is None or not read.weighted


@given(st.sampled_from([WHOLE, f"```json\n{WHOLE}\n```"]), st.data())
def test_a_reply_with_one_character_too_many_is_read_alike_or_not_at_all(
    reply: str, data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(reply)))
    extra = data.draw(st.sampled_from("0123456789.,:{}[]`\"'x/- \n"))

    read = told(reply[:at] + extra + reply[at:], "json")

    assert read is None or (read.style, read.logic, read.content) == (4.0, 2.0, 5.0)


@pytest.mark.parametrize(
    "text",
    [
        " " * LONG,
        "{" + " " * LONG,
        '{"style": 4' + "\n" * LONG + "x",
        '{"style": 4,' * (LONG // 12),
        '{"analysis": "' + "\\\\" * (LONG // 2),
        "```json " + "``` " * (LONG // 4) + "x",
        S * (LONG // len(S)),
        "<style>" + " " * LONG,
        f"{S}{L}{C}" + " " * LONG + "x",
        "<analysis>" * (LONG // 10),
    ],
    ids=lambda text: ascii(text[:12]),
)
def test_a_long_reply_is_refused_before_the_suite_gives_up(text: str) -> None:
    """In linear time a reply of this length takes milliseconds, in quadratic time hours."""
    assert [told(text, form) for form in FORMS] == [None, None]
