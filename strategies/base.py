"""What the engine asks of a strategy. Strategies decide; the engine sends."""

from __future__ import annotations

from random import Random
from typing import Protocol

from .tree import Tree
from .types import NodeId


class Selector(Protocol):
    """Chooses the template that the next ticket rewrites."""

    def select(self, tree: Tree, *, step: int, rng: Random) -> tuple[NodeId, ...]:
        """Return the path from where the search entered to the chosen node.

        *step* counts selections from 1. *rng* belongs to this ticket alone.
        """
        ...

    def gain(self, *, level: int, successes: int, probes: int) -> float:
        """Return what each node of the path earns when *successes* of *probes* drew a claim."""
        ...
