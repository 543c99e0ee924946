"""Cosine similarity of two embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum, isfinite, sqrt


def cosine(reference: Sequence[float], target: Sequence[float]) -> float:
    """Return the cosine of two embeddings, in [-1, 1].

    Raises ValueError for vectors of different or zero length, for values that are not finite, and
    for a vector of zeros, which has no direction.
    """
    if len(reference) != len(target) or not reference:
        raise ValueError(
            f"embeddings must have one length above 0, got {len(reference)} and {len(target)}"
        )
    if not all(map(isfinite, (*reference, *target))):
        raise ValueError("embeddings must be finite")
    if not (any(reference) and any(target)):
        raise ValueError("embeddings must not be all zeros")
    first, second = _scaled(reference), _scaled(target)
    product = fsum(a * b for a, b in zip(first, second, strict=True))
    norms = sqrt(fsum(a * a for a in first)) * sqrt(fsum(b * b for b in second))
    return max(-1.0, min(1.0, product / norms))


def _scaled(vector: Sequence[float]) -> list[float]:
    """Scale the largest absolute value to 1, so that no square overflows or underflows."""
    top = max(map(abs, vector))
    return [value / top for value in vector]
