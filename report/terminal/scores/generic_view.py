"""Generic view: scores without a view of their own, a row for each score.

What is the same in all rows stands in the title, so that the columns hold what differs.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from ....engine.measurement import Score
from ...tables.generic_table import generic_table
from ...tables.number_text import NONE
from ...tables.score_table import ScoreTable
from ...terms import OTHER_SCORES, flags_raised
from ..columns import Columns, TableCell, TableRow
from ..console_text import ConsoleText, safe_text
from .notes import note_table, notes_of

_NAMES = ("run", "target", "kind")  # in the title and at the left of each row


def generic_view(scores: Sequence[Score]) -> RenderableType:
    """Return a table that fits the terminal, numbers to the right."""
    table = generic_table(scores)
    shared, own = _split(table)
    rows = [
        TableRow(name=_name(score), cells=[TableCell(row[column]) for column in own])
        for score, row in zip(scores, table.rows, strict=True)
    ]
    columns = Columns(
        "target",
        [table.headings[column] for column in own],
        rows,
        texts=[place for place, column in enumerate(own) if not table.numbers[column]],
    )
    title = Text(" and ".join(dict.fromkeys(safe_text(score.kind) for score in scores)), "bold")
    facts = [Padding(Text(safe_text(fact), "dim"), (0, 0, 0, 2), expand=False) for fact in shared]
    flags = notes_of(flags_raised(OTHER_SCORES, scores))
    notes: list[RenderableType] = [Text(), note_table((), flags)] if flags else []
    return ConsoleText(Group(title, *facts, Text(), columns, *notes))


def _split(table: ScoreTable) -> tuple[list[str], list[int]]:
    """Return the texts that all rows share, and the numbers of the other columns."""
    shared: list[str] = []
    own: list[int] = []
    for number, heading in enumerate(table.headings):
        values = {row[number] for row in table.rows}
        if heading in _NAMES:
            continue
        if table.numbers[number] or len(values) > 1 or len(table.rows) < 2:
            own.append(number)
        elif (value := values.pop()) not in ("", NONE):
            shared.append(f"{heading} {value}")
    return shared, own


def _name(score: Score) -> str:
    return score.target if score.run == score.target else f"{score.target}, run {score.run}"
