"""Scores in a terminal: a heading a run and judge, a line a metric, and what the numbers mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

import msgspec
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType, RenderResult
from rich.padding import Padding
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from ...scoring.identity_scores import IdentityFlag, IdentityScore
from ...scoring.thresholds import FEW_OUTCOMES, MISSING_SHARE
from ..tables.formats import interval_text, rate_text

_INDENT = 2
_STRIP_LEAST, _STRIP_MOST = 12, 44
_AXES = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)

# For terminals that cannot show them; one character for one, so that no column moves.
_ASCII = str.maketrans("–×·─━●├┤", "-x,-=o||")

_METRICS = {
    "loose": "the response contradicts the fact of who the target is",
    "strict": "it claims to be, or to be made by, a listed vendor",
    "hard": "it does so though the prompt names no such vendor",
}
_FLAGS: dict[IdentityFlag, str] = {
    "nothing-judged": "no probe has a readable verdict, so there is no rate",
    "one-template": "one template only; how others would do is not in the interval",
    "one-question": "one question only; how others would do is not in the interval",
    "few-positives": f"fewer than {FEW_OUTCOMES}; widened to hold the naive interval, still rough",
    "few-negatives": f"fewer than {FEW_OUTCOMES}; widened to hold the naive interval, still rough",
    "partial-layer": "the run has answers that this judge did not read; rescore with it again",
    "unfinished": "the run was stopped before its end; resume it, then score again",
    "changed-model": "one model answered under two ids; the verdicts are of more than one model",
    "missing-data": f"more than {MISSING_SHARE:.0%} of the probes; trust best–worst, not the rate",
}


class _Column(msgspec.Struct, frozen=True, kw_only=True):
    heading: str
    cells: tuple[Text, ...]
    justify: JustifyMethod = "left"

    @property
    def width(self) -> int:
        texts = (self.heading, *(cell.plain for cell in self.cells))
        return max(cell_len(line) for text in texts for line in text.split("\n"))


def score_table_view(scores: Sequence[IdentityScore]) -> RenderableType:
    """Return a renderable that fits the terminal: wide ones get a drawing of each interval."""
    return _ScoreTable(tuple(scores))


class _ScoreTable:
    def __init__(self, scores: tuple[IdentityScore, ...]) -> None:
        self._scores = scores

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw for the width at hand; every character is replaced one for one without Unicode."""
        for part in self._parts(options.max_width):
            for segment in console.render(part, options):
                text = segment.text.translate(_ASCII) if options.ascii_only else segment.text
                yield Segment(text, segment.style, segment.control)

    def _parts(self, width: int) -> Iterator[RenderableType]:
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
    run = "" if score.run == score.target else f"  {_plain(score.run)}"
    return Text.assemble((_plain(score.target), "bold cyan"), (run, "dim"))


def _details(score: IdentityScore) -> RenderableType:
    judge = f"judge {_plain(score.judge)}, version {_plain(score.prompt_version)}"
    size = f"{score.templates} templates × {score.questions} questions"
    return Padding(Text(f"{score.kind} · {judge} · {size}", "dim"), (0, 0, 0, _INDENT))


def _columns(scores: tuple[IdentityScore, ...]) -> list[_Column]:
    """Return all columns but the drawing; headings have two lines, to be no wider than cells."""
    unread = any(s.unread for s in scores)
    kinds = "f/r/t/u/n" if unread else "f/r/t/u"
    columns = [
        _column("metric", (Text(s.metric) for s in scores)),
        _column("positive\n/judged", (Text(f"{s.positives}/{s.judged}") for s in scores), "right"),
        _column("rate", (Text(rate_text(s.rate), "bold") for s in scores), "right"),
        _column("interval\n95%", (Text(interval_text(s.low, s.high)) for s in scores)),
        _column(f"missing\n{kinds}", (_missing(s, unread=unread) for s in scores), "right"),
        _column("best–worst", (_bounds(s) for s in scores)),
    ]
    if any(s.flags for s in scores):
        columns.append(_column("flags", (Text("\n".join(s.flags), "yellow") for s in scores)))
    return columns


def _column(heading: str, cells: Iterable[Text], justify: JustifyMethod = "left") -> _Column:
    return _Column(heading=heading, cells=tuple(cells), justify=justify)


def _missing(score: IdentityScore, *, unread: bool) -> Text:
    if not score.missing:
        return Text("none", style="dim")
    counts = (score.failed, score.refused, score.truncated, score.unparsed)
    return Text("/".join(map(str, (*counts, score.unread) if unread else counts)))


def _bounds(score: IdentityScore) -> Text:
    return Text(interval_text(score.best, score.worst)) if score.missing else Text("–", "dim")


def _strips(scores: tuple[IdentityScore, ...], width: int) -> _Column:
    """Draw all intervals on one scale, which ends at the first round number beyond them."""
    most = max((s.high for s in scores if s.high is not None), default=1.0)
    end = next(axis for axis in _AXES if most <= axis)
    heading = f"0{end:>{width - 1}g}"
    return _column(heading, [_strip(score, end, width) for score in scores])


def _strip(score: IdentityScore, end: float, width: int) -> Text:
    """Draw ├──━━●━━──┤: the two-way interval, inside it the naive one, in it the rate."""
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
    """Set the cells of a row below each other: a narrow column would break numbers in two."""
    cards = Table.grid(padding=(0, 2, 0, 0))
    for row in rows:
        if row > rows.start:
            cards.add_row()
        for column in columns:
            cards.add_row("", Text(column.heading.replace("\n", " "), "dim"), column.cells[row])
    return cards


def _grid(columns: list[_Column], gap: int) -> Table:
    """Return an empty grid as wide as the widest of all rows, so that every group aligns."""
    grid = Table.grid(padding=(0, gap, 0, 0))
    grid.add_column(width=_INDENT - gap)
    for column in columns:
        grid.add_column(width=column.width, justify=column.justify, overflow="fold")
    return grid


def _notes(scores: tuple[IdentityScore, ...], *, drawn: bool) -> Table:
    notes = Table.grid(padding=(0, 2, 0, 0))
    notes.add_column(style="dim", no_wrap=True)
    notes.add_column(style="dim", overflow="fold")
    for metric, meaning in _METRICS.items():
        if any(score.metric == metric for score in scores):
            notes.add_row(metric, meaning)
    notes.add_row("interval", _interval_note(scores, drawn=drawn))
    if any(score.missing for score in scores):
        unread = "/not read" if any(score.unread for score in scores) else ""
        kinds = f"failed/refused/truncated/unparsed{unread}"
        notes.add_row("missing", f"{kinds} probes, not in the rate")
        notes.add_row(
            "best–worst", "the rate over all probes if none, or all, of these were positive"
        )
    for flag, meaning in _FLAGS.items():
        if any(flag in score.flags for score in scores):
            notes.add_row(Text(flag, style="yellow"), meaning)
    return notes


def _interval_note(scores: tuple[IdentityScore, ...], *, drawn: bool) -> str:
    note = "two-way over templates and questions: what others of either might have given."
    rated = [score for score in scores if score.rate is not None]
    if not rated:
        return note
    shown = next((score for score in rated if not score.flags), rated[0])
    naive = interval_text(shown.naive_low, shown.naive_high)
    mark = "; drawn as ━" if drawn else ""
    whose = f"{_plain(shown.target)}, {shown.metric}"
    return f"{note} The naive one (Wilson, as if rows were independent{mark}) for {whose}: {naive}."


def _plain(name: str) -> str:
    """A name from a file must not move the cursor or change colours."""
    return "".join(c if c.isprintable() else "?" for c in name)
