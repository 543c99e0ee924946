"""Bandit selectors, UCB and EXP3, which ignore the shape of the tree.

Both are the standard algorithms; GPTFuzz (arXiv 2309.10253) offers them beside its tree search. An
arm is a template. A pull is one visit, and its reward is the share of positive probes, from 0 to 1.
"""

from __future__ import annotations

from itertools import accumulate
from math import exp, log, sqrt
from random import Random
from typing import Annotated, ClassVar

import msgspec

from ...providers.types import NotNegative
from ..base import Choice
from .tree import Tree


class Ucb(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Chooses the template with the highest upper confidence bound.

    UCB1 (Auer et al. 2002) with one imaginary visit without reward, the smoothing of GPTFuzz:
    ``reward / (visits + 1) + c * sqrt(2 ln(s) / (visits + 1))``, c = *explore*. The bound of an
    unvisited template is finite, so a long list of templates need not be visited completely.
    """

    version: ClassVar[str] = "1"

    explore: NotNegative = 0.5

    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        """Return one node. Ties go to the lower id."""
        bonus = self.explore * sqrt(2 * log(step))
        visits, rewards = tree.visits, tree.rewards
        best = max(
            range(len(tree)),
            key=lambda node: rewards[node] / (visits[node] + 1) + bonus / sqrt(visits[node] + 1),
        )
        return Choice(path=(best,))

    def reward(self, choice: Choice, *, depth: int, successes: int, probes: int) -> float:
        """Return the share of successes."""
        return successes / probes


class Exp3(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Draws a template with a probability that grows exponentially with its rewards.

    EXP3 (Auer et al. 2002): of K templates, template i has the probability
    ``(1 - g) w_i / sum(w) + g / K`` where ``w_i = exp(g * G_i / K)`` and g = *mix*. G_i is the sum
    of the rewards of i, each divided by the probability with which i was drawn. It is 0 for a new
    template.
    """

    version: ClassVar[str] = "1"

    mix: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.2

    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        """Return one node, drawn with the ticket's own random stream."""
        chances = self.chances(tree)
        drawn = rng.random() * sum(chances)
        node = next(
            (n for n, upto in enumerate(accumulate(chances)) if drawn < upto), len(chances) - 1
        )
        return Choice(path=(node,), probability=chances[node])

    def reward(self, choice: Choice, *, depth: int, successes: int, probes: int) -> float:
        """Return the share of successes, divided by the probability of the choice."""
        return successes / probes / choice.probability

    def chances(self, tree: Tree) -> list[float]:
        """Return the probability of each node."""
        count = len(tree)
        most = max(
            tree.rewards
        )  # subtracted from all: the ratios stay the same and exp cannot overflow
        weights = [exp(self.mix * (reward - most) / count) for reward in tree.rewards]
        total = sum(weights)
        return [(1 - self.mix) * weight / total + self.mix / count for weight in weights]
