"""Trees of models from their distances, with the support of every split, as Newick text.

There are two kinds, because they have different errors. Average linkage assumes that all models are
equally far from the root. Neighbour joining does not assume that, and if the distances are the path
lengths of a tree, it returns exactly that tree.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from math import isnan

import msgspec
import numpy as np

from .means import FloatArray

Pair = tuple[str, str]
Split = frozenset[str]

_TIE = 1e-9  # relative to the largest distance: a smaller difference is rounding
_PLAIN = re.compile(r"[A-Za-z0-9.+/@-]+")  # other names are quoted; a bare "_" means a space


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A model (a leaf with a name) or a join of *children*; *length* is the distance to its parent.

    *support* is the share of resampled trees that have the same split, from 0 to 1. It is None at
    leaves and at the root, and if nothing was resampled.
    """

    name: str = ""
    length: float = 0.0
    children: tuple[Node, ...] = ()
    support: float | None = None


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """Similarities or distances of all *names*, symmetric; None where a pair was not measured.

    Trees ignore the diagonal. Among equal distances, the pair whose names come first is joined.
    Raises ValueError for names that repeat, and for values that are not a symmetric square.
    """

    names: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]

    def __post_init__(self) -> None:
        if not self.names or len(set(self.names)) < len(self.names):
            raise ValueError(f"a matrix needs names that differ, got {list(self.names)}")
        if {len(self.values), *map(len, self.values)} != {len(self.names)}:
            raise ValueError(f"a matrix of {len(self.names)} names needs as many rows and columns")
        if self.values != tuple(zip(*self.values, strict=True)):
            raise ValueError("a matrix must be symmetric")

    def missing(self) -> tuple[Pair, ...]:
        """Return the pairs of different models that have no value."""
        return tuple(
            (self.names[i], self.names[j])
            for i, row in enumerate(self.values)
            for j in range(i + 1, len(row))
            if row[j] is None
        )


def distances(similarities: Matrix, *, top: float) -> Matrix:
    """Return *top* less each similarity, but at least 0; the diagonal is 0."""
    square = np.maximum(0.0, top - np.array(similarities.values, dtype=np.float64))
    np.fill_diagonal(square, 0.0)
    values = tuple(
        tuple(None if isnan(value) else value for value in row) for row in square.tolist()
    )
    return Matrix(names=similarities.names, values=values)


def average_linkage(matrix: Matrix) -> Node:
    """Return the rooted tree that repeatedly joins the two closest groups (UPGMA).

    The distance of two groups is the mean distance of their members, and the height of a join is
    half the distance of its two groups. Raises ValueError when a pair has no distance.

    R. R. Sokal and C. D. Michener, "A statistical method for evaluating systematic relationships",
    University of Kansas Science Bulletin 38 (1958), 1409-1438.
    """
    square = _complete(matrix)
    nodes = [Node(name=name) for name in matrix.names]
    heights, sizes = [0.0] * len(nodes), [1] * len(nodes)
    scale, hidden = float(square.max()), _below_diagonal(len(nodes))
    while len(nodes) > 1:
        i, j = _first_least(square, hidden, scale)
        height = float(square[i, j]) / 2
        nodes[i] = _over((nodes[i], nodes[j]), (height - heights[i], height - heights[j]), scale)
        row = (sizes[i] * square[i] + sizes[j] * square[j]) / (sizes[i] + sizes[j])
        square = _merged(square, i, j, row)
        heights[i] = height
        sizes[i] += sizes[j]
        del nodes[j], heights[j], sizes[j]
    return nodes[0]


def neighbour_joining(matrix: Matrix) -> Node:
    """Return the unrooted tree of Saitou and Nei, written from its last join of three.

    A negative length becomes 0, and the difference is added to the length of its sibling, so that
    the distance of the two stays the same (Kuhner and Felsenstein 1994). In the last join of three,
    and if the distance of the two is negative, it becomes 0 without that correction. The shape of
    the tree does not change. Raises ValueError when a pair has no distance.

    N. Saitou and M. Nei, "The neighbor-joining method", Molecular Biology and Evolution 4 (1987),
    406-425; M. K. Kuhner and J. Felsenstein, same journal 11 (1994), 459-468.
    """
    square = _complete(matrix)
    nodes = [Node(name=name) for name in matrix.names]
    scale, hidden = float(square.max()), _below_diagonal(len(nodes))
    while len(nodes) > 3:
        rest = len(nodes) - 2
        sums = square.sum(axis=1)
        nearness = rest * square - sums[:, np.newaxis] - sums
        i, j = _first_least(nearness, hidden, rest * scale)
        apart = float(square[i, j])
        first = apart / 2 + float(sums[i] - sums[j]) / (2 * rest)
        first = min(max(0.0, first), max(0.0, apart))
        nodes[i] = _over((nodes[i], nodes[j]), (first, apart - first), scale)
        square = _merged(square, i, j, (square[i] + square[j] - apart) / 2)
        del nodes[j]
    if len(nodes) == 3:
        a, b, c = float(square[0, 1]), float(square[0, 2]), float(square[1, 2])
        return _over(nodes, ((a + b - c) / 2, (a + c - b) / 2, (b + c - a) / 2), scale)
    return _over(nodes, [scale / 2] * 2, scale) if len(nodes) == 2 else nodes[0]


def with_support(tree: Node, resampled: Sequence[Node], *, rooted: bool) -> Node:
    """Return *tree* with the support of each split: the share of *resampled* trees that have it.

    The split at a join is the set of models below it. In an unrooted tree a set and its complement
    are the same split, so the side without the first name stands for both.
    """
    if not resampled:
        return tree
    everything = _leaves(tree)
    anchor = None if rooted else min(everything)

    def side(node: Node) -> Split:
        below = _leaves(node)
        return everything - below if anchor in below else below

    # A branch of length 0 is a tie that was broken by name, so it supports no split.
    counts = Counter(side(node) for other in resampled for node in _inner(other) if node.length > 0)

    def rebuilt(node: Node) -> Node:
        children = tuple(
            msgspec.structs.replace(rebuilt(child), support=counts[side(child)] / len(resampled))
            if child.children
            else child
            for child in node.children
        )
        return msgspec.structs.replace(node, children=children)

    return rebuilt(tree)


def to_newick(tree: Node) -> str:
    """Return the tree as Newick text with lengths; joins are labelled with support in percent."""
    return f"{_newick(tree, root=True)};"


def _newick(node: Node, *, root: bool = False) -> str:
    label = _quoted(node.name)
    if node.children:
        label = f"({','.join(map(_newick, node.children))})"
        label += "" if node.support is None else f"{100 * node.support:.0f}"
    return label if root else f"{label}:{node.length:.6f}"


def _quoted(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else "'" + name.replace("'", "''") + "'"


def _below_diagonal(size: int) -> FloatArray:
    """Return a mask to add to a square: infinity on and below the diagonal, 0 above it."""
    return np.where(np.tri(size, dtype=np.bool_), np.inf, 0.0)


def _first_least(square: FloatArray, hidden: FloatArray, scale: float) -> tuple[int, int]:
    """Return the first pair, row by row, whose value is the smallest up to rounding."""
    size = len(square)
    values = square + hidden[:size, :size]
    return divmod(int((values <= values.min() + _TIE * scale).argmax()), size)


def _merged(square: FloatArray, i: int, j: int, row: FloatArray) -> FloatArray:
    """Return *square* with *row* in the place of i, and without j."""
    merged = square.copy()
    merged[i, :] = merged[:, i] = row
    merged[i, i] = 0.0
    kept = [*range(j), *range(j + 1, len(square))]
    return merged[kept][:, kept]


def _over(nodes: Sequence[Node], lengths: Sequence[float], scale: float) -> Node:
    """Return a join of *nodes*; a length that is negative or only rounding becomes 0."""
    return Node(
        children=tuple(
            msgspec.structs.replace(node, length=length if length > _TIE * scale else 0.0)
            for node, length in zip(nodes, lengths, strict=True)
        )
    )


def _inner(node: Node) -> Iterator[Node]:
    """Yield the joins below *node*."""
    for child in node.children:
        if child.children:
            yield child
            yield from _inner(child)


def _leaves(node: Node) -> Split:
    if not node.children:
        return frozenset({node.name})
    return frozenset().union(*map(_leaves, node.children))


def _complete(matrix: Matrix) -> FloatArray:
    if missing := matrix.missing():
        first, second = missing[0]
        raise ValueError(f"a tree needs every distance, {first} and {second} have none")
    square = np.array(matrix.values, dtype=np.float64)
    np.fill_diagonal(square, 0.0)
    return square
