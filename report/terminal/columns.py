"""Tables for any width: columns that find no room go on below, beside the same names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

_HEADING_MOST = 24  # a longer one is broken over lines
_NAME_LEAST = 12
# For terminals that cannot show them; one character for one, so that no column moves.
_ASCII = str.maketrans("–±─│├└┬", "-~-||`+")


class TableCell(msgspec.Struct, frozen=True):
    """One value, and under it what it is believed by, such as an interval."""

    text: str
    below: str = ""


class TableRow(msgspec.Struct, frozen=True, kw_only=True):
    """A name, and a cell for each heading of its table."""

    name: str
    cells: Sequence[TableCell]
    style: str = ""


class Columns:
    """A table whose numbers are never cut or broken, and whose names are broken at worst."""

    def __init__(self, corner: str, headings: Sequence[str], rows: Sequence[TableRow]) -> None:
        self._corner = corner
        self._headings = headings
        self._rows = rows
        self._widths = [
            max(
                [
                    min(cell_len(heading), _HEADING_MOST),
                    *(cell_len(text) for row in rows for text in _lines(row.cells[number])),
                ]
            )
            for number, heading in enumerate(headings)
        ]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield as few tables as the width allows, with all names beside each."""
        width = options.max_width
        longest = max(cell_len(name) for name in (self._corner, *(r.name for r in self._rows)))
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
            table.add_column(width=self._widths[number], justify="right", overflow="fold")
        headings = (self._corner, *(self._headings[number] for number in block))
        table.add_row(*(Text(heading, "dim") for heading in headings))
        for row in self._rows:
            cells = (row.cells[number] for number in block)
            table.add_row(Text(row.name, row.style), *(_text(cell, row.style) for cell in cells))
        return table


class Shown:
    """A view as the console can show it: with its characters, and without moving the cursor."""

    def __init__(self, view: RenderableType) -> None:
        self._view = view

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Replace characters one for one; a name from a file may hold any."""
        for segment in console.render(self._view, options):
            if segment.control:
                yield segment
                continue
            text = segment.text.translate(_ASCII) if options.ascii_only else segment.text
            text = "".join(c if c.isprintable() or c == "\n" else "?" for c in text)
            if options.ascii_only:
                text = text.encode("ascii", "replace").decode()
            yield Segment(text, segment.style)


def _lines(cell: TableCell) -> tuple[str, str]:
    return cell.text, cell.below


def _text(cell: TableCell, style: str) -> Text:
    if not cell.below:
        return Text(cell.text, style)
    return Text.assemble((cell.text, style), "\n", (cell.below, "dim"))
