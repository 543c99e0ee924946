"""Similarity demo: scores of simulated writers beside their planted relation to the reference."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from ....providers.simulation.planting import Planting
from ....results.outcomes import DemoResult
from ....scoring.means import OVER_SETS
from ....scoring.prompt_values import SimilarityMetric
from ....scoring.similarity_scores import SimilarityScore
from ....strategies.similarity.similarity_types import ASPECTS
from ...similarity_terms import SIMILARITY
from ...terms import meaning
from ..columns import Columns, TableCell, TableRow
from .notes import note_table


def similarity_demo(results: Sequence[DemoResult]) -> RenderableType:
    """Return the scores beside the truth; columns that do not fit follow below."""
    title = Text("Response similarity of simulated writers to one reference, 1 to 5", "bold")
    headings = (*ASPECTS, "overall", "95% interval", "chars", "replay")
    rows: list[TableRow] = []
    ceiling = 0.0
    for result in results:
        means = {
            score.metric: score
            for score in result.scores
            if isinstance(score, SimilarityScore) and score.set == OVER_SETS
        }
        ceiling = means["overall"].ceiling or 0.0
        rows.append(_row(result, means))
    notes = (
        (
            "overall",
            f"{meaning(SIMILARITY.metrics, 'overall')} The reference's own second draw "
            f"gets {ceiling:.3f}. The copy scores above it, because an exact copy was planted.",
        ),
        ("chars", f"{meaning(SIMILARITY.metrics, 'chars')} No judge is asked."),
    )
    table = Columns("planted", headings, rows, texts=[headings.index("replay")])
    return Group(title, Text(), table, Text(), note_table(notes))


def _row(result: DemoResult, means: dict[SimilarityMetric, SimilarityScore]) -> TableRow:
    planted, overall = result.truth, means["overall"]
    assert isinstance(planted, Planting)
    texts = (
        *(f"{means[aspect].mean or 0:.2f}" for aspect in ASPECTS),
        f"{overall.mean or 0:.3f}",
        f"{overall.low or 0:.3f}–{overall.high or 0:.3f}",
        f"{means['chars'].mean or 0:.2f}",
        "differs" if result.replay.difference else "same",
    )
    return TableRow(name=planted.relation, cells=[TableCell(text) for text in texts])
