"""Number formats: rates, means, intervals and counts as short text, the same in every view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from ...scoring.similarity_scores import SimilarityScore

NONE = "–"  # stands for a number that does not exist


class Losses(Protocol):
    """A score that counts its units without a result, by the reason."""

    @property
    def failed(self) -> int:
        """Units of which a call failed for good."""
        ...

    @property
    def refused(self) -> int:
        """Units that an endpoint refused to answer."""
        ...

    @property
    def truncated(self) -> int:
        """Units whose answer was cut by a length limit."""
        ...

    @property
    def unparsed(self) -> int:
        """Units whose judge reply could not be read."""
        ...


def rate_text(rate: float | None) -> str:
    """Return *rate* to three decimals; a rate near 0 or 1 is never printed as exactly 0 or 1."""
    if rate is None:
        return NONE
    if 0.0 < rate < 0.0005:
        return "<0.001"
    if 0.9995 <= rate < 1.0:
        return ">0.999"
    return f"{rate:.3f}"


def interval_text(low: float | None, high: float | None) -> str:
    """Return both ends of a rate's interval, or a dash where there is no interval."""
    return NONE if low is None or high is None else f"{rate_text(low)}–{rate_text(high)}"


def mean_text(mean: float | None) -> str:
    """Return *mean* to three decimals."""
    return NONE if mean is None else f"{mean:.3f}"


def effect_text(effect: float | None) -> str:
    """Return an order effect to two decimals, with its sign."""
    return NONE if effect is None else f"{round(effect, 2) + 0.0:+.2f}"  # never -0.00


def range_text(low: float | None, high: float | None, *, signed: bool = False) -> str:
    """Return both ends of a mean's interval, or nothing where there is no interval."""
    if low is None or high is None:
        return ""
    if signed:
        return f"{low:+.2f} to {high:+.2f}"
    return f"{low:.3f}–{high:.3f}" if low >= 0 else f"{low:.3f} to {high:.3f}"


def span_text(counts: Sequence[int]) -> str:
    """Return the smallest and the largest of *counts*, or the one number that all of them are."""
    least, most = min(counts), max(counts)
    return str(least) if least == most else f"{least}–{most}"


def losses(score: Losses) -> tuple[int, int, int, int]:
    """Return how many units failed, were refused, truncated and unparsed, in this order."""
    return score.failed, score.refused, score.truncated, score.unparsed


def losses_text(counts: Sequence[int]) -> str:
    """Return *counts* with slashes between them, or "none" if all are zero."""
    return "/".join(map(str, counts)) if any(counts) else "none"


def gradings_text(score: SimilarityScore) -> str:
    """Return how many of the judge's gradings could be read, of those asked for."""
    return f"{score.gradings - score.lost}/{score.gradings}" if score.gradings else NONE


def weights_text(score: SimilarityScore) -> str:
    """Return the weights as style/logic/content; nothing where no judge is asked."""
    if score.weights is None:
        return ""
    return "/".join(f"{weight:g}" for weight in msgspec.structs.astuple(score.weights))
