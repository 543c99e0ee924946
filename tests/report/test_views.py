from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from rich.console import Console, RenderableType
from sample_scores import ONE, RATED, ToyScore

from hydrometer.engine.measurement import RunsSummary, Score
from hydrometer.report.tables.formats import to_csv, to_json, to_markdown
from hydrometer.report.terminal.scores.demo_view import demo_view
from hydrometer.report.terminal.scores.score_views import scores_view, summary_view
from hydrometer.report.views import GENERIC, VIEWS, group_by_view, view_of
from hydrometer.results.outcomes import DemoResult, ReplayResult

TOY = ToyScore(run="a", target="a")
OTHER = ToyScore(run="b", target="b", value=-0.25, count=1200, flags=("unfinished", "odd"))


def shown(view: RenderableType, width: int = 80, encoding: str = "utf-8") -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    Console(file=file, width=width, color_system=None).print(view)
    buffer = file.buffer
    assert isinstance(buffer, io.BytesIO)
    return [line.rstrip() for line in buffer.getvalue().decode(encoding).splitlines()]


def test_each_kind_of_score_has_its_own_view_and_others_the_generic_one() -> None:
    assert [view_of(score) for score in (RATED, ONE, TOY)] == [*VIEWS, GENERIC]


def test_scores_are_shown_kind_by_kind_and_unknown_kinds_last() -> None:
    groups = [members for _, members in group_by_view([TOY, ONE, RATED, OTHER])]

    assert groups == [[RATED], [ONE], [TOY, OTHER]]


def test_an_unknown_kind_has_a_row_for_each_score_with_numbers_to_the_right() -> None:
    assert shown(scores_view([TOY, OTHER])) == [
        "toy",
        "  metric length",
        "  certain true",
        "  words a;b",
        '  part {"name":"x","share":0.25}',
        "",
        "target   value  count  flags",
        "a        0.500      3",
        "b       -0.250   1200  unfinished;odd",
        "",
        "unfinished  The run was stopped before its end. Resume it, then score again.",
    ]


@pytest.mark.parametrize("width", [30, 60, 80, 120])
@pytest.mark.parametrize("number", [1, 2])
def test_many_columns_of_an_unknown_kind_go_on_below(number: int, width: int) -> None:
    wide: Any = msgspec.defstruct(
        "Wide",
        [("run", str), ("target", str), ("kind", str), ("flags", tuple[str, ...])]
        + [(f"a_column_number_{n}", float) for n in range(12)]
        + [("text", str)],
    )
    text = "a text of many words " * 10
    scores = [
        wide("r", "qwen", "wide", (), *(n + place / 1000 for n in range(12)), f"{place}{text}")
        for place in range(number)
    ]

    lines = shown(scores_view(scores), width)

    words = " ".join(lines).split()
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    assert {f"{n}.000" for n in range(12)} <= set(words)
    assert "".join(words).count("words") == 10 * number


def test_every_format_knows_an_unknown_kind() -> None:
    (row,) = csv.DictReader(io.StringIO(to_csv([OTHER])))
    head, rules, line = to_markdown([OTHER]).splitlines()

    assert json.loads(to_json([OTHER])) == [json.loads(msgspec.json.encode(OTHER))]
    assert list(row) == list(ToyScore.__struct_fields__)
    assert (row["value"], row["words"], row["flags"]) == ("-0.25", "a;b", "unfinished;odd")
    assert row["part"] == '{"name":"x","share":0.25}'
    assert head.count("|") == rules.count("|") == line.count("|")
    assert [cell.strip() for cell in rules.split("|")][5:7] == ["---:", "---:"]
    assert "| -0.250 | 1200 | true | a;b |" in line


def test_all_kinds_together_have_a_table_each() -> None:
    assert len(to_markdown([TOY, ONE, RATED]).split("\n\n")) == 3
    assert [row["kind"] for row in csv.DictReader(io.StringIO(to_csv([TOY, ONE, RATED])))] == [
        "toy",
        "rse",
        "ice",
    ]


def test_a_score_that_is_no_struct_is_shown_by_what_every_score_has() -> None:
    @dataclass(frozen=True)
    class Plain:
        run: str = "r"
        target: str = "[b]t\x1b"
        kind: str = "plain"
        flags: tuple[str, ...] = ("odd",)

    score: Score = Plain()

    assert "[b]t?, run r  odd" in shown(scores_view([score]))
    assert to_markdown([score]).splitlines()[2] == "| r | [b]t\x1b | plain | odd |"
    assert to_csv([score]).splitlines() == ["run,target,kind,flags", "r,[b]t\x1b,plain,odd"]


def test_terminal_without_unicode_gets_an_unknown_kind_too() -> None:
    none = msgspec.structs.replace(TOY, value=None, count=7)

    assert "".join(shown(scores_view([none, OTHER]), encoding="ascii")).isascii()


def test_a_summary_without_a_view_is_not_shown() -> None:
    assert summary_view(RunsSummary(value=object(), files={})) is None


def test_a_demo_of_an_unknown_kind_shows_its_scores() -> None:
    result = DemoResult(
        name="a", scores=(TOY,), truth=None, replay=ReplayResult(events=1, complete=True)
    )

    assert "toy" in shown(demo_view([result]))


@pytest.mark.parametrize("name", ["=cmd", "+1", "-1+2", "@sum", "\tx", "\rx"])
def test_csv_guards_text_that_a_spreadsheet_would_run(name: str) -> None:
    odd = msgspec.structs.replace(RATED, target=name, judge=name)

    (row,) = csv.DictReader(io.StringIO(to_csv([odd]), newline=""))

    assert (row["target"], row["judge"]) == (f"'{name}", f"'{name}")


@pytest.mark.parametrize("name", ["a=b", "1-2", "'=x", "", " =x"])
def test_csv_leaves_other_text_as_it_is(name: str) -> None:
    (row,) = csv.DictReader(io.StringIO(to_csv([msgspec.structs.replace(RATED, target=name)])))

    assert row["target"] == name


def test_csv_leaves_negative_numbers_as_numbers() -> None:
    negative = msgspec.structs.replace(ONE, mean=-0.5, order_effect=-0.125)

    (row,) = csv.DictReader(io.StringIO(to_csv([negative])))

    assert (row["mean"], row["order_effect"]) == ("-0.5", "-0.125")


def test_csv_guards_the_flags_of_an_unknown_kind() -> None:
    (row,) = csv.DictReader(io.StringIO(to_csv([ToyScore(run="a", target="a", flags=("=x", "y"))])))

    assert row["flags"] == "'=x;y"
