"""Random streams: one for each unit of work."""

from __future__ import annotations

from random import Random


def derive_rng(run_seed: int, stage: str, ticket: int) -> Random:
    """Return the random stream of one *ticket* in one *stage*.

    The stream depends on nothing else, so it does not matter which other work runs concurrently.
    """
    return Random(f"{run_seed}/{stage}/{ticket}")
