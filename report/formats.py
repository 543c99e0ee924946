"""Scores as text for other programs and for other people's documents."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import msgspec

from ..scoring.scores import Score
from ..scoring.similarity import SimilarityScore

# The columns of a table for people; "judge" and "prompt" because a share without them is no result.
_HEADINGS = (
    *("run", "target", "kind", "judge", "prompt", "metric", "positives/judged", "rate"),
    *("95% interval", "naive interval", "failed", "refused", "truncated", "unparsed"),
    *("best–worst", "flags"),
)
_NUMBERS = slice(6, 15)  # headings of columns that hold numbers: set to the right
_SIMILARITY_HEADINGS = (
    *("run", "target", "reference", "judge", "version", "metric", "set", "n", "mean"),
    *("95% interval", "own 2nd draw", "failed", "refused", "truncated", "unparsed", "flags"),
)
_SIMILARITY_NUMBERS = slice(7, 15)


AnyScore = Score | SimilarityScore


def to_json(scores: Sequence[AnyScore]) -> str:
    """Return a JSON list with one object a score, at full precision."""
    return msgspec.json.format(msgspec.json.encode(scores), indent=2).decode() + "\n"


def to_csv(scores: Sequence[AnyScore]) -> str:
    """Return the same columns as the JSON has keys; flags are joined by ";", what is absent empty.

    Where scores of both kinds come together, each leaves the other's columns empty. There is a
    header line even without scores.
    """
    columns = dict.fromkeys(
        name for score in scores for name in score.__struct_fields__
    ) or dict.fromkeys(Score.__struct_fields__)
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for score in scores:
        writer.writerow(msgspec.structs.asdict(score) | {"flags": ";".join(score.flags)})
    return out.getvalue()


def to_markdown(scores: Sequence[AnyScore]) -> str:
    """Return a pipe table of each kind, to three decimals; flags are joined by ";"."""
    shares = [_markdown_row(score) for score in scores if isinstance(score, Score)]
    means = [_similarity_row(score) for score in scores if isinstance(score, SimilarityScore)]
    tables = []
    if shares or not means:
        tables.append(_pipe_table(_HEADINGS, _NUMBERS, shares))
    if means:
        tables.append(_pipe_table(_SIMILARITY_HEADINGS, _SIMILARITY_NUMBERS, means))
    return "\n".join(tables)


def _pipe_table(headings: tuple[str, ...], numbers: slice, rows: Sequence[Sequence[str]]) -> str:
    rules = ["---"] * len(headings)
    rules[numbers] = ["---:"] * len(rules[numbers])
    return "".join(f"| {' | '.join(line)} |\n" for line in (headings, rules, *rows))


def _similarity_row(score: SimilarityScore) -> list[str]:
    names = (score.run, score.target, score.reference, score.judge, score.prompt_version)
    lost = (score.failed, score.refused, score.truncated, score.unparsed)
    return [
        *(_escaped(name) for name in (*names, score.metric, score.set)),
        str(score.n),
        _mean_text(score.mean),
        "–" if score.low is None else f"{_mean_text(score.low)}–{_mean_text(score.high)}",
        _mean_text(score.ceiling),
        *(str(count) for count in lost),
        ";".join(score.flags),
    ]


def _mean_text(mean: float | None) -> str:
    return "–" if mean is None else f"{mean:.3f}"


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
