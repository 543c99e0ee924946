"""Dendrogram: a tree as lines of text, root on the left, models on the right, branches to scale."""

from __future__ import annotations

from collections.abc import Iterator

from ....scoring.trees import Node

_LEAST = 10  # columns of the longest path to a model, in the narrowest terminal


def draw_tree(root: Node, width: int) -> tuple[str, ...]:
    """Return a line for each model; a branch with a number has that support, in percent.

    A branch is as long as its share of *width*, but at least as long as its number.
    """
    leaves = tuple(_leaves(root, 0.0))
    names = max(len(name) for name, _ in leaves)
    depth = max(depth for _, depth in leaves)
    scale = max(_LEAST, width - names - 2) / depth if depth else 0.0
    return tuple(_draw(root, begin=0, depth=0.0, scale=scale))


def _draw(node: Node, *, begin: int, depth: float, scale: float) -> Iterator[str]:
    """Yield the lines of *node*, whose branch begins at column *begin*.

    A branch's last column comes from the whole path to the root. So rounding errors do not add up,
    and models at equal distance end in the same column.
    """
    label = "" if node.support is None else f"{100 * node.support:.0f}"
    least = begin + (len(label) + 2 if label else 0)
    end = max(least, round((depth + node.length) * scale))
    branch = label.center(end - begin, "─")
    if not node.children:
        yield f"{branch}─ {node.name}"
        return
    last = len(node.children) - 1
    for number, child in enumerate(node.children):
        lines = _draw(child, begin=end + 1, depth=depth + node.length, scale=scale)
        corner = "┬" if number == 0 else "└" if number == last else "├"
        before = branch if number == 0 else " " * len(branch)
        yield before + corner + next(lines)
        for line in lines:
            yield " " * len(branch) + (" " if number == last else "│") + line


def _leaves(node: Node, depth: float) -> Iterator[tuple[str, float]]:
    """Yield every model with its distance from the root."""
    depth += node.length
    if not node.children:
        yield node.name, depth
    for child in node.children:
        yield from _leaves(child, depth)
