"""Scores as text for other programs and for other people's documents."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

import msgspec

from ...scoring.identity_scores import IdentityScore
from ...scoring.similarity_scores import SimilarityScore

# The columns of a table for people; "judge" and "prompt" because a share without them is no result.
_HEADINGS = (
    *("run", "target", "kind", "judge", "prompt", "metric", "positives/judged", "rate"),
    *("95% interval", "naive interval", "failed", "refused", "truncated", "unparsed", "unread"),
    *("best–worst", "flags"),
)
_NUMBERS = slice(6, 16)  # headings of columns that hold numbers: set to the right
_SIMILARITY_HEADINGS = (
    *("run", "target", "reference", "judge", "version", "weights", "prompts", "metric", "set"),
    *("n", "mean", "95% interval", "order effect", "order 95%", "own 2nd draw"),
    *("failed", "refused", "truncated", "unparsed", "gradings", "flags"),
)
_SIMILARITY_NUMBERS = slice(9, 20)


AnyScore = IdentityScore | SimilarityScore


def to_json(scores: Sequence[AnyScore]) -> str:
    """Return a JSON list with one object a score, at full precision."""
    return msgspec.json.format(msgspec.json.encode(scores), indent=2).decode() + "\n"


def to_csv(scores: Sequence[AnyScore]) -> str:
    """Return the same columns as the JSON has keys; flags are joined by ";", what is absent empty.

    Weights are written as "style/logic/content".

    Where scores of both kinds come together, each leaves the other's columns empty. There is a
    header line even without scores.
    """
    columns = dict.fromkeys(
        name for score in scores for name in score.__struct_fields__
    ) or dict.fromkeys(IdentityScore.__struct_fields__)
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    for score in scores:
        cells = msgspec.structs.asdict(score) | {"flags": ";".join(score.flags)}
        if isinstance(score, SimilarityScore):
            cells["weights"] = weights_text(score)
        writer.writerow(cells)
    return out.getvalue()


def to_markdown(scores: Sequence[AnyScore]) -> str:
    """Return a pipe table of each kind, to three decimals; flags are joined by ";"."""
    shares = [_markdown_row(score) for score in scores if isinstance(score, IdentityScore)]
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
    basis = (weights_text(score), score.prompts_digest, score.metric, score.set)
    return [
        *(_escaped(name) for name in (*names, *basis)),
        str(score.n),
        mean_text(score.mean),
        range_text(score.low, score.high) or "–",
        effect_text(score.order_effect),
        range_text(score.order_low, score.order_high, signed=True) or "–",
        mean_text(score.ceiling),
        *(str(count) for count in _lost(score)),
        gradings_text(score),
        ";".join(score.flags),
    ]


def mean_text(mean: float | None) -> str:
    """Return *mean* to three decimals."""
    return "–" if mean is None else f"{mean:.3f}"


def effect_text(effect: float | None) -> str:
    """Return how much higher one presentation order is graded, with its sign."""
    return "–" if effect is None else f"{round(effect, 2) + 0.0:+.2f}"  # never -0.00


def range_text(low: float | None, high: float | None, *, signed: bool = False) -> str:
    """Return both ends of an interval, or nothing where there is none."""
    if low is None or high is None:
        return ""
    if signed:
        return f"{low:+.2f} to {high:+.2f}"
    return f"{low:.3f}–{high:.3f}" if low >= 0 else f"{low:.3f} to {high:.3f}"


def lost_text(score: AnyScore) -> str:
    """Return how many failed, were refused, truncated and unparsed, or that none was."""
    counts = _lost(score)
    return "/".join(map(str, counts)) if any(counts) else "none"


def gradings_text(score: SimilarityScore) -> str:
    """Return how many of the judge's gradings could be read, of those asked for."""
    return f"{score.gradings - score.lost}/{score.gradings}" if score.gradings else "–"


def span_text(counts: Sequence[int]) -> str:
    """Return the least and the most of *counts*, or the one that all are."""
    least, most = min(counts), max(counts)
    return str(least) if least == most else f"{least}–{most}"


def weights_text(score: SimilarityScore) -> str:
    """Return what style, logic and content weigh; nothing where no judge is asked."""
    if score.weights is None:
        return ""
    return "/".join(f"{weight:g}" for weight in msgspec.structs.astuple(score.weights))


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


def _markdown_row(score: IdentityScore) -> list[str]:
    names = (score.run, score.target, score.kind, score.judge, score.prompt_version, score.metric)
    return [
        *(_escaped(name) for name in names),
        f"{score.positives}/{score.judged}",
        rate_text(score.rate),
        interval_text(score.low, score.high),
        interval_text(score.naive_low, score.naive_high),
        *(str(count) for count in (*_lost(score), score.unread)),
        interval_text(score.best, score.worst),
        ";".join(score.flags),
    ]


def _lost(score: AnyScore) -> tuple[int, ...]:
    return score.failed, score.refused, score.truncated, score.unparsed


def _escaped(name: str) -> str:
    """Keep a user's name from ending its cell or its line."""
    return " ".join(name.replace("\\", "\\\\").replace("|", "\\|").split())
