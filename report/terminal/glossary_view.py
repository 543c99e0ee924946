"""Glossary view: the meaning of every metric, column and flag of some scores."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...engine.measurement import Score
from ..glossary import entries_for
from .console_text import ConsoleText

_TERM_MOST = 26  # a longer term is broken over lines


def glossary_view(scores: Sequence[Score]) -> RenderableType:
    """Return the entries that apply to *scores*, under a heading each."""
    found = entries_for(scores)
    widths = [cell_len(term) for entries in found.values() for term in entries]
    parts: list[RenderableType] = []
    for heading, entries in found.items():
        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(width=min(_TERM_MOST, max(widths)), overflow="fold")
        grid.add_column(overflow="fold")
        for term, meaning in entries.items():
            grid.add_row(Text(term, "cyan"), Text(meaning))
        parts += [Text(f"\n{heading}", "bold"), grid]
    return ConsoleText(Group(*parts))
