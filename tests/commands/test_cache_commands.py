"""What ``cache verify`` and ``cache explain`` print, exit with, and leave alone."""

from __future__ import annotations

import pickle
import re
from collections.abc import Iterable
from io import StringIO
from pathlib import Path

import msgspec
import pytest
from processes import hydrometer, invoke
from rich.console import Console, RenderableType
from stored import cut, flip, key_of, make_cache, snapshot, sql, text_of

from hydrometer.cache.entry import Entry, encode_entry
from hydrometer.cache.inspection.explain import Explanation, explain_key
from hydrometer.cache.inspection.verify import Damage, OtherVersion, Verification, verify_cache
from hydrometer.cache.keys import KEY_VERSION, request_key
from hydrometer.providers.types import Message, Request, Response, Sampling, Usage
from hydrometer.report.terminal.cache_text import (
    explanation_lines,
    printable,
    printable_lines,
    verification_lines,
)
from hydrometer.report.terminal.cache_view import explanation_view, verification_view
from hydrometer.testing import make_response

ASKED = Request(
    identity="http:qwen2.5-7b-instruct@2024-09",
    messages=(
        Message(role="system", content="You are a helpful assistant."),
        Message(role="user", content='Who made "you"?\nAnswer in one line.'),
    ),
    sampling=Sampling(temperature=0.7, max_tokens=64, stop=("\n\n",), extra='{"top_k":5}'),
    draw=2,
)
ANSWERED = Response(
    text="I am Qwen, made by Alibaba Cloud.",
    finish="length",
    reasoning="They ask for my maker.",
    usage=Usage(input_tokens=1234, output_tokens=56),
    model="qwen2.5-7b-instruct-awq",
    fingerprint="fp_3a",
)
KEY = request_key(ASKED)
EXPLAINED = Explanation(
    key=KEY,
    folder="/caches/a",
    size_bytes=len(encode_entry(KEY, ASKED, ANSWERED)),
    stored_at=1_735_787_045.9,
    damage="",
    entry=Entry(key_version=KEY_VERSION, request=ASKED, response=ANSWERED),
    key_version=KEY_VERSION,
)
VERIFIED = Verification(
    folder="/caches/a",
    size_bytes=95_900_000,
    sound=29_996,
    other_versions=(OtherVersion(key_version=0, answers=12),),
    damaged=23,
    named=(
        Damage(key=KEY, rule="its digest does not match"),
        Damage(key="row 17", rule="foreign, not loaded: its key is no plain text"),
    ),
    database=("On tree page 4 cell 0: invalid page number 30418",),
)


def drawn(view: RenderableType) -> list[str]:
    """Return *view* as a terminal of 80 columns shows it, without colours."""
    console = Console(width=80, file=StringIO(), force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(view)
    return [line.rstrip() for line in capture.get().splitlines()]


def texts(lines: Iterable[str]) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in lines)


def test_a_sound_cache_exits_with_0_and_is_left_as_it_is(tmp_path: Path) -> None:
    make_cache(tmp_path, 44)
    before = snapshot(tmp_path)

    done = hydrometer("cache", "verify", "--cache", tmp_path, cwd=tmp_path.parent)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"44 answers in {tmp_path} (0.1 MB): all sound\n"
    assert snapshot(tmp_path) == before


def test_damage_exits_with_1_and_is_named_line_by_line(tmp_path: Path) -> None:
    database = make_cache(tmp_path, 20)
    flip(database, "answer 00007")
    sql(
        database,
        "INSERT INTO Cache (key, raw, mode, value) VALUES ('planted', 1, 4, ?)",
        pickle.dumps(print),
    )

    done = hydrometer("cache", "verify", "--cache", tmp_path, cwd=tmp_path.parent)
    quiet = hydrometer("cache", "verify", "-q", "--cache", tmp_path, cwd=tmp_path.parent)

    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"21 answers in {tmp_path} (0.0 MB): 19 sound, 2 damaged",
        f"damaged {key_of(7)}: its digest does not match",
        "damaged planted: foreign, not loaded: its value is a pickle",
    ]
    assert done.stderr == (
        f"hydrometer: damage found in {tmp_path}: 2 answers; "
        "nothing was changed: restore it from a copy, or use another cache\n"
    )
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (1, done.stdout, done.stderr)


def test_a_database_cut_in_the_middle_exits_with_1(tmp_path: Path) -> None:
    database = make_cache(tmp_path, 100)
    whole = database.stat().st_size
    cut(database, whole // 2)

    done = hydrometer("cache", "verify", "--cache", tmp_path, cwd=tmp_path.parent)

    assert done.returncode == 1
    assert done.stdout.splitlines()[1] == (
        f"database: cache.db is cut short: {whole // 2:,} of {whole:,} bytes are there"
    )
    assert done.stderr.startswith(f"hydrometer: damage found in {tmp_path}: the database itself;")


@pytest.mark.parametrize("command", [("verify",), ("explain", "0123abcd"), ("info",)])
@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "cache.db is empty"),
        (b"a letter " * 999, "file is not a database"),
    ],
)
def test_where_no_cache_can_be_read_the_exit_is_2(
    tmp_path: Path, command: tuple[str, ...], content: bytes, cause: str
) -> None:
    (tmp_path / "cache.db").write_bytes(content)

    done = invoke("cache", *command, "--cache", tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"hydrometer: the cache in {tmp_path} cannot be read: {cause}\n"


def test_a_key_cannot_be_looked_up_without_a_cache(tmp_path: Path) -> None:
    done = invoke("cache", "explain", "0123abcd", "--cache", tmp_path)

    assert done.returncode == 2
    assert done.stderr.endswith("cannot be read: there is none\n")


def test_no_cache_is_a_wrong_input_for_a_real_process_too(tmp_path: Path) -> None:
    done = hydrometer("cache", "verify", cwd=tmp_path, HYDROMETER_CACHE=str(tmp_path / "none"))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"hydrometer: there is no cache in {tmp_path / 'none'} yet; the first run makes it\n"
    )


def test_a_cache_without_answers_is_nothing_to_check(tmp_path: Path) -> None:
    make_cache(tmp_path, 0)

    done = invoke("cache", "verify", "--cache", tmp_path)

    assert done.returncode == 0
    assert done.stdout.endswith("nothing to check\n")


def test_quiet_says_nothing_of_a_sound_cache_and_verbose_how_long_it_took(tmp_path: Path) -> None:
    make_cache(tmp_path, 3)

    quiet = invoke("cache", "verify", "-q", "--cache", tmp_path)
    verbose = invoke("cache", "verify", "-v", "--cache", tmp_path)

    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    checked, took = verbose.stderr.splitlines()
    assert checked == "hydrometer: checked 3 answers"
    assert re.fullmatch(r"hydrometer: took \d+\.\d\d s", took)


def test_explain_shows_an_answer_by_the_first_digits_of_its_key(tmp_path: Path) -> None:
    make_cache(tmp_path, 20)

    done = hydrometer("cache", "explain", key_of(7)[:12], "--cache", tmp_path, cwd=tmp_path.parent)

    assert (done.returncode, done.stderr) == (0, "")
    said = texts(done.stdout.splitlines())
    assert said["key"] == key_of(7)
    assert said["state"] == "sound"
    assert said["user"] == msgspec.json.encode(text_of(7)).decode()
    assert said["answer"] == '"answer 00007"'


def test_a_key_that_is_wrong_unknown_or_ambiguous_exits_with_2(tmp_path: Path) -> None:
    database = make_cache(tmp_path, 3)
    for number in range(2):
        rename = "UPDATE Cache SET key = ? WHERE key = ?"
        sql(database, rename, "abcdef" + key_of(number)[6:], key_of(number))

    wrong, unknown, ambiguous = (
        invoke("cache", "explain", key, "--cache", tmp_path)
        for key in ("qwen", "ab" * 20, "abcdef")
    )

    assert [done.returncode for done in (wrong, unknown, ambiguous)] == [2, 2, 2]
    assert "hydrometer: a key is 40 hexadecimal digits" in wrong.stderr
    assert "has a key that begins with abababab" in unknown.stderr
    assert ambiguous.stderr == ("hydrometer: 2 keys begin with abcdef: give more of its digits\n")
    assert {done.stderr.count("\n") for done in (wrong, unknown, ambiguous)} == {1}


@pytest.mark.parametrize("name", ["verify", "explain", "info"])
def test_each_command_helps_with_an_example(name: str) -> None:
    assert f"Example: hydrometer cache {name}" in invoke("cache", name, "--help").stdout


def test_damage_is_drawn_within_80_columns() -> None:
    assert drawn(verification_view(VERIFIED)) == [
        "23 of 30,031 answers damaged",
        "  cache      /caches/a",
        "  on disk    95.9 MB",
        "  sound      29,996",
        "  version 0  12 sound, but keys are now of version 1: no request finds them",
        "  damaged    23",
        "  database   damaged, as follows",
        "",
        f"  {KEY[:12]}  its digest does not match",
        "  row 17        foreign, not loaded: its key is no plain text",
        "                and 21 more",
        "  database      On tree page 4 cell 0: invalid page number 30418",
        "",
    ]


def test_damage_has_a_line_for_each_thing_without_a_terminal() -> None:
    assert list(verification_lines(VERIFIED)) == [
        "30,031 answers in /caches/a (95.9 MB): 29,996 sound, 12 of key version 0, 23 damaged, "
        "database damaged",
        f"damaged {KEY}: its digest does not match",
        "damaged row 17: foreign, not loaded: its key is no plain text",
        "damaged: 21 more",
        "database: On tree page 4 cell 0: invalid page number 30418",
    ]


def test_an_answer_is_drawn_within_80_columns() -> None:
    assert drawn(explanation_view(EXPLAINED, whole=False)) == [
        f"answer {KEY}",
        "  state        sound",
        f"  stored       2025-01-02 03:04:05 UTC, {EXPLAINED.size_bytes:,} bytes, key version 1",
        "  identity     http:qwen2.5-7b-instruct@2024-09",
        "  mode         chat",
        "  draw         2",
        '  sampling     temperature 0.7, max_tokens 64, stop ["\\n\\n"], extra {"top_k":5}',
        "  answered by  qwen2.5-7b-instruct-awq",
        "  fingerprint  fp_3a",
        "  finish       length",
        "  usage        1,234 tokens in, 56 out",
        "",
        "system",
        "  You are a helpful assistant.",
        "",
        "user",
        '  Who made "you"?',
        "  Answer in one line.",
        "",
        "reasoning",
        "  They ask for my maker.",
        "",
        "answer",
        "  I am Qwen, made by Alibaba Cloud.",
        "",
    ]


def test_an_answer_is_a_line_for_each_fact_without_a_terminal() -> None:
    assert texts(explanation_lines(EXPLAINED, whole=False)) == {
        "key": KEY,
        "state": "sound",
        "stored": f"2025-01-02 03:04:05 UTC, {EXPLAINED.size_bytes:,} bytes, key version 1",
        "identity": "http:qwen2.5-7b-instruct@2024-09",
        "mode": "chat",
        "draw": "2",
        "sampling": 'temperature 0.7, max_tokens 64, stop ["\\n\\n"], extra {"top_k":5}',
        "answered by": "qwen2.5-7b-instruct-awq",
        "fingerprint": "fp_3a",
        "finish": "length",
        "usage": "1,234 tokens in, 56 out",
        "system": '"You are a helpful assistant."',
        "user": '"Who made \\"you\\"?\\nAnswer in one line."',
        "reasoning": '"They ask for my maker."',
        "answer": '"I am Qwen, made by Alibaba Cloud."',
    }


@pytest.mark.parametrize("text", ["x" * 3000, "line\n" * 300])
def test_a_long_text_is_cut_to_a_screen_unless_it_is_wanted_whole(text: str) -> None:
    entry = Entry(
        key_version=KEY_VERSION,
        request=Request(
            identity="i", mode="completion", messages=(Message(role="user", content=text),)
        ),
        response=Response(text="", refusal="content policy"),
    )
    found = msgspec.structs.replace(EXPLAINED, entry=entry)

    cut_short, whole = (drawn(explanation_view(found, whole=whole)) for whole in (False, True))

    assert len(cut_short) < 45 < len(whole)
    assert "prompt" in cut_short
    assert [line for line in cut_short if line.endswith("more characters, with -v")] != []
    assert "".join(line.strip() for line in whole).count(text[:4]) == text.count(text[:4])
    assert cut_short[-6:] == ["refusal", "  content policy", "", "answer", "  (nothing)", ""]


def test_a_damaged_answer_says_so_first(tmp_path: Path) -> None:
    flip(make_cache(tmp_path, 9), "answer 00007")

    lines = drawn(explanation_view(explain_key(tmp_path, key_of(7)), whole=False))

    assert lines[1] == "  state        damaged: its digest does not match; not to be trusted"
    assert lines[-2] == "  `nswer 00007"


def test_an_answer_of_another_key_version_says_why_nothing_is_shown() -> None:
    old = msgspec.structs.replace(EXPLAINED, entry=None, key_version=0)

    assert texts(explanation_lines(old, whole=False))["state"] == (
        "sound, but of a key version whose requests this version cannot read"
    )


def test_no_stored_text_moves_the_cursor_or_hides() -> None:
    assert printable("red \x1b[31m, back\r, 你好 \u202e") == "red \\x1b[31m, back\\r, 你好 \\u202e"
    assert printable_lines("one\n\ttwo\x07") == "one\n    two\\x07"


def test_a_time_that_cannot_be_is_left_out() -> None:
    absurd = msgspec.structs.replace(EXPLAINED, stored_at=1e300)

    assert texts(explanation_lines(absurd, whole=False))["stored"].endswith("bytes, key version 1")


def test_the_views_fit_what_was_really_found(tmp_path: Path) -> None:
    make_cache(tmp_path, 2)

    assert drawn(verification_view(verify_cache(tmp_path)))[0] == "2 answers, all sound"
    assert explain_key(tmp_path, key_of(1)).entry == Entry(
        key_version=KEY_VERSION,
        request=Request(
            identity="fake:model",
            messages=(Message(role="user", content=text_of(1)),),
            sampling=Sampling(temperature=0.0, max_tokens=64),
        ),
        response=make_response("answer 00001"),
    )
