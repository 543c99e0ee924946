"""Scores as text for other programs and for other people's documents."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import msgspec

from ..scoring.scores import Score

# The columns of a table for people; "judge" and "prompt" because a share without them is no result.
_HEADINGS = (
    *("run", "target", "kind", "judge", "prompt", "metric", "positives/judged", "rate"),
    *("95% interval", "naive interval", "failed", "refused", "truncated", "unparsed"),
    *("best–worst", "flags"),
)
_NUMBERS = slice(6, 15)  # headings of columns that hold numbers: set to the right


def to_json(scores: Sequence[Score]) -> str:
    """Return a JSON list with one object a score, at full precision."""
    return msgspec.json.format(msgspec.json.encode(scores), indent=2).decode() + "\n"


def to_csv(scores: Sequence[Score]) -> str:
    """Return the same columns as the JSON has keys; flags are joined by ";", what is absent empty.

    There is a header line even without scores.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(Score.__struct_fields__)
    for score in scores:
        values = msgspec.structs.asdict(score) | {"flags": ";".join(score.flags)}
        writer.writerow(values.values())
    return out.getvalue()


def to_markdown(scores: Sequence[Score]) -> str:
    """Return a pipe table with rates to three decimals; flags are joined by ";"."""
    rules = ["---"] * len(_HEADINGS)
    rules[_NUMBERS] = ["---:"] * len(rules[_NUMBERS])
    lines = [_HEADINGS, rules, *(_markdown_row(score) for score in scores)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def rate_text(rate: float | None) -> str:
    """Return *rate* to three decimals; what is not quite 0 or 1 is never printed as if it were."""
    if rate is None:
        return "–"
    if 0.0 < rate < 0.0005:
        return "<0.001"
    if 0.9995 <= rate < 1.0:
        return ">0.999"
    return f"{rate:.3f}"


def interval_text(low: float | None, high: float | None) -> str:
    """Return both ends to three decimals, or a dash where there is no interval."""
    return "–" if low is None or high is None else f"{rate_text(low)}–{rate_text(high)}"


def _markdown_row(score: Score) -> list[str]:
    names = (score.run, score.target, score.kind, score.judge, score.prompt_version, score.metric)
    lost = (score.failed, score.refused, score.truncated, score.unparsed)
    return [
        *(_escaped(name) for name in names),
        f"{score.positives}/{score.judged}",
        rate_text(score.rate),
        interval_text(score.low, score.high),
        interval_text(score.naive_low, score.naive_high),
        *(str(count) for count in lost),
        interval_text(score.best, score.worst),
        ";".join(score.flags),
    ]


def _escaped(name: str) -> str:
    """Keep a user's name from ending its cell or its line."""
    return " ".join(name.replace("\\", "\\\\").replace("|", "\\|").split())
