"""Score table: headings and cells as text, before any format is chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

S = TypeVar("S")


@dataclass(frozen=True)
class ScoreColumn(Generic[S]):
    """A heading, and the text of a score's cell below it. Numbers stand to the right."""

    heading: str
    cell: Callable[[S], str]
    number: bool = False


@dataclass(frozen=True, kw_only=True)
class ScoreTable:
    """A row of cells for each score; *numbers* says which columns hold numbers."""

    headings: tuple[str, ...]
    numbers: tuple[bool, ...]
    rows: tuple[tuple[str, ...], ...]


def tabulate(columns: Sequence[ScoreColumn[S]], scores: Sequence[S]) -> ScoreTable:
    """Return the table that *columns* make of *scores*."""
    return ScoreTable(
        headings=tuple(column.heading for column in columns),
        numbers=tuple(column.number for column in columns),
        rows=tuple(tuple(column.cell(score) for column in columns) for score in scores),
    )
