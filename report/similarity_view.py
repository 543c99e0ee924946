"""Comparisons in the terminal, in the shape in which the paper prints them: targets by sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Literal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..scoring.kinship import Kinship
from ..scoring.means import OVER_SETS
from ..scoring.readings import JUDGED
from ..scoring.similarity import SimilarityScore
from ..scoring.trees import to_newick

_OWN = "(own 2nd draw)"

_FLAGS = {
    "nothing-compared": "no prompt has a readable grading",
    "few-prompts": "fewer than 20 prompts in a set: the interval is rough",
    "missing-data": "more than 5% of the prompts are failed, refused, truncated or unparsed",
    "unfinished": "the run was stopped before its end; resume it, then score again",
    "changed-model": "one model answered under two ids",
    "same-vendor": "judge and reference are of one vendor, whose style the judge may prefer",
    "order-effect": "the judge grades one presentation order higher; both are in the mean",
    "one-order": "one presentation order only: the judge's preference is in the mean",
}


def similarity_view(scores: Sequence[SimilarityScore]) -> RenderableType:
    """Return a table of the overall score by set, one of the aspects, and one of the measures."""
    parts: list[RenderableType] = []
    for reference in dict.fromkeys(score.reference for score in scores):
        own = [score for score in scores if score.reference == reference]
        judged = [score for score in own if score.metric in JUDGED]
        for judge, version in dict.fromkeys(map(_judge, judged)):
            group = [score for score in judged if _judge(score) == (judge, version)]
            parts += [_title(reference, judge, version), _by_set(group), Text(), _by_aspect(group)]
        if measured := [score for score in own if score.metric not in JUDGED]:
            parts += [Text(), _by_measure(measured)]
    parts += [Text(), _notes(scores)]
    return Group(*parts)


def _judge(score: SimilarityScore) -> tuple[str, str]:
    return score.judge, score.prompt_version


def kinship_view(kinship: Kinship) -> RenderableType:
    """Return the matrix of all pairs, and the trees as Newick text."""
    names = kinship.similarities.names
    table = _table("")
    for name in names:
        table.add_column(name, justify="right")
    for name, row in zip(names, kinship.similarities.values, strict=True):
        table.add_row(name, *(_number(value) for value in row))
    parts: list[RenderableType] = [Text("Every pair, overall; on the diagonal a model's own "
                                        "second draw", "dim"), table]  # fmt: skip
    for label, tree in (
        ("average linkage", kinship.average_linkage),
        ("neighbour joining", kinship.neighbour_joining),
    ):
        if tree is not None:
            parts.append(Text(f"\n{label} (labels: % of {kinship.draws} resamplings)", "dim"))
            parts.append(Text(to_newick(tree), overflow="fold"))
    return Group(*parts)


def _title(reference: str, judge: str, version: str) -> Text:
    return Text.assemble(
        ("Response similarity to ", "bold"),
        (reference, "bold cyan"),
        (f"\n  judge {judge}, version {version}; 1 very different, 5 very similar", "dim"),
    )


def _by_set(scores: list[SimilarityScore]) -> Table:
    overall = [score for score in scores if score.metric == "overall"]
    sets = list(dict.fromkeys(score.set for score in overall))
    table = _table("overall")
    for name in (*sets, "95%", "order", "n", "lost"):
        table.add_column(Text(name), justify="right", no_wrap=True)  # a user's: no markup
    ceilings: dict[str, float | None] = {}
    for target, by_set in _rows(overall, "set"):
        mean = by_set.get(OVER_SETS) or next(iter(by_set.values()))
        counted = [score for score in by_set.values() if score.set != OVER_SETS]
        lost = [
            sum(getattr(score, name) for score in counted)
            for name in ("failed", "refused", "truncated", "unparsed")
        ]
        ceilings |= _ceilings(by_set)
        table.add_row(
            target,
            *(_number(by_set[name].mean if name in by_set else None) for name in sets),
            _interval(mean),
            "–" if mean.order_effect is None else f"{mean.order_effect:+.2f}",
            str(sum(score.n for score in counted)),
            "/".join(map(str, lost)) if any(lost) else "none",
        )
    if ceilings:
        table.add_row(_OWN, *(_number(ceilings.get(name)) for name in sets), style="dim")
    return table


def _by_aspect(scores: list[SimilarityScore]) -> Table:
    means = [score for score in scores if score.set == OVER_SETS and score.metric != "overall"]
    metrics = list(dict.fromkeys(score.metric for score in means))
    table = _table("mean over sets")
    for name in metrics:
        table.add_column(name, justify="right", no_wrap=True)
        table.add_column("95%", justify="right", no_wrap=True, style="dim")
    ceilings: dict[str, float | None] = {}
    for target, found in _rows(means, "metric"):
        ceilings |= _ceilings(found)
        cells = [(_number(score.mean), _interval(score)) for score in found.values()]
        table.add_row(target, *chain.from_iterable(cells))
    if ceilings:
        own = [(_number(ceilings.get(name)), "") for name in metrics]
        table.add_row(_OWN, *chain.from_iterable(own), style="dim")
    return table


def _by_measure(scores: list[SimilarityScore]) -> Table:
    means = [score for score in scores if score.set == OVER_SETS]
    metrics = list(dict.fromkeys(score.metric for score in means))
    table = _table("without a judge")
    for name in metrics:
        table.add_column(name, justify="right", no_wrap=True)
    ceilings: dict[str, float | None] = {}
    for target, found in _rows(means, "metric"):
        ceilings |= _ceilings(found)
        table.add_row(
            target, *(_number(found[name].mean if name in found else None) for name in metrics)
        )
    if ceilings:
        table.add_row(_OWN, *(_number(ceilings.get(name)) for name in metrics), style="dim")
    return table


def _rows(
    scores: Sequence[SimilarityScore], column: Literal["set", "metric"]
) -> Iterator[tuple[str, dict[str, SimilarityScore]]]:
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


def _ceilings(row: Mapping[str, SimilarityScore]) -> dict[str, float | None]:
    """Return what the reference's second draw got; a run without one takes no other's away."""
    return {name: score.ceiling for name, score in row.items() if score.ceiling is not None}


def _interval(score: SimilarityScore) -> str:
    if score.low is None or score.high is None:
        return "–"
    return f"{_number(score.low)}–{_number(score.high)}"


def _notes(scores: Sequence[SimilarityScore]) -> Table:
    notes = Table.grid(padding=(0, 2, 0, 0))
    notes.add_column(style="dim", no_wrap=True)
    notes.add_column(style="dim", overflow="fold")
    notes.add_row("95%", "of the mean over the sets, resampled over prompts")
    notes.add_row(_OWN, "what the reference's second draw gets: the most to expect")
    notes.add_row("order", "how much higher the judge grades with the target shown first")
    notes.add_row("lost", "failed/refused/truncated/unparsed prompts, not in the mean")
    notes.add_row("without a judge", "what two texts share, from 0 to 1")
    for flag, meaning in _FLAGS.items():
        raised = dict.fromkeys(score.target for score in scores if flag in score.flags)
        if raised:
            notes.add_row(Text(flag, style="yellow"), f"{', '.join(raised)}: {meaning}")
    return notes


def _table(heading: str) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    # Where a terminal is narrow, names are broken over lines, and no number is cut.
    table.add_column(heading, overflow="fold")
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
