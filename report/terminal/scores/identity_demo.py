"""Identity demo: scores of simulated targets beside what was planted in them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from ....engine.ice.ice_truth import PlantedClaims
from ....results.outcomes import DemoResult
from ....scoring.identity_scores import IdentityScore
from ...identity_terms import IDENTITY
from ...tables.number_text import interval_text, rate_text
from ...terms import meaning
from ..columns import Columns, TableCell, TableRow
from .notes import note_table

_HALVES = "1st→2nd half"
_NOTES = (
    (
        "planted",
        "Answers that really claim another identity (strict: that of OpenAI or Anthropic). The "
        "simulated judge errs in 2 of 100 replies.",
    ),
    (
        _HALVES,
        "Planted claims in the first and second half of the search. Where some templates work "
        "better, the second half asks more of those.",
    ),
    ("hard", meaning(IDENTITY.metrics, "hard")),
    ("replay", "The run once more, from the cache alone: the same, byte for byte, or not."),
)


def identity_demo(results: Sequence[DemoResult]) -> RenderableType:
    """Return the scores beside the truth; columns that do not fit follow below."""
    title = Text("Identity consistency of simulated targets, beside what was planted", "bold")
    width = max(len(result.name) for result in results) + 2
    headings = ("planted", "measured", "rate", "95% interval", _HALVES, "replay")
    rows = [row for result in results for row in _rows(result, width)]
    table = Columns(f"{'target':<{width}}metric", headings, rows, texts=[headings.index("replay")])
    return Group(title, Text(), table, Text(), note_table(_NOTES))


def _rows(result: DemoResult, width: int) -> list[TableRow]:
    """Return a row for each metric; name, halves and replay stand in the first one."""
    planted = result.truth
    assert isinstance(planted, PlantedClaims)
    truth = {"loose": planted.loose, "strict": planted.strict}
    halves = f"{planted.first_half:.0%}→{planted.second_half:.0%}"
    replay = "differs" if result.replay.difference else "same"
    scores = [score for score in result.scores if isinstance(score, IdentityScore)]
    return [
        TableRow(
            name=f"{result.name if first else '':<{width}}{score.metric}",
            cells=(
                TableCell(
                    f"{truth[score.metric]}/{planted.probes}" if score.metric in truth else ""
                ),
                TableCell(f"{score.positives}/{score.judged}"),
                TableCell(rate_text(score.rate)),
                TableCell(interval_text(score.low, score.high)),
                TableCell(halves if first else ""),
                TableCell(replay if first else ""),
            ),
        )
        for first, score in ((number == 0, score) for number, score in enumerate(scores))
    ]
