"""MCTS-Explore, as GPTFuzz (arXiv 2309.10253) defines it, with an optional prior.

A node's score at step s is ``reward / (visits + 1) + c * sqrt(2 ln(s) / (visits + 0.01))``. For a
node never visited the second term is about ``14 c sqrt(ln s)``, more than any reward can reach:
the published rule takes every root once, in order, before it looks at a reward, and with fewer
steps than roots it never looks at one. *prior_visits* = w imaginary visits, each rewarded with
*prior_reward* = r, lift this: every node scores as if it had them, so an unvisited template
competes on expectation with a promising one. With w = 0 the formula is the published one.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log, sqrt
from random import Random
from typing import ClassVar

import msgspec

from ..base import Choice
from ..types import NodeId, NotNegative, Share
from .tree import Tree


class MctsExplore(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Goes down the tree along the best score, and may stop early at an inner node.

    *explore* is c, *stop_early* alpha and *reward_floor* beta of the published rule.
    """

    version: ClassVar[str] = "1"

    explore: NotNegative = 0.5
    stop_early: Share = 0.1
    reward_floor: Share = 0.2
    prior_visits: NotNegative = 0.0
    prior_reward: Share = 0.0

    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        """Return the path from a root to the chosen node. Ties go to the lower id."""
        node = self._best(tree, tree.roots, step)
        path = [node]
        while tree.children[node] and rng.random() >= self.stop_early:
            node = self._best(tree, tree.children[node], step)
            path.append(node)
        return Choice(path=tuple(path))

    def gain(self, choice: Choice, *, level: int, successes: int, probes: int) -> float:
        """Return the share of successes, less the deeper the chosen node lay."""
        return successes / probes * max(self.reward_floor, 1 - 0.1 * level)

    def score(self, tree: Tree, node: NodeId, step: int) -> float:
        """Return what *node* promises at *step*."""
        visits = tree.visits[node] + self.prior_visits
        reward = tree.rewards[node] + self.prior_reward * self.prior_visits
        return reward / (visits + 1) + self.explore * sqrt(2 * log(step) / (visits + 0.01))

    def _best(self, tree: Tree, nodes: Iterable[NodeId], step: int) -> NodeId:
        # max() keeps the first of equals, and ids rise along roots and children.
        return max(nodes, key=lambda node: self.score(tree, node, step))
