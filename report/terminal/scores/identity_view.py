"""Identity view: a heading for each run and judge, a line for each metric, and notes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import msgspec
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ....engine.plurals import counted
from ....scoring.identity_scores import IdentityScore
from ...identity_terms import IDENTITY
from ...tables.number_text import interval_text, losses, losses_text, rate_text
from ...terms import flags_raised, meaning, metrics_measured
from ..console_text import ConsoleText, safe_text
from .notes import Note, note_table, notes_of

_INDENT = 2
_STRIP_LEAST, _STRIP_MOST = 12, 44
_AXES = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


_POSITIVES, _RATE, _INTERVAL = "positive\n/judged", "rate", "interval\n95%"
_MISSING, _MISSING_UNREAD = "missing\nf/r/t/u", "missing\nf/r/t/u/n"
_BOUNDS = "best–worst"

# All headings, in one line each; the drawing's heading is its scale.
HEADINGS = (
    *("metric", _POSITIVES.replace("\n", ""), _RATE, _INTERVAL.replace("\n", " "), "drawing"),
    *(_MISSING.replace("\n", " "), _MISSING_UNREAD.replace("\n", " "), _BOUNDS, "flags"),
)


class _Column(msgspec.Struct, frozen=True, kw_only=True):
    heading: str
    cells: tuple[Text, ...]
    justify: JustifyMethod = "left"

    @property
    def width(self) -> int:
        texts = (self.heading, *(cell.plain for cell in self.cells))
        return max(cell_len(line) for text in texts for line in text.split("\n"))


def identity_view(scores: Sequence[IdentityScore]) -> RenderableType:
    """Return a view that fits the terminal: a wide one gets a drawing of each interval."""
    return ConsoleText(_ScoreTable(tuple(scores)))


class _ScoreTable:
    def __init__(self, scores: tuple[IdentityScore, ...]) -> None:
        self._scores = scores

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay the columns out for the width at hand."""
        width = options.max_width
        if not self._scores:
            yield Text("no scores: no probe of these runs has a verdict", style="dim")
            return
        columns = _columns(self._scores)
        taken = _INDENT + sum(column.width for column in columns)
        gap = max(0, min(2, (width - taken) // (len(columns) - 1)))  # 0: they don't fit
        room = width - taken - gap * len(columns)
        drawn = room >= _STRIP_LEAST
        if drawn:
            columns.insert(4, _strips(self._scores, min(room, _STRIP_MOST)))
        if gap:
            yield _headings(columns, gap)
        start = 0
        for _, of_run in groupby(self._scores, key=_subject):
            for number, (_, members) in enumerate(groupby(of_run, key=_judge)):
                group = tuple(members)
                rows = range(start, start + len(group))
                if number == 0:
                    yield Text()
                    yield _title(group[0])
                yield _details(group[0])
                yield _lines(columns, gap, rows) if gap else _cards(columns, rows)
                start = rows.stop
        yield Text()
        yield _notes(self._scores, drawn=drawn)


def _subject(score: IdentityScore) -> tuple[str, ...]:
    return (score.run, score.target, score.kind)


def _judge(score: IdentityScore) -> tuple[str, ...]:
    return (score.judge, score.prompt_version)


def _title(score: IdentityScore) -> Text:
    run = "" if score.run == score.target else f"run {safe_text(score.run)} · "
    return Text.assemble((f"{run}target ", "dim"), (safe_text(score.target), "bold cyan"))


def _details(score: IdentityScore) -> RenderableType:
    judge = f"judge {safe_text(score.judge)}, version {safe_text(score.prompt_version)}"
    size = f"{counted(score.templates, 'templates')} × {counted(score.questions, 'questions')}"
    return Padding(Text(f"{score.kind} · {judge} · {size}", "dim"), (0, 0, 0, _INDENT))


def _columns(scores: tuple[IdentityScore, ...]) -> list[_Column]:
    """Return all columns but the drawing. Headings have two lines, so that columns stay narrow."""
    unread = any(s.unread for s in scores)
    missing = _MISSING_UNREAD if unread else _MISSING
    columns = [
        _column("metric", (Text(s.metric) for s in scores)),
        _column(_POSITIVES, (Text(f"{s.positives}/{s.judged}") for s in scores), "right"),
        _column(_RATE, (Text(rate_text(s.rate), "bold") for s in scores), "right"),
        _column(_INTERVAL, (Text(interval_text(s.low, s.high)) for s in scores)),
        _column(missing, (_missing(s, unread=unread) for s in scores), "right"),
        _column(_BOUNDS, (_bounds(s) for s in scores)),
    ]
    if any(s.flags for s in scores):
        columns.append(_column("flags", (Text("\n".join(s.flags), "yellow") for s in scores)))
    return columns


def _column(heading: str, cells: Iterable[Text], justify: JustifyMethod = "left") -> _Column:
    return _Column(heading=heading, cells=tuple(cells), justify=justify)


def _missing(score: IdentityScore, *, unread: bool) -> Text:
    counts = (*losses(score), score.unread) if unread else losses(score)
    return Text(losses_text(counts), "" if any(counts) else "dim")


def _bounds(score: IdentityScore) -> Text:
    return Text(interval_text(score.best, score.worst), "" if score.missing else "dim")


def _strips(scores: tuple[IdentityScore, ...], width: int) -> _Column:
    """Draw all intervals on one scale, which ends at the first round number beyond them."""
    most = max((s.high for s in scores if s.high is not None), default=1.0)
    end = next(axis for axis in _AXES if most <= axis)
    heading = f"0{end:>{width - 1}g}"
    return _column(heading, [_strip(score, end, width) for score in scores])


def _strip(score: IdentityScore, end: float, width: int) -> Text:
    """Draw ├──━━●━━──┤: the 95% interval, the naive interval inside it, and the rate."""
    marks = (score.low, score.high, score.naive_low, score.naive_high, score.rate)
    places = [round(mark / end * (width - 1)) for mark in marks if mark is not None]
    if len(places) < len(marks):
        return Text()
    low, high, naive_low, naive_high, rate = (min(place, width - 1) for place in places)
    cells = [" "] * width
    cells[low:high] = "─" * (high - low)
    cells[naive_low : naive_high + 1] = "━" * (naive_high + 1 - naive_low)
    cells[low], cells[high] = "├", "┤"
    cells[rate] = "●"
    strip = Text("".join(cells), "cyan")
    strip.stylize("bold", naive_low, naive_high + 1)
    return strip


def _headings(columns: list[_Column], gap: int) -> Table:
    grid = _grid(columns, gap)
    grid.add_row("", *(Text(column.heading, "dim") for column in columns))
    return grid


def _lines(columns: list[_Column], gap: int, rows: range) -> Table:
    grid = _grid(columns, gap)
    for row in rows:
        grid.add_row("", *(column.cells[row] for column in columns))
    return grid


def _cards(columns: list[_Column], rows: range) -> Table:
    """Put the cells of a row below each other: a narrow column would break numbers."""
    cards = Table.grid(padding=(0, 2, 0, 0))
    for row in rows:
        if row > rows.start:
            cards.add_row()
        for column in columns:
            cards.add_row("", Text(column.heading.replace("\n", " "), "dim"), column.cells[row])
    return cards


def _grid(columns: list[_Column], gap: int) -> Table:
    """Return an empty grid with the same column widths for every group, so that all align."""
    grid = Table.grid(padding=(0, gap, 0, 0))
    grid.add_column(width=_INDENT - gap)
    for column in columns:
        grid.add_column(width=column.width, justify=column.justify, overflow="fold")
    return grid


def _notes(scores: tuple[IdentityScore, ...], *, drawn: bool) -> Table:
    notes = notes_of(metrics_measured(IDENTITY, scores))
    notes += _interval_notes(scores, drawn=drawn)
    if any(score.missing for score in scores):
        notes += [(term, meaning(IDENTITY.columns, term)) for term in ("missing", "best–worst")]
    return note_table(notes, notes_of(flags_raised(IDENTITY, scores)))


def _interval_notes(scores: tuple[IdentityScore, ...], *, drawn: bool) -> Iterator[Note]:
    yield "interval", meaning(IDENTITY.columns, "95% interval")
    rated = [score for score in scores if score.rate is not None]
    if not rated:
        return
    shown = next((score for score in rated if not score.flags), rated[0])
    naive = interval_text(shown.naive_low, shown.naive_high)
    mark = " It is drawn as ━." if drawn else ""
    example = f" For {safe_text(shown.target)}, {shown.metric}: {naive}."
    yield "naive", meaning(IDENTITY.columns, "naive interval") + mark + example
