"""Console text: views as the terminal at hand can show them.

Names come from files and may hold any character. A control character in one would move the cursor
or change colours, so it is shown as "?".
"""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment

# For terminals without Unicode: one character for one, so that no column moves.
_ASCII = str.maketrans("–×·±─━●│├┤└┬→…", "-x,~-=o|||`+>.")


def safe_text(text: str) -> str:
    """Return *text* in one line, with "?" for each character that cannot be printed."""
    return "".join(c if c.isprintable() else "?" for c in text)


class ConsoleText:
    """A view whose every character the console can show."""

    def __init__(self, view: RenderableType) -> None:
        self._view = view

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Replace characters one for one, after the view was laid out."""
        for segment in console.render(self._view, options):
            if segment.control:
                yield segment
                continue
            text = "\n".join(safe_text(line) for line in segment.text.split("\n"))
            if options.ascii_only:
                text = text.translate(_ASCII).encode("ascii", "replace").decode()
            yield Segment(text, segment.style)
