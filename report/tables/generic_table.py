"""Scores without a view of their own, as a table: a column for each field, whatever it holds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from ...engine.measurement import Score
from .number_text import NONE
from .score_table import ScoreTable

_ALWAYS = ("run", "target", "kind", "flags")  # what every score has


def field_names(score: Score) -> tuple[str, ...]:
    """Return the keys of a score, in the order of its JSON."""
    names: tuple[str, ...] = getattr(score, "__struct_fields__", _ALWAYS)
    return names


def generic_table(scores: Sequence[Score]) -> ScoreTable:
    """Return a row for each of *scores*, which are of one type."""
    names = field_names(scores[0]) if scores else _ALWAYS
    columns = [[getattr(score, name, None) for score in scores] for name in names]
    cells = [[value_text(value) for value in column] for column in columns]
    return ScoreTable(
        headings=names,
        numbers=tuple(_holds_numbers(column) for column in columns),
        rows=tuple(zip(*cells, strict=True)),
    )


def value_text(value: object) -> str:
    """Return the value of any field as short text: numbers to three decimals, lists with ";"."""
    match value:
        case float():
            return f"{value:.3f}" if math.isfinite(value) else NONE
        case None:
            return NONE
        case str():
            return value
        case list() | tuple() | set() | frozenset():
            return ";".join(value_text(item) for item in value)
        case _:
            return json_text(value)


def json_text(value: object) -> str:
    """Return a nested value in one line, as in the JSON; a value that JSON cannot hold by str()."""
    try:
        return msgspec.json.encode(value, order="sorted").decode()
    except (TypeError, ValueError):
        return str(value)


def _holds_numbers(column: Sequence[object]) -> bool:
    values = [value for value in column if value is not None]
    return bool(values) and all(
        isinstance(value, (int, float)) and not isinstance(value, bool) for value in values
    )
