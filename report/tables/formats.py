"""Formats of scores: JSON and CSV for other programs, Markdown for documents."""

from __future__ import annotations

import csv
from collections.abc import Sequence

from ...engine.measurement import Score
from ...results.scoring import encode_scores
from ..views import group_by_view, view_of
from .csv_cells import guarded
from .score_table import ScoreTable

to_json = encode_scores


def to_csv(scores: Sequence[Score]) -> str:
    """Return a line for each score. The columns are the keys of the JSON.

    Flags are joined by ";", a missing value is empty, weights are written as style/logic/content.
    Scores of several kinds leave each other's columns empty. There is a header line even without
    scores. Text that a spreadsheet would run begins with an apostrophe.
    """
    rows = [guarded(view_of(score).csv_cells(score)) for score in scores]
    columns = dict.fromkeys(name for row in rows for name in row)
    if not scores:
        columns = dict.fromkeys(
            name for view, _ in group_by_view(()) for name in view.score_type.__struct_fields__
        )
    lines = _Lines()
    writer = csv.DictWriter(lines, columns, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return "".join(lines.written)


def to_markdown(scores: Sequence[Score]) -> str:
    """Return a pipe table for each kind of score, to three decimals; flags are joined by ";"."""
    return "\n".join(_pipe_table(view.table(members)) for view, members in group_by_view(scores))


class _Lines:
    """Lines of CSV that end in a line feed.

    The writer quotes a text only if it holds a character of the line end, so it is told of both.
    """

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, line: str) -> None:
        self.written.append(line.removesuffix("\r\n") + "\n")


def _pipe_table(table: ScoreTable) -> str:
    rules = ["---:" if number else "---" for number in table.numbers]
    rows = [[_escaped(cell) for cell in row] for row in table.rows]
    lines = (table.headings, rules, *rows)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _escaped(text: str) -> str:
    """Return *text* so that a user's name cannot end its cell or its line."""
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").split())
