"""Selectors that learn nothing: what an adaptive search has to beat."""

from __future__ import annotations

from random import Random

import msgspec

from .tree import Tree
from .types import NodeId


class RoundRobin(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="round-robin"
):
    """Takes the least visited node: every template in turn, newcomers as soon as they join."""

    def select(self, tree: Tree, *, step: int, rng: Random) -> tuple[NodeId, ...]:
        """Return one node. Ties go to the lower id."""
        return (min(range(len(tree)), key=tree.visits.__getitem__),)

    def gain(self, *, level: int, successes: int, probes: int) -> float:
        """Return the share of successes; it is recorded and steers nothing."""
        return successes / probes


class RandomChoice(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="random"
):
    """Takes any node with equal probability."""

    def select(self, tree: Tree, *, step: int, rng: Random) -> tuple[NodeId, ...]:
        """Return one node, drawn from the ticket's own stream."""
        return (rng.randrange(len(tree)),)

    def gain(self, *, level: int, successes: int, probes: int) -> float:
        """Return the share of successes; it is recorded and steers nothing."""
        return successes / probes
