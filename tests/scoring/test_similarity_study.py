"""Planted kinship: do the measures see it, and do trees and intervals tell the truth about it?

Run with ``-s`` to see the tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, pairwise
from math import sqrt

import numpy as np
import pytest

from hydrometer.providers.simulation.planting import Relation
from hydrometer.providers.simulation.simulated_writer import write_answer
from hydrometer.scoring.means import FloatArray, estimate_means
from hydrometer.scoring.pairwise import find_kinship
from hydrometer.scoring.prompt_values import PromptValues, SimilarityMetric, read_texts
from hydrometer.scoring.similarity_scores import SimilarityScore, score_prompts
from hydrometer.scoring.text_metrics import TEXT_METRICS
from hydrometer.scoring.trees import Node, to_newick
from hydrometer.strategies.similarity.similarity_types import ComparedRow

TEMPERATURE = 0.7

ENGLISH = tuple(
    f"Explain how {thing} {aspect} in plain words."
    for thing in ("bridges", "glaciers", "vaccines", "compilers", "tides", "auctions")
    for aspect in ("work", "fail", "changed history", "are financed", "are taught", "end")
)
CHINESE = tuple(
    f"请说明{thing}{aspect}。"
    for thing in ("桥梁", "冰川", "疫苗", "编译器", "潮汐", "拍卖")
    for aspect in ("的原理", "为什么会失败", "怎样改变历史", "的资金来源", "的教学", "的终结")
)
PROMPTS: Mapping[str, tuple[str, ...]] = {"english": ENGLISH, "chinese": CHINESE}

PLANTED: tuple[Relation, ...] = ("copy", "paraphrase", "family", "unrelated")


def compare(family: int, relation: Relation, *, model: int = 1, draw: int = 0) -> PromptValues:
    """Read what the first model of *family* and one related to it answer."""

    def rows() -> Iterator[ComparedRow]:
        for name, prompts in PROMPTS.items():
            for number, prompt in enumerate(prompts):
                reference = write_answer(prompt, family=family, temperature=TEMPERATURE)
                target = write_answer(
                    prompt,
                    family=family,
                    relation=relation,
                    model=model,
                    draw=draw,
                    temperature=TEMPERATURE,
                )
                yield ComparedRow(
                    set=name, prompt=number, state="compared", texts=(reference, target)
                )

    return read_texts(rows())


def score(
    target: str, readings: PromptValues, ceiling: PromptValues | None = None
) -> dict[tuple[str, SimilarityMetric], SimilarityScore]:
    found = score_prompts(
        readings,
        run=target,
        target=target,
        reference="reference",
        prompt_version="likeness-1",
        seed=7,
        ceiling=ceiling,
        unrelated=[compare(0, "unrelated", model=2)],
    )
    return {(each.set, each.metric): each for each in found}


def bounds(score: SimilarityScore) -> tuple[float, float, float]:
    assert score.low is not None
    assert score.mean is not None
    assert score.high is not None
    return score.low, score.mean, score.high


def check_order(family: int) -> None:
    """Planted relations in their order, copy and unrelated apart, the ceiling where it belongs."""
    ceiling = compare(family, "copy", draw=1)
    found = {relation: score(relation, compare(family, relation), ceiling) for relation in PLANTED}
    print(f"\nfamily {family}, {sum(map(len, PROMPTS.values()))} prompts")
    for key in found["copy"]:
        by_relation = {relation: bounds(found[relation][key]) for relation in PLANTED}
        top = found["copy"][key].ceiling
        assert top is not None
        cells = (f"{mean:.3f} [{low:.3f}, {high:.3f}]" for low, mean, high in by_relation.values())
        print(f"| {key[0]} | {key[1]} | {' | '.join(cells)} | {top:.3f} |")

        means = [mean for _, mean, _ in by_relation.values()]
        assert all(above > below for above, below in pairwise(means)), key
        assert by_relation["copy"][0] > by_relation["unrelated"][2], key
        assert means[0] >= top > means[1], key
        excess = found["family"][key].excess_low
        assert excess is not None
        assert excess > 0, key


def test_every_measure_orders_planted_relations_in_both_languages() -> None:
    check_order(0)


@pytest.mark.slow
@pytest.mark.parametrize("family", range(1, 12))
def test_every_measure_orders_the_relations_of_other_families(family: int) -> None:
    check_order(family)


def pair_up(metric: SimilarityMetric) -> dict[tuple[str, str], PromptValues]:
    """Read every pair of six models: first, paraphrase and sibling of two families."""
    models = {
        f"{family}-{relation}": (family, relation) for family in (3, 14) for relation in PLANTED[:3]
    }

    def answer(name: str, prompt: str) -> str:
        family, relation = models[name]
        return write_answer(prompt, family=family, relation=relation, temperature=TEMPERATURE)

    return {
        (first, second): read_texts(
            (
                ComparedRow(
                    set=name,
                    prompt=number,
                    state="compared",
                    texts=(answer(first, prompt), answer(second, prompt)),
                )
                for name, prompts in PROMPTS.items()
                for number, prompt in enumerate(prompts[:16])
            ),
            tuple(measure for measure in TEXT_METRICS if measure == metric),
        )
        for first, second in combinations(models, 2)
    }


@pytest.mark.parametrize("metric", TEXT_METRICS)
def test_both_trees_find_the_families(metric: SimilarityMetric) -> None:
    found = find_kinship(pair_up(metric), metric, seed=7, draws=200)

    for tree in (found.average_linkage, found.neighbour_joining):
        assert tree is not None
        print(f"\n{metric}: {to_newick(tree)}")
        assert max(supports(tree, "3-"), supports(tree, "14-")) >= 0.95


def supports(tree: Node, prefix: str) -> float:
    """Return the support of the join that has all models named so below it, and no other."""
    for child in tree.children:
        names = leaves(child)
        if len(names) == 3 and all(name.startswith(prefix) for name in names):
            assert child.support is not None
            return child.support
    return max((supports(child, prefix) for child in tree.children), default=0.0)


def leaves(node: Node) -> tuple[str, ...]:
    below = tuple(name for child in node.children for name in leaves(child))
    return below or (node.name,)


STUDIES = 400


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(30, 30, 30), (20, 100, 300), (8, 60)], ids=str)
def test_intervals_hold_the_planted_mean_as_often_as_they_say(sizes: tuple[int, ...]) -> None:
    """Grades drawn for prompts that differ, in sets that differ: is the truth in the interval?"""
    rng = np.random.default_rng(20250121)
    chances = rng.dirichlet(np.ones(5), len(sizes))
    truth = float(np.mean(chances @ np.arange(1, 6)))
    held = 0

    for study in range(STUDIES):
        table: dict[str, FloatArray] = {
            str(number): (rng.choice(5, size=(size, 1), p=chance) + 1).astype(np.float64)
            for number, (size, chance) in enumerate(zip(sizes, chances, strict=True))
        }
        (found,) = estimate_means(table, seed=study)["mean"]
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high

    noise = 2 * sqrt(0.95 * 0.05 / STUDIES)
    print(f"\n{sizes}: {held / STUDIES:.3f}")
    assert 0.93 - noise <= held / STUDIES <= 0.98 + noise
