"""Comparisons in the terminal, in the shape in which the paper prints them: targets by sets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..scoring.kinship import Kinship
from ..scoring.means import OVER_SETS
from ..scoring.readings import JUDGED
from ..scoring.similarity import SimilarityScore
from ..scoring.trees import to_newick

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
    for (reference, judge, version), members in groupby(
        [score for score in scores if score.metric in JUDGED],
        key=lambda score: (score.reference, score.judge, score.prompt_version),
    ):
        group = list(members)
        parts += [_title(reference, judge, version), _by_set(group), Text(), _by_aspect(group)]
    if measured := [score for score in scores if score.metric not in JUDGED]:
        parts += [Text(), Text("Without a judge, 0 to 1, mean over the sets", "dim")]
        parts.append(_by_measure(measured))
    parts += [Text(), _notes(scores)]
    return Group(*parts)


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
        (f"  judge {judge}, version {version}; 1 very different, 5 very similar", "dim"),
    )


def _by_set(scores: list[SimilarityScore]) -> Table:
    overall = [score for score in scores if score.metric == "overall"]
    sets = list(dict.fromkeys(score.set for score in overall))
    table = _table("target")
    for name in sets:
        table.add_column(name, justify="right", no_wrap=True)
    for heading in ("95%", "own 2nd draw", "2nd order", "n", "f/r/t/u"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("flags", style="yellow")
    for target, members in groupby(overall, key=lambda score: (score.run, score.target)):
        by_set = {score.set: score for score in members}
        mean = by_set.get(OVER_SETS) or next(iter(by_set.values()))
        counted = [score for score in by_set.values() if score.set != OVER_SETS]
        lost = (
            sum(getattr(score, name) for score in counted)
            for name in ("failed", "refused", "truncated", "unparsed")
        )
        table.add_row(
            target[1],
            *(_number(by_set[name].mean if name in by_set else None) for name in sets),
            f"{_number(mean.low)}–{_number(mean.high)}",
            _number(mean.ceiling),
            "–" if mean.order_effect is None else f"{mean.order_effect:+.2f}",
            str(sum(score.n for score in counted)),
            "/".join(map(str, lost)),
            ", ".join(dict.fromkeys(flag for score in by_set.values() for flag in score.flags)),
        )
    return table


def _by_aspect(scores: list[SimilarityScore]) -> Table:
    means = [score for score in scores if score.set == OVER_SETS and score.metric != "overall"]
    table = _table("by aspect")
    for name in dict.fromkeys(score.metric for score in means):
        table.add_column(name, justify="right", no_wrap=True)
        table.add_column("95%", justify="right", no_wrap=True, style="dim")
    for target, members in groupby(means, key=lambda score: (score.run, score.target)):
        cells = []
        for score in members:
            cells += [_number(score.mean), f"{_number(score.low)}–{_number(score.high)}"]
        table.add_row(target[1], *cells)
    return table


def _by_measure(scores: list[SimilarityScore]) -> Table:
    means = [score for score in scores if score.set == OVER_SETS]
    table = _table("target")
    for name in dict.fromkeys(score.metric for score in means):
        table.add_column(name, justify="right", no_wrap=True)
        table.add_column("own 2nd", justify="right", no_wrap=True, style="dim")
    for target, members in groupby(means, key=lambda score: (score.run, score.target)):
        cells = []
        for score in members:
            cells += [_number(score.mean), _number(score.ceiling)]
        table.add_row(target[1], *cells)
    return table


def _notes(scores: Sequence[SimilarityScore]) -> Table:
    notes = Table.grid(padding=(0, 2, 0, 0))
    notes.add_column(style="dim", no_wrap=True)
    notes.add_column(style="dim", overflow="fold")
    notes.add_row("95%", "of the mean over the sets, resampled over prompts")
    notes.add_row("own 2nd draw", "what the reference's own second draw gets: the most to expect")
    notes.add_row("2nd order", "how much higher the judge grades with the target shown first")
    notes.add_row("f/r/t/u", "failed/refused/truncated/unparsed prompts, not in the mean")
    raised = {flag for score in scores for flag in score.flags}
    for flag, meaning in _FLAGS.items():
        if flag in raised:
            notes.add_row(Text(flag, style="yellow"), meaning)
    return notes


def _table(heading: str) -> Table:
    table = Table(box=None, padding=(0, 1), header_style="dim")
    table.add_column(heading, no_wrap=True)
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
