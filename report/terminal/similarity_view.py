"""Comparisons in the terminal, in the shape in which the paper prints them: targets by sets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ...scoring.means import OVER_SETS
from ...scoring.prompt_values import JUDGED
from ...scoring.similarity_scores import SimilarityScore
from ..tables.formats import (
    effect_text,
    gradings_text,
    lost_text,
    mean_text,
    range_text,
    span_text,
    weights_text,
)
from .columns import Columns, Shown, TableCell, TableRow
from .flags import flag_notes

_OWN = "(own 2nd draw)"

Found = Mapping[str, SimilarityScore]  # of one run, by set or by metric
Count = tuple[str, Callable[[Found], TableCell]]  # a heading, and what stands under it


def similarity_view(scores: Sequence[SimilarityScore]) -> RenderableType:
    """Return a table of the overall score by set, one of the aspects, and one of the measures.

    Only what compares is in one table: scores of one reference on the same prompts, and of one
    judge, version and weights.
    """
    parts: list[RenderableType] = []
    for asked in dict.fromkeys((score.reference, score.prompts_digest) for score in scores):
        own = [score for score in scores if (score.reference, score.prompts_digest) == asked]
        judged = [score for score in own if score.metric in JUDGED]
        for judge in dict.fromkeys(map(_judge, judged)):
            group = [score for score in judged if _judge(score) == judge]
            heading = Text.assemble("Response similarity to ", (asked[0], "cyan"))
            parts += [title(heading, group[0]), _by_set(group), Text(), _by_aspect(group), Text()]
        if measured := [score for score in own if score.metric not in JUDGED]:
            parts += [_by_measure(measured), Text()]
    return Shown(Group(*parts, _notes(scores)))


def title(heading: Text, score: SimilarityScore, *facts: str) -> RenderableType:
    """Return *heading* over judge, version, prompts and weights of *score*, and more *facts*."""
    basis = [f"judge {score.judge}, version {score.prompt_version}"]
    if score.prompts_digest:
        basis[0] += f", prompts {score.prompts_digest}"
    if (weights := weights_text(score)) not in ("", "1/1/1"):
        basis.append(f"overall weighs style/logic/content {weights}")
    heading.stylize("bold")
    lines = [Padding(Text(line, "dim"), (0, 0, 0, 2), expand=False) for line in (*basis, *facts)]
    return Group(heading, *lines, Text())


def note_table(notes: Sequence[tuple[str, str]], flags: Iterator[tuple[str, str]]) -> Table:
    """Return what words of a table mean, a line each, and then the *flags*."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for word, meaning in notes:
        table.add_row(Text(word, "dim"), Text(meaning, "dim"))
    for flag, meaning in flags:
        table.add_row(Text(flag, "yellow"), Text(meaning, "dim"))
    return table


def _judge(score: SimilarityScore) -> tuple[str, str, str]:
    return score.judge, score.prompt_version, weights_text(score)


def _by_set(scores: list[SimilarityScore]) -> Columns:
    overall = [score for score in scores if score.metric == "overall"]
    places = tuple(dict.fromkeys(score.set for score in overall))
    counts: list[Count] = [("n", _prompts), ("lost", _lost)]
    if any(score.order_effect is not None for score in overall):
        counts.insert(0, ("order", _order))
    if any(score.lost for score in overall):
        counts.append(("gradings", _gradings))
    return _table("overall", _rows(overall, "set"), places, counts)


def _by_aspect(scores: list[SimilarityScore]) -> Columns:
    means = [score for score in scores if score.set == OVER_SETS and score.metric != "overall"]
    return _table("mean over sets", _rows(means, "metric"), _metrics(means), ())


def _by_measure(scores: list[SimilarityScore]) -> Columns:
    means = [score for score in scores if score.set == OVER_SETS]
    counts: tuple[Count, ...] = (("n", _any_prompts), ("lost", _most_lost))
    return _table("without a judge", _rows(means, "metric"), _metrics(means), counts)


def _metrics(scores: Sequence[SimilarityScore]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(score.metric for score in scores))


def _rows(
    scores: Sequence[SimilarityScore], column: Literal["set", "metric"]
) -> Iterator[tuple[str, Found]]:
    """Yield the target of each run with its scores by *column*.

    Two runs of one name, from two folders, are told apart by the column that comes again.
    """
    last = ("", "")
    row: dict[str, SimilarityScore] = {}
    for score in scores:
        place = getattr(score, column)
        if row and (last != (score.run, score.target) or place in row):
            yield last[1], row
            row = {}
        last = score.run, score.target
        row[place] = score
    if row:
        yield last[1], row


def _table(
    corner: str,
    targets: Iterator[tuple[str, Found]],
    places: tuple[str, ...],
    counts: Sequence[Count],
) -> Columns:
    """Return a row for each target: its values at *places*, and the *counts*.

    The reference's second draw comes last; a run without one takes nobody's away.
    """
    rows = []
    own: dict[str, TableCell] = {}
    for target, found in targets:
        values = [_value(found[place]) if place in found else TableCell("–") for place in places]
        rows.append(TableRow(name=target, cells=(*values, *(cell(found) for _, cell in counts))))
        own |= {place: _ceiling(s) for place, s in found.items() if s.ceiling is not None}
    if own:
        cells = [own.get(place, TableCell("–")) for place in places] + [TableCell("")] * len(counts)
        rows.append(TableRow(name=_OWN, cells=cells, style="dim"))
    return Columns(corner, (*places, *(heading for heading, _ in counts)), rows)


def _value(score: SimilarityScore) -> TableCell:
    return TableCell(mean_text(score.mean), range_text(score.low, score.high))


def _ceiling(score: SimilarityScore) -> TableCell:
    return TableCell(mean_text(score.ceiling), range_text(score.ceiling_low, score.ceiling_high))


def _order(found: Found) -> TableCell:
    of_sets = [effect_text(score.order_effect) for score in _sets(found)]
    return TableCell(effect_text(found[OVER_SETS].order_effect), _listed(of_sets))


def _prompts(found: Found) -> TableCell:
    return TableCell(str(found[OVER_SETS].n), _listed([str(score.n) for score in _sets(found)]))


def _lost(found: Found) -> TableCell:
    return TableCell(lost_text(found[OVER_SETS]))


def _gradings(found: Found) -> TableCell:
    return TableCell(gradings_text(found[OVER_SETS]))


def _any_prompts(found: Found) -> TableCell:
    return TableCell(span_text([score.n for score in found.values()]))


def _most_lost(found: Found) -> TableCell:
    return TableCell(lost_text(min(found.values(), key=lambda score: score.n)))


def _sets(found: Found) -> list[SimilarityScore]:
    return [score for place, score in found.items() if place != OVER_SETS]


def _listed(texts: list[str]) -> str:
    """Return what each set has, where there are several."""
    return " ".join(texts) if len(texts) > 1 else ""


def _notes(scores: Sequence[SimilarityScore]) -> Table:
    judged = [score for score in scores if score.metric in JUDGED]
    notes = [("2nd line", "the 95% interval, resampled over prompts; of order and n, by set")]
    if any(score.ceiling is not None for score in scores):
        notes.append((_OWN, "what the reference's second draw gets: the most to expect"))
    if judged:
        notes.append(("overall", "of style, logic and content; 1 very different, 5 very similar"))
    if any(score.order_effect is not None for score in judged):
        notes.append(("order", "how much higher the judge grades with the target shown first"))
    if any(lost_text(score) != "none" for score in scores):
        notes.append(("lost", "failed/refused/truncated/unparsed prompts, not in the mean"))
    if any(score.lost for score in judged):
        notes.append(("gradings", "those that could be read, of all that the judge was asked for"))
    measured = [score for score in scores if score.metric not in JUDGED]
    for version in dict.fromkeys(score.prompt_version for score in measured):
        metrics = _metrics([score for score in measured if score.prompt_version == version])
        if metrics == ("embedding",):
            notes.append(("embedding", f"the cosine of {version}'s vectors, from -1 to 1"))
        else:
            notes.append(("without a judge", f"what two texts share, from 0 to 1 ({version})"))
    return note_table(notes, flag_notes(scores, lambda score: score.target))
