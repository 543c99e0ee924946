"""Similarity scores as a table for documents."""

from __future__ import annotations

from collections.abc import Sequence

from ...scoring.similarity_scores import SimilarityScore
from .number_text import NONE, effect_text, gradings_text, mean_text, range_text, weights_text
from .score_table import ScoreColumn, ScoreTable, tabulate

# Scores compare only where reference, judge, version, weights and prompts are the same.
SIMILARITY_COLUMNS: tuple[ScoreColumn[SimilarityScore], ...] = (
    ScoreColumn("run", lambda score: score.run),
    ScoreColumn("target", lambda score: score.target),
    ScoreColumn("reference", lambda score: score.reference),
    ScoreColumn("judge", lambda score: score.judge),
    ScoreColumn("version", lambda score: score.prompt_version),
    ScoreColumn("weights", weights_text),
    ScoreColumn("prompts", lambda score: score.prompts_digest),
    ScoreColumn("metric", lambda score: score.metric),
    ScoreColumn("set", lambda score: score.set),
    ScoreColumn("n", lambda score: str(score.n), number=True),
    ScoreColumn("mean", lambda score: mean_text(score.mean), number=True),
    ScoreColumn(
        "95% interval", lambda score: range_text(score.low, score.high) or NONE, number=True
    ),
    ScoreColumn("order effect", lambda score: effect_text(score.order_effect), number=True),
    ScoreColumn(
        "order 95%",
        lambda score: range_text(score.order_low, score.order_high, signed=True) or NONE,
        number=True,
    ),
    ScoreColumn("own 2nd draw", lambda score: mean_text(score.ceiling), number=True),
    ScoreColumn("failed", lambda score: str(score.failed), number=True),
    ScoreColumn("refused", lambda score: str(score.refused), number=True),
    ScoreColumn("truncated", lambda score: str(score.truncated), number=True),
    ScoreColumn("unparsed", lambda score: str(score.unparsed), number=True),
    ScoreColumn("gradings", gradings_text, number=True),
    ScoreColumn("flags", lambda score: ";".join(score.flags)),
)


def similarity_table(scores: Sequence[SimilarityScore]) -> ScoreTable:
    """Return a row for each score, to three decimals."""
    return tabulate(SIMILARITY_COLUMNS, scores)
