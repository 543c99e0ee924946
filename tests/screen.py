"""A terminal, as much of one as a live line needs."""

from __future__ import annotations

import re

_PIECE = re.compile(r"\x1b\[\?*([0-9;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")


def screen(written: str, *, columns: int) -> list[str]:
    """Return the lines that *written* leaves, those that scrolled away included."""
    lines, row, column = [""], 0, 0
    for counted, order, control, text in _PIECE.findall(written):
        if control == "\r":
            column = 0
        elif control == "\n":
            row += 1
        elif order == "A":
            row = max(0, row - int(counted or 1))
        elif order == "K":
            assert counted == "2", f"erases in a way not known here: {counted!r}"
            lines[row] = ""
        elif not order:
            for letter in text:
                if column == columns:
                    row, column = row + 1, 0
                    lines += [""] * (row + 1 - len(lines))
                lines[row] = lines[row][:column].ljust(column) + letter + lines[row][column + 1 :]
                column += 1
        else:
            assert order in "mhl", f"an order not known here: {order!r}"
        lines += [""] * (row + 1 - len(lines))
    return [line.rstrip() for line in lines]
