"""UCB and EXP3 over all templates of the tree, whoever descends from whom.

Both are the textbook's, as GPTFuzz (arXiv 2309.10253) offers them beside its tree search. An arm
is a template; a pull is one visit, and its reward the share of positive probes, from 0 to 1.
"""

from __future__ import annotations

from itertools import accumulate
from math import exp, log, sqrt
from random import Random
from typing import Annotated, ClassVar

import msgspec

from ..base import Choice
from ..types import NotNegative
from .tree import Tree


class Ucb(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Takes the template with the best upper confidence bound.

    UCB1 (Auer et al. 2002) with one imaginary visit without reward, as GPTFuzz smooths it:
    ``reward / (visits + 1) + c * sqrt(2 ln(s) / (visits + 1))``, c = *explore*. A newcomer's bound
    is finite, so that many templates do not mean that each is visited once whatever happens.
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

    def gain(self, choice: Choice, *, level: int, successes: int, probes: int) -> float:
        """Return the share of successes."""
        return successes / probes


class Exp3(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Draws a template with a probability that grows exponentially with its rewards.

    EXP3 (Auer et al. 2002): of K templates, i is drawn with
    ``(1 - g) w_i / sum(w) + g / K`` where ``w_i = exp(g * G_i / K)``, g = *mix*, and G_i sums the
    rewards of i, each divided by the probability with which i was drawn. A mutant that joins
    starts at zero.
    """

    version: ClassVar[str] = "1"

    mix: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.2

    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        """Return one node, drawn from the ticket's own stream."""
        chances = self.chances(tree)
        drawn = rng.random() * sum(chances)
        node = next(
            (n for n, upto in enumerate(accumulate(chances)) if drawn < upto), len(chances) - 1
        )
        return Choice(path=(node,), probability=chances[node])

    def gain(self, choice: Choice, *, level: int, successes: int, probes: int) -> float:
        """Return the share of successes over the probability of the choice."""
        return successes / probes / choice.probability

    def chances(self, tree: Tree) -> list[float]:
        """Return the probability of each node."""
        count = len(tree)
        most = max(tree.rewards)  # taken away from all: nothing changes, and nothing overflows
        weights = [exp(self.mix * (reward - most) / count) for reward in tree.rewards]
        total = sum(weights)
        return [(1 - self.mix) * weight / total + self.mix / count for weight in weights]
