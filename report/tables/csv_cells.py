"""CSV cells: fields of a score as a spreadsheet reads them, and never runs them."""

from __future__ import annotations

from collections.abc import Mapping

from ...engine.measurement import Score
from ...scoring.similarity_scores import SimilarityScore
from .generic_table import field_names, json_text
from .number_text import weights_text

Cell = str | int | float | None

# A spreadsheet takes a cell that begins so for a formula, and runs it.
_RUN = ("=", "+", "-", "@", "\t", "\r")


def score_cells(score: Score) -> dict[str, Cell]:
    """Return a cell for each field; lists, such as the flags, are joined by ";"."""
    return {name: _cell(getattr(score, name, None)) for name in field_names(score)}


def similarity_cells(score: SimilarityScore) -> dict[str, Cell]:
    """Return the same, with the weights as style/logic/content."""
    return score_cells(score) | {"weights": weights_text(score)}


def guarded(cells: Mapping[str, Cell]) -> dict[str, Cell]:
    """Return *cells* with an apostrophe before every text that a spreadsheet would run.

    Numbers stay as they are, negative ones too.
    """
    return {
        name: f"'{cell}" if isinstance(cell, str) and cell.startswith(_RUN) else cell
        for name, cell in cells.items()
    }


def _cell(value: object) -> Cell:
    match value:
        case None | str() | int() | float():
            return value
        case list() | tuple() | set() | frozenset():
            return ";".join(str(_cell(item)) for item in value)
        case _:
            return json_text(value)
