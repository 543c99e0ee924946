"""Similarity view: targets down and sets across, as the paper prints them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ....scoring.means import OVER_SETS
from ....scoring.prompt_values import JUDGED
from ....scoring.similarity_scores import SimilarityScore
from ...similarity_terms import SIMILARITY
from ...tables.number_text import (
    NONE,
    effect_text,
    gradings_text,
    losses,
    losses_text,
    mean_text,
    range_text,
    span_text,
    weights_text,
)
from ...terms import meaning
from ..columns import Columns, TableCell, TableRow
from ..console_text import ConsoleText, safe_text
from .notes import Note, note_table, similarity_flags

_OWN = "own 2nd draw"
_OVER_SETS, _NO_JUDGE = "mean over sets", "without a judge"

Found = Mapping[str, SimilarityScore]  # of one run, by set or by metric
Count = tuple[str, Callable[[Found], TableCell]]  # a heading, and the cell below it


def similarity_view(scores: Sequence[SimilarityScore]) -> RenderableType:
    """Return a table of the overall score by set, one of the aspects, and one of the measures.

    Scores share a table only if they can be compared: same reference, prompts, judge, version and
    weights.
    """
    parts: list[RenderableType] = []
    for asked in dict.fromkeys((score.reference, score.prompts_digest) for score in scores):
        own = [score for score in scores if (score.reference, score.prompts_digest) == asked]
        judged = [score for score in own if score.metric in JUDGED]
        for judge in dict.fromkeys(map(_judge, judged)):
            group = [score for score in judged if _judge(score) == judge]
            heading = Text.assemble("Response similarity to ", (safe_text(asked[0]), "cyan"))
            parts += [title(heading, group[0]), _by_set(group), Text(), _by_aspect(group), Text()]
        if measured := [score for score in own if score.metric not in JUDGED]:
            parts += [_by_measure(measured), Text()]
    return ConsoleText(Group(*parts, _notes(scores)))


def title(heading: Text, score: SimilarityScore, *facts: str) -> RenderableType:
    """Return *heading* over judge, version, prompts and weights of *score*, and more *facts*."""
    basis = [f"judge {score.judge}, version {score.prompt_version}"]
    if score.prompts_digest:
        basis[0] += f", prompts {score.prompts_digest}"
    if (weights := weights_text(score)) not in ("", "1/1/1"):
        basis.append(f"overall weighs style/logic/content {weights}")
    heading.stylize("bold")
    lines = [
        Padding(Text(safe_text(line), "dim"), (0, 0, 0, 2), expand=False)
        for line in (*basis, *facts)
    ]
    return Group(heading, *lines, Text())


def _judge(score: SimilarityScore) -> tuple[str, str, str]:
    return score.judge, score.prompt_version, weights_text(score)


def _by_set(scores: list[SimilarityScore]) -> Columns:
    overall = [score for score in scores if score.metric == "overall"]
    places = tuple(dict.fromkeys(score.set for score in overall))
    counts = [_N, _LOST]
    if any(score.order_effect is not None for score in overall):
        counts.insert(0, _ORDER)
    if any(score.lost for score in overall):
        counts.append(_GRADINGS)
    return _table("overall", _rows(overall, "set"), places, counts)


def _by_aspect(scores: list[SimilarityScore]) -> Columns:
    means = [score for score in scores if score.set == OVER_SETS and score.metric != "overall"]
    return _table(_OVER_SETS, _rows(means, "metric"), _metrics(means), ())


def _by_measure(scores: list[SimilarityScore]) -> Columns:
    means = [score for score in scores if score.set == OVER_SETS]
    return _table(_NO_JUDGE, _rows(means, "metric"), _metrics(means), (_ANY_N, _MOST_LOST))


def _metrics(scores: Sequence[SimilarityScore]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(score.metric for score in scores))


def _rows(
    scores: Sequence[SimilarityScore], column: Literal["set", "metric"]
) -> Iterator[tuple[str, Found]]:
    """Yield the target of each run with its scores by *column*.

    A column that comes again begins another run: two folders may hold runs of one name.
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

    The reference's second draw comes last. It is taken from any run that has one.
    """
    rows = []
    own: dict[str, TableCell] = {}
    for target, found in targets:
        values = [_value(found[place]) if place in found else TableCell(NONE) for place in places]
        rows.append(TableRow(name=target, cells=(*values, *(cell(found) for _, cell in counts))))
        own |= {place: _ceiling(s) for place, s in found.items() if s.ceiling is not None}
    if own:
        cells = [own.get(place, TableCell(NONE)) for place in places] + [TableCell("")] * len(
            counts
        )
        rows.append(TableRow(name=f"({_OWN})", cells=cells, style="dim"))
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
    return TableCell(losses_text(losses(found[OVER_SETS])))


def _gradings(found: Found) -> TableCell:
    return TableCell(gradings_text(found[OVER_SETS]))


def _any_prompts(found: Found) -> TableCell:
    return TableCell(span_text([score.n for score in found.values()]))


def _most_lost(found: Found) -> TableCell:
    return TableCell(losses_text(losses(min(found.values(), key=lambda score: score.n))))


def _sets(found: Found) -> list[SimilarityScore]:
    return [score for place, score in found.items() if place != OVER_SETS]


def _listed(texts: list[str]) -> str:
    """Return *texts*, one of each set, where there are several sets."""
    return " ".join(texts) if len(texts) > 1 else ""


_ORDER: Count = ("order", _order)
_N: Count = ("n", _prompts)
_LOST: Count = ("lost", _lost)
_GRADINGS: Count = ("gradings", _gradings)
_ANY_N: Count = ("n", _any_prompts)
_MOST_LOST: Count = ("lost", _most_lost)

# All headings but the names of sets and metrics.
HEADINGS = (
    *("overall", _OVER_SETS, _NO_JUDGE, _OWN, "2nd line"),
    *(heading for heading, _ in (_ORDER, _N, _LOST, _GRADINGS)),
)


def _notes(scores: Sequence[SimilarityScore]) -> Table:
    judged = [score for score in scores if score.metric in JUDGED]
    measured = [score for score in scores if score.metric not in JUDGED]
    notes = [*_column_notes(scores, judged), *_measure_notes(measured)]
    return note_table(notes, similarity_flags(scores, lambda score: score.target, "targets"))


def _column_notes(
    scores: Sequence[SimilarityScore], judged: Sequence[SimilarityScore]
) -> Iterator[Note]:
    yield "2nd line", meaning(SIMILARITY.columns, "95% interval")
    if any(score.ceiling is not None for score in scores):
        yield _OWN, meaning(SIMILARITY.columns, _OWN)
    if judged:
        yield "overall", meaning(SIMILARITY.metrics, "overall")
    if any(score.order_effect is not None for score in judged):
        yield "order", meaning(SIMILARITY.columns, "order effect")
    if any(any(losses(score)) for score in scores):
        yield "lost", meaning(SIMILARITY.columns, "prompts lost")
    if any(score.lost for score in judged):
        yield "gradings", meaning(SIMILARITY.columns, "gradings")


def _measure_notes(measured: Sequence[SimilarityScore]) -> Iterator[Note]:
    """Yield a note for each version of the metrics without a judge."""
    for version in dict.fromkeys(score.prompt_version for score in measured):
        metrics = _metrics([score for score in measured if score.prompt_version == version])
        term = "embedding" if metrics == ("embedding",) else _NO_JUDGE
        entries = SIMILARITY.metrics if term == "embedding" else SIMILARITY.columns
        yield term, f"{meaning(entries, term)} Version: {version}."
