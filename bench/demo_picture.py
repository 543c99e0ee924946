"""Picture of the demo for the README: runs ``hydrometer demo`` and draws what it prints as SVG.

``python -m bench.demo_picture``, from a checkout. rich reads what the command prints, and gives
every piece of text its style. The drawing has its own background, so it is readable on a dark and
on a light page, and it loads no font.
"""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
import tempfile
from html import escape
from pathlib import Path

from rich.color import Color
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme
from rich.text import Text

PICTURE = Path(__file__).parent.parent / "docs" / "demo.svg"
COLUMNS = 80
FONT, LINE, CELL = 14, 19, 8.43  # of a character, in pixels
MARGIN, TITLE = 16, 34

THEME = TerminalTheme(
    (22, 27, 34),
    (230, 237, 243),
    [
        (110, 118, 129),
        (255, 123, 114),
        (126, 231, 135),
        (242, 204, 96),
        (121, 192, 255),
        (210, 168, 255),
        (118, 227, 234),
        (230, 237, 243),
    ],
)
FAINT, BORDER = "#9aa4af", "#3d444d"
_WORDS = re.compile(r"\S+(?: \S+)*")
COMMAND = ("demo", "--out", "demo")


def main() -> None:
    """Run the demo in an empty folder, and write docs/demo.svg."""
    with tempfile.TemporaryDirectory() as folder:
        printed = subprocess.run(
            [sys.executable, "-m", "hydrometer", *COMMAND],
            cwd=folder,
            env=os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS), "PATH": _path()},
            capture_output=True,
            check=True,
            encoding="utf-8",
        ).stdout
    lines = [Text("$ hydrometer " + " ".join(COMMAND), "bold green"), Text()]
    lines += Text.from_ansi(printed.strip("\n")).split("\n", allow_blank=True)
    PICTURE.write_text(drawing(lines), encoding="utf-8")
    print(f"wrote {PICTURE}, {PICTURE.stat().st_size:,} bytes")


def _path() -> str:
    """Return the search path with this environment first, so that the command has a short name."""
    return os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))


def drawing(lines: list[Text]) -> str:
    """Return *lines* as a picture of a terminal."""
    console = Console(width=COLUMNS, file=io.StringIO())
    rows = console.render_lines(Text("\n").join(lines), pad=False)
    width = round(COLUMNS * CELL + 2 * MARGIN)
    height = TITLE + len(rows) * LINE + MARGIN
    texts = "\n".join(
        drawn
        for number, row in enumerate(rows)
        for drawn in _row(row, top=TITLE + (number + 0.7) * LINE)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="What hydrometer demo prints">\n'
        f'<rect width="{width}" height="{height}" rx="8" fill="{THEME.background_color.hex}" '
        f'stroke="{BORDER}"/>\n'
        + "".join(
            f'<circle cx="{MARGIN + 6 + 18 * place}" cy="17" r="5.5" fill="{colour}"/>\n'
            for place, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
        )
        + '<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, '
        f'monospace" font-size="{FONT}">\n{texts}\n</g>\n</svg>\n'
    )


def _row(row: list[Segment], *, top: float) -> list[str]:
    """Draw each run of words in its own place: browsers join blanks, and columns would move."""
    drawn, column = [], 0
    for segment in row:
        style = segment.style or Style()
        for words in _WORDS.finditer(segment.text):
            drawn.append(_text(words[0], style, column + words.start(), top))
        column += segment.cell_length
    return drawn


def _text(text: str, style: Style, column: int, top: float) -> str:
    colour = FAINT if style.dim else (style.color or Color.default()).get_truecolor(THEME).hex
    weight = ' font-weight="bold"' if style.bold else ""
    return (
        f'<text x="{MARGIN + column * CELL:.1f}" y="{top:.1f}" textLength="{len(text) * CELL:.1f}" '
        f'fill="{colour}"{weight}>{escape(text)}</text>'
    )


if __name__ == "__main__":
    main()
