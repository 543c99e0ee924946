"""Prompt sets from the bytes of files, in each form and shape in which they are published."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping

import msgspec
import pytest

from hydrometer.engine.errors import FileInvalid
from hydrometer.engine.rse.prompt_files import parse_prompts
from hydrometer.engine.rse.prompt_sets import Finding, LoadedPrompts
from hydrometer.strategies.similarity.similarity_types import PromptTurns

ROWS: tuple[dict[str, object], ...] = (
    {"id": "a", "prompt": "Why?"},
    {"id": "b", "prompt": "你好\u2028吗？"},
)
PROMPTS = (
    PromptTurns(id="a", turns=("Why?",)),
    PromptTurns(id="b", turns=("你好\u2028吗？",), language="zh"),
)
TEXTS = (
    "holds a list of texts; needs one text, or the key turns where they are the turns of one "
    "conversation"
)
PRINTED = "has texts with no comma between them, as numpy prints an array; write the list as JSON"
EXPECTED = "needs prompt, turns (ArenaHard), problem (NuminaMath), or conversations or messages"


def read(
    data: bytes | str, *, max_chars: int = 1000, max_turns: int | None = None
) -> LoadedPrompts:
    raw = data.encode() if isinstance(data, str) else data
    return parse_prompts(raw, name="set", where="f", max_chars=max_chars, max_turns=max_turns)


def lines(*rows: Mapping[str, object]) -> bytes:
    return b"\n".join(msgspec.json.encode(row) for row in rows)


def as_csv(*rows: Mapping[str, object]) -> str:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def turns(row: Mapping[str, object]) -> tuple[str, ...]:
    (prompt,) = read(lines(row)).prompts.prompts
    return prompt.turns


def fault(data: bytes | str) -> str:
    with pytest.raises(FileInvalid) as raised:
        read(data)
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("data", "unit"),
    [
        (lines(*ROWS), "line"),
        (b"\n\n" + lines(*ROWS) + b"\n", "line"),
        (b"\xef\xbb\xbf" + lines(*ROWS), "line"),
        (as_csv(*ROWS), "line"),
        (msgspec.json.encode(ROWS), "row"),
        (msgspec.json.format(msgspec.json.encode(ROWS), indent=2), "row"),
        (msgspec.json.encode({"version": 1, "data": ROWS}), "row"),
        (msgspec.json.format(msgspec.json.encode({"rows": ROWS}), indent=2), "row"),
    ],
    ids=["jsonl", "blank-lines", "bom", "csv", "array", "pretty-array", "object", "pretty-object"],
)
def test_every_form_of_file_gives_the_same_prompts(data: bytes | str, unit: str) -> None:
    reading = read(data)

    assert reading.prompts.prompts == PROMPTS
    assert (reading.rows, reading.unit, reading.findings) == (2, unit, ())


@pytest.mark.parametrize(
    "data", [lines(ROWS[0]), msgspec.json.format(msgspec.json.encode(ROWS[0]), indent=2)]
)
def test_a_file_of_one_object_can_be_one_prompt(data: bytes) -> None:
    assert read(data).prompts.prompts == PROMPTS[:1]


def test_arena_hard_has_turns_and_a_cluster_that_is_finer_than_its_category() -> None:
    row = {
        "question_id": "9f2c",
        "category": "arena-hard-v0.1",
        "cluster": "Bridges",
        "turns": [{"content": "Who builds?"}],
    }

    assert read(lines(row)).prompts.prompts == (
        PromptTurns(id="9f2c", turns=("Who builds?",), stratum="Bridges"),
    )


def test_newer_arena_hard_has_a_prompt_and_a_subcategory() -> None:
    row = {"uid": "7a", "category": "hard", "subcategory": "coding", "prompt": "Write it."}

    assert read(lines(row)).prompts.prompts == (
        PromptTurns(id="7a", turns=("Write it.",), stratum="coding"),
    )


def test_turns_can_be_plain_texts_which_are_all_human() -> None:
    row = {"question_id": 81, "category": "writing", "turns": ["Write.", "Again."]}

    assert read(lines(row)).prompts.prompts == (
        PromptTurns(id="81", turns=("Write.", "Again."), stratum="writing"),
    )


def test_numina_math_is_its_problem_whatever_else_stands_in_the_row() -> None:
    row = {
        "source": "olympiads",
        "problem": "Find $x$.",
        "solution": "Human: no",
        "messages": [{"role": "user", "content": "Find $x$. Think."}],
    }

    (prompt,) = read(lines(row)).prompts.prompts

    assert (prompt.turns, prompt.stratum, prompt.language) == (("Find $x$.",), "olympiads", "en")


@pytest.mark.parametrize("key", ["conversations", "conversation", "messages"])
@pytest.mark.parametrize(
    ("who", "what", "human", "model"),
    [("from", "value", "human", "gpt"), ("role", "content", "User ", "assistant")],
)
def test_conversations_give_their_human_turns(
    key: str, who: str, what: str, human: str, model: str
) -> None:
    said = ((human, "Hi."), (model, "Hello."), (human, "Bye."), (model, None), (human, "Still?"))

    assert turns({key: [{who: speaker, what: text} for speaker, text in said]}) == (
        "Hi.",
        "Bye.",
        "Still?",
    )


def test_a_prompt_can_be_a_list_of_messages() -> None:
    said = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi."}]

    assert turns({"prompt": said}) == ("Hi.",)


TABLES: dict[str, tuple[Mapping[str, object], list[tuple[str, ...]]]] = {
    "prompts": ({"prompt": ["a", "b"]}, [("a",), ("b",)]),
    "one-prompt": ({"prompt": ["a"]}, [("a",)]),
    "problems": ({"problem": ["a", "b"], "source": ["x", "y"]}, [("a",), ("b",)]),
    "gaps": ({"problem": [None, "b"], "prompt": ["a", None]}, [("a",), ("b",)]),
    "messages": (
        {"id": [1, 2], "messages": [[{"role": "user", "content": t}] for t in "ab"]},
        [("a",), ("b",)],
    ),
    "turns": ({"turns": [["a", "b"], ["c"]]}, [("a", "b"), ("c",)]),
    "a-row-of-turns": ({"turns": ["a", "b"]}, [("a", "b")]),
    "a-row-of-messages": ({"prompt": [{"role": "user", "content": "a"}]}, [("a",)]),
    "a-row-with-an-id": ({"id": "x", "turns": ["a", "b"], "reference": ["c", "d"]}, [("a", "b")]),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("pretty", [False, True])
def test_a_dict_of_lists_is_a_table_by_columns_unless_it_is_a_row(name: str, pretty: bool) -> None:
    table, expected = TABLES[name]
    data = msgspec.json.encode(table)

    reading = read(msgspec.json.format(data, indent=2) if pretty else data)

    assert [prompt.turns for prompt in reading.prompts.prompts] == expected
    assert reading.rows == len(expected)


def test_columns_keep_ids_and_strata_together() -> None:
    table = {"uid": ["x", "y"], "problem": ["a", "b"], "source": ["s", "t"]}

    assert read(msgspec.json.encode(table)).prompts.prompts == (
        PromptTurns(id="x", turns=("a",), stratum="s"),
        PromptTurns(id="y", turns=("b",), stratum="t"),
    )


def test_texts_are_kept_as_they_are() -> None:
    assert turns({"prompt": " a\r\n\tb\u00a0 "}) == (" a\r\n\tb\u00a0 ",)


@pytest.mark.parametrize(
    ("declared", "language"),
    [("Chinese", "zh"), ("English", "en"), ("de", "de"), ("", "zh"), (None, "zh"), (3.5, "zh")],
)
def test_a_declared_language_counts_before_the_one_that_the_text_shows(
    declared: object, language: str
) -> None:
    (prompt,) = read(lines({"prompt": "你好", "language": declared})).prompts.prompts

    assert prompt.language == language


@pytest.mark.parametrize(
    "cell",
    [
        '[{"from": "human", "value": "Hi.\\n"}, {"from": "gpt", "value": "It\'s me."}]',
        "[{'from': 'human', 'value': 'Hi.\\n'}, {'from': 'gpt', 'value': \"It's me.\"}]",
        "[{'from': 'human',\n'value': 'Hi.\\n'}]",
    ],
    ids=["json", "python", "python-over-lines"],
)
def test_lists_in_csv_are_read_as_json_or_as_python_writes_them(cell: str) -> None:
    (prompt,) = read(as_csv({"id": "a", "conversations": cell})).prompts.prompts

    assert prompt == PromptTurns(id="a", turns=("Hi.\n",))


def test_a_table_of_several_shapes_takes_from_each_row_what_is_filled_in() -> None:
    text = as_csv({"problem": "", "prompt": "Why?"}, {"problem": "Find x.", "prompt": ""})

    assert [prompt.turns for prompt in read(text).prompts.prompts] == [("Why?",), ("Find x.",)]


def test_places_are_lines_of_a_text_and_rows_of_an_array() -> None:
    rows: list[dict[str, object]] = [*ROWS, {"prompt": " "}, {"prompt": None}]

    assert read(b"\n" + lines(*rows)).findings == (
        Finding(what="empty", count=2, places=(4, 5)),
    )  # fmt: skip
    assert read(msgspec.json.encode(rows)).findings == (
        Finding(what="empty", count=2, places=(3, 4)),
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("", "f holds no prompt"),
        ("[]", "f holds no prompt"),
        ("prompt\n", "f holds no prompt"),
        (b"\xff\xfe{", "f is not UTF-8 text (byte 0); save it as UTF-8"),
        (
            '{"prompt": "a"}\n{"question": "a", "answer": "b"}',
            f"f:2: found the keys question, answer; {EXPECTED}",
        ),
        ("question,answer\na,b\n", f"f:2: found the keys question, answer; {EXPECTED}"),
        ('[{"prompt": "a"}, {}]', f"f, row 2: found the keys (none); {EXPECTED}"),
        ('{"question": "a"}', f"f: found the keys question; {EXPECTED}"),
        ('{"data": [{"q": 1}]}', f"f, row 1: found the keys q; {EXPECTED}"),
        ('{"test": [], "train": []}', "f: found the lists test, train; needs one, of the prompts"),
        ('["a"]', "f, row 1: must be a JSON object"),
        ('[{"prompt": "a"}', "f: not JSON: Input data was truncated"),
        ('[{"prompt": "a"}, {"prompt": "\\ud800"}]', "f, row 2: \\ud800 is half of a character"),
        ('[{"prompt": "a"}, {"prompt": "\\ude00 b"}]', "f, row 2: \\ude00 is half of a character"),
        ('{"data":\n[{}, {"prompt": "\\ud83d."}]}', "f, row 2: \\ud83d is half of a character"),
        ('{"prompt": ["a", "\\ud83d"]}', "f: \\ud83d is half of a character"),
        ('[{"prompt": "a"}, {"prompt": NaN}]', "f, row 2: not JSON: "),
        ('[{"prompt": 1e999}]', "f, row 1: not JSON: "),
        ("[" * 200_000, "f: not JSON: "),
        ('{"prompt": "a"}\n{"prompt"', "f:2: not JSON: Input data was truncated"),
        ('{"prompt"\n{"prompt": "a"}', "f:1: not JSON: "),
        ('{"prompt": 7}', "f:1: prompt must be a text or a list of turns"),
        ('{"prompt": ["a", "b"], "version": 1}', f"f:1: prompt {TEXTS}"),
        ('{"prompt": ["a", "b"], "other": ["c"]}', f"f:1: prompt {TEXTS}"),
        ('{"prompt": "a"}\n{"problem": ["a"]}', f"f:2: problem {TEXTS}"),
        ('[{"prompt": ["a", "b"]}]', f"f, row 1: prompt {TEXTS}"),
        (
            '{"id": ["x", "y"], "turns": ["a", "b"]}',
            "f, row 1: turns must be a list of turns, written as JSON",
        ),
        (
            msgspec.json.encode(dict.fromkeys(map(str, range(30)), "a")),
            f"f: found the keys {', '.join(map(str, range(20)))}, ...; {EXPECTED}",
        ),
        ("turns\n\"['a' 'b']\"", f"f:2: turns {PRINTED}"),
        ("id,turns\n1,\"['a']\"\n2,\"['a'\n \"\"it's\"\"]\"", f"f:4: turns {PRINTED}"),
        ("messages\n\"[{'role': 'user', 'content': 'a' 'b'}]\"", f"f:2: messages {PRINTED}"),
        ('{"messages": {"role": "user"}}', "f:1: messages must be a text or a list of turns"),
        ('{"messages": "hi"}', "f:1: messages must be a list of turns, written as JSON"),
        (
            "messages\n['\\ud800']",
            "f:2: messages must be a list of turns, written as JSON",
        ),
        (
            '{"messages": ["hi"]}',
            "f:1: messages[0] must be an object with from and value, or role and content",
        ),
        (
            '{"messages": [{"role": "user", "content": "a"}, {"user": "b", "text": "c"}]}',
            "f:1: messages[1]: found the keys user, text; "
            "needs from and value, or role and content",
        ),
        (
            '{"messages": [{"content": "a"}]}',
            "f:1: messages[0]: found the keys content; needs from and value, or role and content",
        ),
        (
            '{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}',
            "f:1: messages[0] must hold a text, and nothing but text",
        ),
        (
            '{"messages": [{"role": "customer", "content": "a"}]}\n{"messages": []}',
            "f holds no prompt: 2 rows left out, without a human turn (lines 1, 2); "
            "speakers found: 'customer'; needs human or user",
        ),
        ('{"prompt": ""}', "f holds no prompt: 1 row left out, without text (line 1)"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named_with_its_place(data: bytes | str, said: str) -> None:
    if said.endswith(": "):
        assert fault(data).startswith(said)
    else:
        assert fault(data) == said


def test_a_models_turn_may_hold_what_it_likes() -> None:
    said = [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": [{"tool": 1}]}]

    assert turns({"messages": said}) == ("Hi.",)


def test_parquet_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    assert fault(b"PAR1....PAR1") == (
        "f is Parquet, which needs the pyarrow package: pip install 'hydrometer[parquet]'"
    )


def to_parquet(*rows: Mapping[str, object]) -> bytes:
    arrow = pytest.importorskip("pyarrow", reason="the parquet extra is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    sink = arrow.BufferOutputStream()
    parquet.write_table(arrow.Table.from_pylist(list(rows)), sink)
    return bytes(sink.getvalue())


def test_parquet_gives_the_same_prompts_by_number_of_row() -> None:
    reading = read(to_parquet(*ROWS, {"id": "c", "prompt": None}))

    assert reading.prompts.prompts == PROMPTS
    assert (reading.rows, reading.unit) == (3, "row")
    assert reading.findings == (Finding(what="empty", count=1, places=(3,)),)


def test_parquet_holds_conversations() -> None:
    said = [{"from": "human", "value": "Hi."}, {"from": "gpt", "value": "Hello."}]

    (prompt,) = read(to_parquet({"id": "a", "conversations": said})).prompts.prompts

    assert prompt == PromptTurns(id="a", turns=("Hi.",))


def test_parquet_of_more_rows_than_one_batch_is_numbered_through() -> None:
    rows = ({"prompt": "" if n in (1, 2050) else f"n{n}"} for n in range(1, 2101))

    assert read(to_parquet(*rows)).findings == (Finding(what="empty", count=2, places=(1, 2050)),)


def test_parquet_of_another_shape_says_which_columns_were_found() -> None:
    assert fault(to_parquet({"q": 1, "a": 2})) == f"f: found the keys q, a; {EXPECTED}"


def test_damaged_parquet_is_named_in_one_line() -> None:
    whole = to_parquet(*ROWS)
    page = whole[:8] + b"\xff" * 60 + whole[68:]

    for broken in (whole[:-30], page):
        assert fault(broken).startswith("f: not Parquet that can be read: ")
