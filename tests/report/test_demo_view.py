"""The demo's tables: no width cuts a figure, and the picture of the README shows them."""

from __future__ import annotations

import io
import re
from html import unescape
from importlib import resources
from pathlib import Path

import anyio
import pytest
from rich.console import Console

from hydrometer.commands.demo import run_demo
from hydrometer.commands.listener import SilentListener
from hydrometer.commands.plugins import Plugins
from hydrometer.report.terminal.scores.demo_view import demo_view
from hydrometer.results.outcomes import DemoResult

PICTURE = Path(str(resources.files("hydrometer"))) / "docs" / "demo.svg"
FIGURES = {
    "242/600",
    "244/600",
    "0.407",
    "0.319–0.497",
    "23%→58%",
    "3.319",
    "3.187–3.452",
    "4.963.",
}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoResult, ...]:
    return anyio.run(run_demo, tmp_path_factory.mktemp("demo"), SilentListener(), Plugins())


def shown(results: tuple[DemoResult, ...], width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(demo_view(results))
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_width_cuts_or_breaks_a_figure(results: tuple[DemoResult, ...], width: int) -> None:
    lines = shown(results, width)

    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    assert set(" ".join(lines).split()) >= FIGURES


def test_the_tables_fit_into_80_columns_in_one_piece(results: tuple[DemoResult, ...]) -> None:
    (heading, similarity) = [line for line in shown(results, 80) if "replay" in line.split()[1:]]

    assert heading.split()[:2] == ["target", "metric"]
    assert similarity.split()[0] == "planted"


def test_the_names_of_the_writers_are_what_was_planted(results: tuple[DemoResult, ...]) -> None:
    names = [result.name for result in results][3:]
    firsts = [line.split()[0] for line in shown(results, 80) if line.endswith("  same")]

    assert names == ["copy", "paraphrase", "family", "unrelated"]
    assert firsts[3:] == names


def test_a_note_has_the_name_of_its_column(results: tuple[DemoResult, ...]) -> None:
    lines = shown(results, 80)

    assert "1st→2nd half" in lines[2]
    assert any(line.startswith("1st→2nd half  Planted claims") for line in lines)


def test_the_picture_shows_every_line_of_the_demo(results: tuple[DemoResult, ...]) -> None:
    drawn = unescape(PICTURE.read_text(encoding="utf-8"))

    words = {part for line in shown(results, 80) for part in re.split(r"\s{2,}", line.strip())}
    assert {part for part in words - {""} if f">{part}</text>" not in drawn} == set()
