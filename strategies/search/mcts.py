"""MCTS-Explore selector, as GPTFuzz (arXiv 2309.10253) defines it, with an optional prior.

The score of a node at step s is ``reward / (visits + 1) + c * sqrt(2 ln(s) / (visits + 0.01))``.

For a node that was never visited the second term is about ``14 c sqrt(ln s)``, more than any
reward. The published rule therefore visits every root once, in order, before any reward matters.
With fewer steps than roots, rewards never matter.

The prior removes this. Every node is scored as if it had *prior_visits* = w more visits, each with
the reward *prior_reward* = r. An unvisited template then has an expected reward and competes with a
promising one. With w = 0 the formula is the published one.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import log, sqrt
from random import Random
from typing import ClassVar

import msgspec

from ...providers.types import NotNegative, Share
from ..base import Choice
from ..types import NodeId
from .tree import Tree


class MctsExplore(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Descends the tree along the highest score, and may stop early at an inner node.

    *explore* is c of the published rule, *stop_early* is alpha, and *reward_floor* is beta.
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

    def reward(self, choice: Choice, *, depth: int, successes: int, probes: int) -> float:
        """Return the share of successes times ``max(reward_floor, 1 - 0.1 * depth)``."""
        return successes / probes * max(self.reward_floor, 1 - 0.1 * depth)

    def score(self, tree: Tree, node: NodeId, step: int) -> float:
        """Return the score of *node* at *step*."""
        visits = tree.visits[node] + self.prior_visits
        reward = tree.rewards[node] + self.prior_reward * self.prior_visits
        return reward / (visits + 1) + self.explore * sqrt(2 * log(step) / (visits + 0.01))

    def _best(self, tree: Tree, nodes: Iterable[NodeId], step: int) -> NodeId:
        # max() returns the first of equal nodes; roots and children are in order of their ids.
        return max(nodes, key=lambda node: self.score(tree, node, step))
