"""Identity scores as a table for documents."""

from __future__ import annotations

from collections.abc import Sequence

from ...scoring.identity_scores import IdentityScore
from .number_text import interval_text, rate_text
from .score_table import ScoreColumn, ScoreTable, tabulate

# Judge and prompt version are columns because a rate means nothing without them.
IDENTITY_COLUMNS: tuple[ScoreColumn[IdentityScore], ...] = (
    ScoreColumn("run", lambda score: score.run),
    ScoreColumn("target", lambda score: score.target),
    ScoreColumn("kind", lambda score: score.kind),
    ScoreColumn("judge", lambda score: score.judge),
    ScoreColumn("prompt", lambda score: score.prompt_version),
    ScoreColumn("metric", lambda score: score.metric),
    ScoreColumn("positives/judged", lambda score: f"{score.positives}/{score.judged}", number=True),
    ScoreColumn("rate", lambda score: rate_text(score.rate), number=True),
    ScoreColumn("95% interval", lambda score: interval_text(score.low, score.high), number=True),
    ScoreColumn(
        "naive interval",
        lambda score: interval_text(score.naive_low, score.naive_high),
        number=True,
    ),
    ScoreColumn("failed", lambda score: str(score.failed), number=True),
    ScoreColumn("refused", lambda score: str(score.refused), number=True),
    ScoreColumn("truncated", lambda score: str(score.truncated), number=True),
    ScoreColumn("unparsed", lambda score: str(score.unparsed), number=True),
    ScoreColumn("unread", lambda score: str(score.unread), number=True),
    ScoreColumn("best–worst", lambda score: interval_text(score.best, score.worst), number=True),
    ScoreColumn("flags", lambda score: ";".join(score.flags)),
)


def identity_table(scores: Sequence[IdentityScore]) -> ScoreTable:
    """Return a row for each score, to three decimals."""
    return tabulate(IDENTITY_COLUMNS, scores)
