"""Pairwise view: the similarity of every pair as a matrix, its basis, and trees with their text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from ....engine.plurals import counted
from ....scoring.pairwise import Kinship
from ....scoring.similarity_scores import SimilarityScore
from ....scoring.trees import Node, to_newick
from ...similarity_terms import MATRIX, SIMILARITY
from ...tables.number_text import effect_text, losses, losses_text, mean_text, span_text
from ...terms import meaning
from ..columns import Columns, TableCell, TableRow
from ..console_text import ConsoleText
from .dendrogram import draw_tree
from .notes import note_table, similarity_flags
from .similarity_view import title


def kinship_view(kinship: Kinship) -> RenderableType:
    """Return the matrix and the trees. Print it uncropped: a tree's text is one long line."""
    heading = Text("Response similarity of every pair, overall")
    parts: list[RenderableType] = [heading]
    if kinship.pairs:
        parts = [title(heading, kinship.pairs[0], *_facts(kinship.pairs))]
    parts += [_matrix(kinship), Text(), _notes(kinship)]
    for label, tree in (
        ("average linkage", kinship.average_linkage),
        ("neighbour joining", kinship.neighbour_joining),
    ):
        if tree is not None:
            parts.append(Text(f"\n{label} (labels: % of {kinship.draws} resamplings)", "dim"))
            parts.append(_Drawn(tree))
    return ConsoleText(Group(*parts))


class _Drawn:
    """A tree as wide as the console, above its Newick text, which other programs read."""

    def __init__(self, tree: Node) -> None:
        self._tree = tree

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = (*draw_tree(self._tree, options.max_width), "", to_newick(self._tree))
        yield Text("\n".join(lines), no_wrap=True, overflow="ignore")


def _facts(pairs: Sequence[SimilarityScore]) -> list[str]:
    """Return how many prompts the pairs have, and how many of them were lost."""
    counts = span_text([pair.n for pair in pairs])
    asked = span_text([pair.n + sum(losses(pair)) for pair in pairs])
    lost = [sum(counts) for counts in zip(*map(losses, pairs), strict=True)]
    prompts = "prompt" if asked == "1" else "prompts"
    where = f"each of {len(pairs)} pairs" if len(pairs) > 1 else "the only pair"
    facts = [f"{counts} of {asked} {prompts} in {where}"]
    if any(lost):
        facts.append(f"lost {losses_text(lost)} (failed / refused / truncated / unparsed)")
    if unread := sum(pair.lost for pair in pairs):
        asked_for = counted(sum(pair.gradings for pair in pairs), "gradings")
        facts.append(f"{unread} of {asked_for} could not be read")
    if effects := [pair.order_effect for pair in pairs if pair.order_effect is not None]:
        least, most = effect_text(min(effects)), effect_text(max(effects))
        both = least if least == most else f"{least} to {most}"
        facts.append(f"with the target shown first the judge grades {both} higher")
    return facts


def _matrix(kinship: Kinship) -> Columns:
    """Return a row and a column for each model. Columns have numbers: names are too long."""
    reaches = _reaches(kinship.pairs)
    names, digits = kinship.similarities.names, len(str(len(kinship.similarities.names)))
    rows = [
        TableRow(
            name=f"{number:>{digits}} {name}",
            cells=[
                TableCell(mean_text(value), "" if value is None else reaches.get((name, other), ""))
                for other, value in zip(names, values, strict=True)
            ],
        )
        for number, (name, values) in enumerate(
            zip(names, kinship.similarities.values, strict=True), start=1
        )
    ]
    return Columns("", [str(number + 1) for number in range(len(names))], rows)


def _reaches(pairs: Sequence[SimilarityScore]) -> dict[tuple[str, str], str]:
    """Return the distance from each pair's mean to the farther end of its interval."""
    found: dict[tuple[str, str], str] = {}
    for pair in pairs:
        own = _reach(pair.ceiling, pair.ceiling_low, pair.ceiling_high)
        found[pair.reference, pair.reference] = own
        both = _reach(pair.mean, pair.low, pair.high)
        found[pair.target, pair.reference] = found[pair.reference, pair.target] = both
    return found


def _reach(mean: float | None, low: float | None, high: float | None) -> str:
    if mean is None or low is None or high is None:
        return ""
    return f"±{max(mean - low, high - mean):.3f}"


def _notes(kinship: Kinship) -> Table:
    notes = [("overall", meaning(SIMILARITY.metrics, "overall"))]
    if kinship.pairs:
        notes.append(("±", meaning(MATRIX, "±")))
    values = kinship.similarities.values
    if any(row[number] is not None for number, row in enumerate(values)):
        notes.append(("diagonal", meaning(MATRIX, "diagonal")))
    if missing := kinship.similarities.missing():
        (first, second), more = missing[0], len(missing) - 1
        pairs = f"{first} and {second}" + (f", and {more} more" if more else "")
        notes.append(("no tree", f"{meaning(MATRIX, 'no tree')} Without one: {pairs}."))
    return note_table(notes, similarity_flags(kinship.pairs, _pair, "pairs"))


def _pair(score: SimilarityScore) -> str:
    return f"{score.target} and {score.reference}"
