"""Tables for any width: columns that do not fit follow below, beside the same names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import msgspec
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from .console_text import safe_text

_HEADING_MOST = 24  # a longer one is broken over lines
_NAME_LEAST = 12
_TEXT_MOST = 40  # columns of a longer text, which is broken over lines


class TableCell(msgspec.Struct, frozen=True):
    """A value, and on a second line what belongs to it, such as its interval."""

    text: str
    below: str = ""


class TableRow(msgspec.Struct, frozen=True, kw_only=True):
    """A name, and a cell for each heading of its table."""

    name: str
    cells: Sequence[TableCell]
    style: str = ""


class Columns:
    """A table whose numbers are never cut or broken; names and texts may be broken over lines.

    *texts* are the numbers of the columns that hold text: it stands to the left.
    """

    def __init__(
        self,
        corner: str,
        headings: Sequence[str],
        rows: Sequence[TableRow],
        *,
        texts: Collection[int] = (),
    ) -> None:
        self._corner = safe_text(corner)
        self._headings = [safe_text(heading) for heading in headings]
        self._rows = rows
        self._texts = texts
        self._widths = [self._width(number) for number in range(len(headings))]

    def _width(self, number: int) -> int:
        heading = min(cell_len(self._headings[number]), _HEADING_MOST)
        cells = (row.cells[number] for row in self._rows)
        widest = max((cell_len(line) for c in cells for line in (c.text, c.below)), default=0)
        return max(heading, min(widest, _TEXT_MOST) if number in self._texts else widest)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield as few tables as the width allows, with all names beside each."""
        width = options.max_width
        names = (self._corner, *(safe_text(row.name) for row in self._rows))
        longest = max(cell_len(name) for name in names)
        gap = 2 if longest + sum(self._widths) + 2 * len(self._widths) <= width else 1
        if longest + sum(self._widths) + gap * len(self._widths) > width:
            longest = min(longest, max(_NAME_LEAST, width * 2 // 5))
        for number, block in enumerate(self._blocks(width - longest, gap)):
            if number:
                yield Text()
            yield self._table(longest, block, gap)

    def _blocks(self, room: int, gap: int) -> Iterator[list[int]]:
        block: list[int] = []
        left = room
        for number, width in enumerate(self._widths):
            if block and width + gap > left:
                yield block
                block, left = [], room
            block.append(number)
            left -= width + gap
        yield block

    def _table(self, name_width: int, block: Sequence[int], gap: int) -> Table:
        table = Table.grid(padding=(0, gap, 0, 0))
        table.add_column(width=name_width, overflow="fold")
        for number in block:
            table.add_column(
                width=self._widths[number],
                justify="left" if number in self._texts else "right",
                overflow="fold",
            )
        headings = (self._corner, *(self._headings[number] for number in block))
        table.add_row(*(Text(heading, "dim") for heading in headings))
        for row in self._rows:
            cells = (row.cells[number] for number in block)
            name = Text(safe_text(row.name), row.style)
            table.add_row(name, *(_text(cell, row.style) for cell in cells))
        return table


def _text(cell: TableCell, style: str) -> Text:
    if not cell.below:
        return Text(cell.text, style)
    return Text.assemble((cell.text, style), "\n", (cell.below, "dim"))


def plain_table(title: str) -> Table:
    """Return an empty table with a bold title and no lines."""
    return Table(
        title=Text(title), title_justify="left", title_style="bold", box=None, padding=(0, 1)
    )
