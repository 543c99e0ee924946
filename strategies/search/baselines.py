"""Baseline selectors, which ignore rewards; an adaptive search has to beat them."""

from __future__ import annotations

from random import Random
from typing import ClassVar

import msgspec

from ..base import Choice
from .tree import Tree


class RoundRobin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Chooses the least visited node: every template in turn, a new one as soon as it joins."""

    version: ClassVar[str] = "1"

    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        """Return one node. Ties go to the lower id."""
        return Choice(path=(min(range(len(tree)), key=tree.visits.__getitem__),))

    def reward(self, choice: Choice, *, depth: int, successes: int, probes: int) -> float:
        """Return the share of successes; it is recorded and not used."""
        return successes / probes


class RandomChoice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Chooses every node with equal probability."""

    version: ClassVar[str] = "1"

    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        """Return one node, drawn with the ticket's own random stream."""
        return Choice(path=(rng.randrange(len(tree)),), probability=1 / len(tree))

    def reward(self, choice: Choice, *, depth: int, successes: int, probes: int) -> float:
        """Return the share of successes; it is recorded and not used."""
        return successes / probes
