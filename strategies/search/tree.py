"""Template tree of a search: the children, visits and rewards of every node.

One search owns the tree and changes it (engine/ice/search.py); selectors only read it. It is the
only mutable type among the strategies: a run grows to ten thousand nodes, and copying them at every
step would make the search quadratic.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..types import NodeId


class Tree:
    """A forest; nodes are numbered in the order in which they joined. A root has depth 0."""

    def __init__(self, roots: int) -> None:
        if roots < 1:
            raise ValueError(f"a tree needs at least one root, got {roots}")
        self.visits = [0] * roots
        self.rewards = [0.0] * roots
        self.depths = [0] * roots
        self.children: list[list[NodeId]] = [[] for _ in range(roots)]
        self.roots = range(roots)

    def __len__(self) -> int:
        return len(self.visits)

    def add(self, parent: NodeId) -> NodeId:
        """Return the id of a new child of *parent*, not yet visited."""
        node = len(self.visits)
        self.visits.append(0)
        self.rewards.append(0.0)
        self.depths.append(self.depths[parent] + 1)
        self.children.append([])
        self.children[parent].append(node)
        return node

    def visit(self, path: Sequence[NodeId]) -> None:
        """Count one selection for every node of *path*."""
        for node in path:
            self.visits[node] += 1

    def backpropagate(self, path: Sequence[NodeId], reward: float) -> None:
        """Add *reward* to every node of *path*."""
        for node in path:
            self.rewards[node] += reward
