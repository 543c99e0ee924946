from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hydrometer.scoring.pairwise import find_kinship
from hydrometer.scoring.prompt_values import PromptValue, PromptValues
from hydrometer.scoring.trees import (
    Matrix,
    Node,
    average_linkage,
    distances,
    neighbour_joining,
    to_newick,
    with_support,
)


def matrix(names: str, *rows: Sequence[float | None]) -> Matrix:
    return Matrix(names=tuple(names), values=tuple(tuple(row) for row in rows))


def leaf(name: str, length: float) -> Node:
    return Node(name=name, length=length)


def join(*children: Node, length: float = 0.0, support: float | None = None) -> Node:
    return Node(children=children, length=length, support=support)


def test_average_linkage_of_four_as_by_hand() -> None:
    # a+b at 2; c is (8 + 6) / 2 = 7 from them, d (10 + 10) / 2 = 10; c+ab at 7; d is
    # (2 * 10 + 1 * 7) / 3 = 9 from the three.
    found = average_linkage(
        matrix("abcd", (0, 2, 8, 10), (2, 0, 6, 10), (8, 6, 0, 7), (10, 10, 7, 0))
    )

    pair = join(leaf("a", 1.0), leaf("b", 1.0), length=2.5)
    assert found == join(join(pair, leaf("c", 3.5), length=1.0), leaf("d", 4.5))


def test_average_linkage_of_five_weighs_groups_by_their_size() -> None:
    # a+b at 2, c+d at 4, both pairs (6 + 8 + 6 + 8) / 4 = 7 apart, e (9 + 9 + 11 + 13) / 4 = 10.5.
    found = average_linkage(
        matrix(
            "abcde",
            (0, 2, 6, 8, 9),
            (2, 0, 6, 8, 9),
            (6, 6, 0, 4, 11),
            (8, 8, 4, 0, 13),
            (9, 9, 11, 13, 0),
        )
    )

    left = join(leaf("a", 1.0), leaf("b", 1.0), length=2.5)
    right = join(leaf("c", 2.0), leaf("d", 2.0), length=1.5)
    assert found == join(join(left, right, length=1.75), leaf("e", 5.25))


def test_neighbour_joining_of_five_as_by_hand() -> None:
    # a-b hang on u (2, 3), u and c on v (3, 4), d and e on v by w (2; 2, 1). First Q: a,b with
    # 3 * 5 - 31 - 34 = -50, the least.
    found = neighbour_joining(
        matrix(
            "abcde",
            (0, 5, 9, 9, 8),
            (5, 0, 10, 10, 9),
            (9, 10, 0, 8, 7),
            (9, 10, 8, 0, 3),
            (8, 9, 7, 3, 0),
        )
    )

    inner = join(join(leaf("a", 2.0), leaf("b", 3.0), length=3.0), leaf("c", 4.0), length=2.0)
    assert found == join(inner, leaf("d", 2.0), leaf("e", 1.0))


def test_neighbour_joining_of_four_finds_the_pair_that_is_not_the_closest() -> None:
    # b and c are closest (3 apart), but a long branch leads to a: ((a:8,b:1),(c:1,d:8)), 1 between.
    found = neighbour_joining(
        matrix("abcd", (0, 9, 10, 17), (9, 0, 3, 10), (10, 3, 0, 9), (17, 10, 9, 0))
    )

    assert found == join(
        join(leaf("a", 8.0), leaf("b", 1.0), length=1.0), leaf("c", 1.0), leaf("d", 8.0)
    )


@pytest.mark.parametrize("build", [average_linkage, neighbour_joining])
def test_two_models_and_one(build: Callable[[Matrix], Node]) -> None:
    assert build(matrix("ab", (0, 3), (3, 0))) == join(leaf("a", 1.5), leaf("b", 1.5))
    assert build(matrix("a", (0,))) == leaf("a", 0.0)


def test_three_models_meet_in_one_point() -> None:
    found = neighbour_joining(matrix("abc", (0, 3, 4), (3, 0, 5), (4, 5, 0)))

    assert found == join(leaf("a", 1.0), leaf("b", 2.0), leaf("c", 3.0))


def test_ties_go_to_the_first_names() -> None:
    same = matrix("abcd", (0, 1, 1, 1), (1, 0, 1, 1), (1, 1, 0, 1), (1, 1, 1, 0))

    linked = join(join(leaf("a", 0.5), leaf("b", 0.5)), leaf("c", 0.5))
    assert average_linkage(same) == join(linked, leaf("d", 0.5))
    assert neighbour_joining(same) == join(
        join(leaf("a", 0.5), leaf("b", 0.5)), leaf("c", 0.5), leaf("d", 0.5)
    )


def test_rounding_breaks_no_tie() -> None:
    third = 0.1 + 0.2  # a last digit above .3

    found = average_linkage(matrix("abc", (0, third, 0.3), (third, 0, 0.5), (0.3, 0.5, 0)))

    assert found.children[0].children == (leaf("a", third / 2), leaf("b", third / 2))


def test_a_negative_length_goes_to_the_sibling() -> None:
    # a, b: 2 / 2 + (19 - 24) / 4 = -0.25 for a, and 2.25 for b, which keeps the 2 between them.
    found = neighbour_joining(
        matrix("abcd", (0, 2, 8, 9), (2, 0, 10, 12), (8, 10, 0, 5), (9, 12, 5, 0))
    )

    assert found.children[0].children == (leaf("a", 0.0), leaf("b", 2.0))
    assert all(child.length >= 0 for child in found.children)


@st.composite
def additive(draw: st.DrawFn) -> tuple[Node, Matrix]:
    """Draw an unrooted binary tree with lengths, and the path lengths between its leaves."""
    size = draw(st.integers(4, 9))
    names = tuple(f"m{number}" for number in range(size))
    lengths = st.floats(0.1, 5.0)
    nodes = [leaf(name, draw(lengths)) for name in draw(st.permutations(names))]
    while len(nodes) > 3:
        pair = [nodes.pop(draw(st.integers(0, len(nodes) - 1))) for _ in range(2)]
        nodes.append(join(*pair, length=draw(lengths)))
    tree = join(*nodes)
    found = np.zeros((size, size))
    for node in below(tree):
        for i, j in combinations(range(size), 2):
            if (names[i] in leaves(node)) != (names[j] in leaves(node)):
                found[i, j] += node.length
    found += found.T
    return tree, Matrix(names=names, values=tuple(map(tuple, found.tolist())))


def below(node: Node) -> list[Node]:
    return [each for child in node.children for each in (child, *below(child))]


def leaves(node: Node) -> frozenset[str]:
    return frozenset({node.name} if node.name else ()).union(*map(leaves, node.children))


def splits(tree: Node) -> dict[frozenset[str], float]:
    everything = leaves(tree)
    first = min(everything)
    return {
        everything - leaves(node) if first in leaves(node) else leaves(node): node.length
        for node in below(tree)
    }


def clades(tree: Node) -> dict[frozenset[str], float]:
    return {leaves(node): node.length for node in below(tree)}


@given(additive())
def test_neighbour_joining_gives_back_any_additive_tree(planted: tuple[Node, Matrix]) -> None:
    tree, apart = planted

    found = neighbour_joining(apart)

    assert splits(found) == pytest.approx(splits(tree))


@given(planted=additive(), data=st.data())
def test_names_decide_nothing_but_ties(planted: tuple[Node, Matrix], data: st.DataObject) -> None:
    tree, apart = planted
    order = data.draw(st.permutations(range(len(apart.names))))
    shuffled = Matrix(
        names=tuple(apart.names[i] for i in order),
        values=tuple(tuple(apart.values[i][j] for j in order) for i in order),
    )

    assert splits(neighbour_joining(shuffled)) == pytest.approx(splits(tree))


@given(gaps=st.lists(st.floats(0.1, 5.0), min_size=1, max_size=8), data=st.data())
def test_average_linkage_gives_back_any_tree_with_a_clock(
    gaps: list[float], data: st.DataObject
) -> None:
    groups = [(leaf(f"m{number}", 0.0), 0.0) for number in range(len(gaps) + 1)]
    names = tuple(node.name for node, _ in groups)
    apart = np.zeros((len(names), len(names)))
    height = 0.0
    for gap in gaps:
        height += gap
        (first, low), (second, high) = (
            groups.pop(data.draw(st.integers(0, len(groups) - 1))) for _ in range(2)
        )
        for one in leaves(first):
            for other in leaves(second):
                i, j = names.index(one), names.index(other)
                apart[i, j] = apart[j, i] = 2 * height
        tree = join(replace(first, length=height - low), replace(second, length=height - high))
        groups.append((tree, height))

    found = average_linkage(Matrix(names=names, values=tuple(map(tuple, apart.tolist()))))

    assert clades(found) == pytest.approx(clades(tree))


def test_newick_has_lengths_and_support() -> None:
    tree = join(join(leaf("a", 1.0), leaf("b", 0.25), length=2.0, support=0.954), leaf("c", 3.5))

    assert to_newick(tree) == "((a:1.000000,b:0.250000)95:2.000000,c:3.500000);"
    assert to_newick(leaf("a", 0.0)) == "a;"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("qwen2.5-72b/instruct", "qwen2.5-72b/instruct"),
        ("gpt_4o", "'gpt_4o'"),
        ("Bob's (old) model", "'Bob''s (old) model'"),
        ("a,b:c;[d]", "'a,b:c;[d]'"),
        ("模型", "'模型'"),
        ("'", "''''"),
        ("", "''"),
    ],
)
def test_newick_quotes_what_could_be_misread(name: str, text: str) -> None:
    assert to_newick(leaf(name, 0.0)) == f"{text};"


@given(st.lists(st.text(min_size=1, max_size=8), min_size=2, max_size=7, unique=True))
def test_newick_can_be_read_back(names: list[str]) -> None:
    ring = [[float(abs(i - j)) for j in range(len(names))] for i in range(len(names))]
    tree = neighbour_joining(Matrix(names=tuple(names), values=tuple(map(tuple, ring))))

    tokens = re.findall(r"'(?:[^']|'')*'|[(),;]|:[0-9.]+|[^'(),:;]+", to_newick(tree))

    assert "".join(tokens) == to_newick(tree)
    found = [
        token[1:-1].replace("''", "'") if token[0] == "'" else token
        for token in tokens
        if token[0] not in "(),;:"
    ]
    assert sorted(found) == sorted(names)


def test_support_counts_the_trees_that_have_the_split() -> None:
    def pairs(first: str, second: str, *, length: float = 1.0) -> Node:
        return join(
            join(*(leaf(n, 1.0) for n in first), length=length), *(leaf(n, 1.0) for n in second)
        )

    others = [
        pairs("ab", "cd"),
        pairs("cd", "ab"),
        pairs("ac", "bd"),
        pairs("ab", "cd", length=0.0),
    ]

    unrooted = with_support(pairs("cd", "ab"), others, rooted=False)
    rooted = with_support(pairs("cd", "ab"), others, rooted=True)

    assert [child.support for child in unrooted.children] == [0.5, None, None]
    assert [child.support for child in rooted.children] == [0.25, None, None]
    assert with_support(pairs("ab", "cd"), [], rooted=True) == pairs("ab", "cd")


def test_distances_are_what_is_missing_to_a_perfect_copy() -> None:
    found = distances(matrix("abc", (4.8, 4, 5), (4, None, None), (5, None, 4.9)), top=5.0)

    assert found == matrix("abc", (0, 1, 0), (1, 0, None), (0, None, 0))


@pytest.mark.parametrize(
    ("names", "values", "message"),
    [
        ((), (), r"a matrix needs names that differ, got \[\]"),
        (("a", "a"), ((0, 1), (1, 0)), r"a matrix needs names that differ, got \['a', 'a'\]"),
        (("a", "b"), ((0, 1),), "a matrix of 2 names needs as many rows and columns"),
        (("a", "b"), ((0, 1), (2, 0)), "a matrix must be symmetric"),
    ],
)
def test_what_is_no_matrix_is_refused(
    names: tuple[str, ...], values: tuple[tuple[float, ...], ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Matrix(names=names, values=values)


def test_a_tree_needs_every_distance() -> None:
    with pytest.raises(ValueError, match="a tree needs every distance, a and b have none"):
        average_linkage(matrix("ab", (0, None), (None, 0)))


def make_readings(values: Sequence[float], *, name: str = "general") -> PromptValues:
    """Readings of one metric; NaN for a prompt that failed."""
    return PromptValues(
        metrics=("overall",),
        prompts=tuple(
            PromptValue(set=name, prompt=number, outcome="failed" if value != value else "read",
                    values=() if value != value else (value,))
            for number, value in enumerate(values)
        ),
    )  # fmt: skip


GROUP = {
    ("a", "b"): make_readings([5.0, 4.0] * 10),
    ("c", "d"): make_readings([4.0, 4.0] * 10),
    **{pair: make_readings([1.0, 3.0] * 10) for pair in (("a", "c"), ("d", "a"), ("b", "c"))},
    ("b", "d"): make_readings([2.0, 2.0] * 10),
}


def test_kinship_has_the_matrix_and_supported_trees() -> None:
    found = find_kinship(GROUP | {("a", "a"): make_readings([5.0, 4.5] * 10)}, "overall", seed=3)

    assert found.similarities == matrix(
        "abcd",
        (4.75, 4.5, 2.0, 2.0),
        (4.5, None, 2.0, 2.0),
        (2.0, 2.0, None, 4.0),
        (2.0, 2.0, 4.0, None),
    )
    assert found.draws == 1000
    assert found.average_linkage == join(
        join(leaf("a", 0.25), leaf("b", 0.25), length=1.25, support=1.0),
        join(leaf("c", 0.5), leaf("d", 0.5), length=1.0, support=1.0),
    )
    assert found.neighbour_joining == join(
        join(leaf("a", 0.25), leaf("b", 0.25), length=2.25, support=1.0),
        leaf("c", 0.5),
        leaf("d", 0.5),
    )


def test_a_split_that_prompts_disagree_on_has_little_support() -> None:
    def sides(first: float, second: float) -> PromptValues:
        return make_readings([first] * 15 + [second] * 15)

    pairs = {
        **dict.fromkeys((("a", "b"), ("c", "d")), sides(4.0, 2.0)),
        **dict.fromkeys((("a", "c"), ("b", "d")), sides(2.0, 4.0)),
        **dict.fromkeys((("a", "d"), ("b", "c")), sides(2.0, 2.0)),
    }

    found = find_kinship(pairs, "overall", seed=1)

    assert found.neighbour_joining is not None
    support = found.neighbour_joining.children[0].support
    assert support is not None
    assert 0.3 < support < 0.6


def test_a_tie_broken_by_name_has_no_support() -> None:
    pairs = {pair: make_readings([3.0] * 20) for pair in combinations("abcd", 2)}

    found = find_kinship(pairs, "overall", seed=1)

    assert found.neighbour_joining is not None
    assert found.neighbour_joining.children[0].support == 0.0


def test_a_pair_counts_the_same_whichever_way_round_it_is_given() -> None:
    turned = {(second, first): readings for (first, second), readings in GROUP.items()}

    assert find_kinship(turned, "overall", seed=3) == find_kinship(GROUP, "overall", seed=3)


def test_sets_weigh_the_same() -> None:
    both = make_readings([5.0] * 30)
    few = make_readings([1.0] * 2, name="math")

    found = find_kinship(
        {("a", "b"): PromptValues(metrics=("overall",), prompts=both.prompts + few.prompts)},
        "overall",
        seed=1,
    )

    assert found.similarities == matrix("ab", (None, 3.0), (3.0, None))


def test_there_is_no_tree_while_a_pair_is_missing() -> None:
    found = find_kinship(
        GROUP | {("b", "d"): make_readings([float("nan")] * 20)}, "overall", seed=1
    )

    assert found.similarities.missing() == (("b", "d"),)
    assert (found.average_linkage, found.neighbour_joining, found.draws) == (None, None, 0)
