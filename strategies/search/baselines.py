"""Selectors that learn nothing: what an adaptive search has to beat."""

from __future__ import annotations

from random import Random
from typing import ClassVar

import msgspec

from ..base import Choice
from .tree import Tree


class RoundRobin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Takes the least visited node: every template in turn, newcomers as soon as they join."""

    version: ClassVar[str] = "1"

    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        """Return one node. Ties go to the lower id."""
        return Choice(path=(min(range(len(tree)), key=tree.visits.__getitem__),))

    def gain(self, choice: Choice, *, level: int, successes: int, probes: int) -> float:
        """Return the share of successes; it is recorded and steers nothing."""
        return successes / probes


class RandomChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Takes any node with equal probability."""

    version: ClassVar[str] = "1"

    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        """Return one node, drawn from the ticket's own stream."""
        return Choice(path=(rng.randrange(len(tree)),), probability=1 / len(tree))

    def gain(self, choice: Choice, *, level: int, successes: int, probes: int) -> float:
        """Return the share of successes; it is recorded and steers nothing."""
        return successes / probes
