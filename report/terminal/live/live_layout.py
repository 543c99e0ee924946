"""Live layout: column widths of the live lines, and facts packed into lines."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

_BAR_LEAST, _BAR_MOST = 8, 32
_NAME_LEAST = 12
_GAPS = 3  # columns between name, bar, count and clock


class LiveLayout:
    """The widths of the columns of live lines, the same for all runs.

    *names*, *counts* and *clocks* are the texts in the columns. A name that leaves no room for the
    rest is cut.
    """

    def __init__(
        self, width: int, *, names: Sequence[str], counts: Sequence[str], clocks: Sequence[str]
    ) -> None:
        self.width = width
        self.count = _widest(counts)
        self.clock = _widest(clocks)
        room = width - self.count - self.clock - _GAPS
        self.name = min(_widest(names), max(_NAME_LEAST, room - _BAR_LEAST))
        bar = room - self.name
        self.bar = min(bar, _BAR_MOST) if bar >= _BAR_LEAST else 0


def packed(facts: Sequence[str], width: int) -> list[str]:
    """Return *facts* in as few lines as *width* allows.

    A fact is broken only if it is longer than a line.
    """
    lines: list[str] = []
    for fact in facts:
        longer = f"{lines[-1]} · {fact}" if lines else fact
        if lines and cell_len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(fact)
    return lines


def _widest(texts: Sequence[str]) -> int:
    return max(map(cell_len, texts), default=0)
