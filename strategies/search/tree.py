"""The template tree as numbers: who descends from whom, how often visited, how well rewarded.

The tree is owned and changed by one search (engine/ice/search.py). It is the one value here that is
not frozen: a run grows to ten thousand nodes, and copying them at every step would make the search
quadratic. Selectors only read it.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..types import NodeId


class Tree:
    """A forest whose nodes are numbered in the order in which they joined."""

    def __init__(self, roots: int) -> None:
        if roots < 1:
            raise ValueError(f"a tree needs at least one root, got {roots}")
        self.visits = [0] * roots
        self.rewards = [0.0] * roots
        self.levels = [0] * roots
        self.children: list[list[NodeId]] = [[] for _ in range(roots)]
        self.roots = range(roots)

    def __len__(self) -> int:
        return len(self.visits)

    def add(self, parent: NodeId) -> NodeId:
        """Return the id of a new child of *parent*, not yet visited."""
        node = len(self.visits)
        self.visits.append(0)
        self.rewards.append(0.0)
        self.levels.append(self.levels[parent] + 1)
        self.children.append([])
        self.children[parent].append(node)
        return node

    def visit(self, path: Sequence[NodeId]) -> None:
        """Count one selection for every node of *path*."""
        for node in path:
            self.visits[node] += 1

    def credit(self, path: Sequence[NodeId], gain: float) -> None:
        """Add *gain* to the reward of every node of *path*."""
        for node in path:
            self.rewards[node] += gain
