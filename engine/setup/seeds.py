"""One random stream for each unit of work."""

from __future__ import annotations

from random import Random


def derive_rng(run_seed: int, stage: str, ticket: int) -> Random:
    """Return the stream of one *ticket* in one *stage*, whatever else runs beside it."""
    return Random(f"{run_seed}/{stage}/{ticket}")
