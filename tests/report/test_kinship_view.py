from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console, RenderableType
from sample_scores import THREE, make_kinship, make_pair

from hydrometer.report.terminal.scores.dendrogram import draw_tree
from hydrometer.report.terminal.scores.pairwise_view import kinship_view
from hydrometer.scoring.trees import Node, to_newick

NAMES = (
    *("Claude-3.5-Sonnet", "DeepSeek-V3", "Doubao-Pro-32k", "GPT-4o-0806"),
    *("Llama-3.1-70B-Instruct", "Qwen2.5-72B-Instruct", "Qwen2.5-7B-Instruct"),
)


def shown(view: RenderableType, width: int = 80, encoding: str = "utf-8") -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, write_through=True)
    Console(file=file, width=width, color_system=None).print(view, crop=False)
    buffer = file.buffer
    assert isinstance(buffer, io.BytesIO)
    return [line.rstrip() for line in buffer.getvalue().decode(encoding).splitlines()]


def test_all_pairs_are_a_matrix_with_its_intervals_and_trees_as_text() -> None:
    lines = [line.split() for line in shown(kinship_view(THREE))]

    start = lines.index(["1", "2", "3"])
    assert lines[start + 1 : start + 7] == [
        ["1", "a", "–", "4.500", "1.500"],
        ["±0.250", "±0.250"],
        ["2", "b", "4.500", "4.750", "1.250"],
        ["±0.250"] * 3,
        ["3", "c", "1.500", "1.250", "4.750"],
        ["±0.250"] * 3,
    ]
    assert ["average", "linkage", "(labels:", "%", "of", "9", "resamplings)"] in lines
    assert not any("neighbour" in line for line in lines)


def test_the_title_says_who_judged_on_how_much_and_what_was_lost() -> None:
    assert shown(kinship_view(THREE))[:6] == [
        "Response similarity of every pair, overall",
        "  judge judge-1, version similarity-1",
        "  18–36 of 36 prompts in each of 3 pairs",
        "  lost 18/0/0/0 (failed / refused / truncated / unparsed)",
        "  3 of 180 gradings could not be read",
        "  with the target shown first the judge grades +0.12 to +0.45 higher",
    ]


def test_flags_name_their_pairs() -> None:
    flagged = (make_pair("a", "b", 4.5, flags=("missing-data",)), *THREE.pairs[1:])

    lines = shown(kinship_view(msgspec.structs.replace(THREE, pairs=flagged)))

    assert any(line.startswith("missing-data  a and b: More than 5%") for line in lines)


def test_a_flag_of_many_pairs_counts_them() -> None:
    def told(flagged: int) -> str:
        pairs = tuple(
            make_pair("x", f"m{n}", 2.0, flags=("few-prompts",) if n < flagged else ())
            for n in range(9)
        )
        lines = shown(kinship_view(msgspec.structs.replace(THREE, pairs=pairs)), 200)
        return next(line for line in lines if line.startswith("few-prompts"))

    assert "few-prompts  all 9 pairs: A set has fewer than 20" in told(9)
    assert "x and m5, 2 more: A set has fewer than 20" in told(8)


def test_a_pair_that_is_missing_leaves_a_dash_and_says_why_there_is_no_tree() -> None:
    pairs = (
        make_pair("a", "b", None, n=0),
        make_pair("a", "c", None, n=0),
        make_pair("b", "c", 1.25),
    )
    bare = make_kinship(
        ("a", "b", "c"), (None,) * 3, (None, None, 1.25), (None, 1.25, None),
        pairs=pairs, tree=False,
    )  # fmt: skip

    lines = shown(kinship_view(bare))

    assert ["2", "b", "–", "–", "1.250"] in [line.split() for line in lines]
    text = " ".join(lines)
    assert "no tree  A tree needs a value for every pair. Without one: a and b, and 1 more." in text
    assert "second draw" not in text


def test_the_diagonal_is_explained_only_where_it_was_measured() -> None:
    own = make_kinship(("a", "b"), (None, 4.0), (4.0, None), pairs=(make_pair("a", "b", 4.0),))

    assert not any("second draw" in line for line in shown(kinship_view(own)))
    assert any("A model's own second draw" in line for line in shown(kinship_view(THREE)))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_many_long_names_are_numbered_and_a_tree_s_text_is_one_line(width: int) -> None:
    rows = [tuple(4.5 if i == j else 3.0 - abs(i - j) / 10 for j in range(7)) for i in range(7)]
    kinship = make_kinship(NAMES, *rows)
    assert kinship.average_linkage is not None

    lines = shown(kinship_view(kinship), width)

    text = "\n".join(lines)
    assert "…" not in text
    assert text.count("4.500") == 7
    assert all(any(line.startswith(f"{n} {name}") for line in lines)
               for n, name in enumerate(NAMES, 1))  # fmt: skip
    assert to_newick(kinship.average_linkage) in lines
    assert max(len(line) for line in lines if not line.endswith(";")) <= width


def test_a_terminal_without_unicode_is_given_what_it_can_show() -> None:
    lines = shown(kinship_view(THREE), encoding="ascii")

    assert ["2", "b", "4.500", "4.750", "1.250"] in [line.split() for line in lines]
    assert any(line.endswith("+----------- a") for line in lines)


def node(*children: Node, length: float = 0.0, support: float | None = None) -> Node:
    return Node(children=children, length=length, support=support)


def leaf(name: str, length: float) -> Node:
    return Node(name=name, length=length)


def test_a_tree_is_drawn_to_scale_with_its_support() -> None:
    pair = node(leaf("near", 1.0), leaf("nearer", 1.0), length=1.0, support=0.97)

    assert draw_tree(node(pair, leaf("far", 2.0)), 28) == (
        "┬────97───┬────────── near",
        "│         └────────── nearer",
        "└──────────────────── far",
    )


def test_three_branches_of_one_join_have_their_own_lengths() -> None:
    three = node(leaf("a", 1.0), leaf("b", 0.5), leaf("c", 0.0))

    assert draw_tree(three, 13) == ("┬────────── a", "├───── b", "└─ c")


def test_a_branch_has_room_for_its_number_and_a_tree_without_length_is_drawn() -> None:
    short = node(leaf("a", 1.0), leaf("b", 1.0), length=0.0, support=1.0)

    assert draw_tree(node(short, leaf("c", 1.0)), 4)[0].startswith("┬─100─┬")
    assert draw_tree(node(leaf("a", 0.0), leaf("b", 0.0)), 80) == ("┬─ a", "└─ b")
