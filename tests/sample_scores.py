"""Scores of every kind, for tests of what shows them; and one kind that no view knows."""

from __future__ import annotations

import msgspec

from hydrometer.scoring.identity_scores import IdentityScore
from hydrometer.scoring.pairwise import Kinship
from hydrometer.scoring.similarity_scores import SimilarityFlag, SimilarityScore
from hydrometer.scoring.trees import Matrix, average_linkage, distances
from hydrometer.strategies.similarity.similarity_types import Weights

RATED = IdentityScore(
    run="runs/qwen",
    target="qwen",
    kind="ice",
    judge="gpt-mini",
    prompt_version="identity-1",
    metric="loose",
    positives=1,
    judged=3,
    failed=1,
    refused=0,
    truncated=2,
    unparsed=0,
    rate=1 / 3,
    low=0.25,
    high=0.5,
    flags=("few-positives", "missing-data"),
    naive_low=0.3,
    naive_high=0.4,
    analytic_low=None,
    analytic_high=None,
    best=1 / 6,
    worst=4 / 6,
    templates=3,
    questions=1,
)
ONE = SimilarityScore(
    run="qwen",
    target="qwen",
    reference="gpt",
    judge="claude",
    prompt_version="similarity-1",
    metric="overall",
    set="arena",
    n=40,
    failed=0,
    refused=0,
    truncated=0,
    unparsed=0,
    gradings=80,
    lost=0,
    mean=3.5,
    low=3.25,
    high=3.75,
    flags=(),
    order_effect=0.125,
    order_low=0.0,
    order_high=0.25,
    ceiling=4.5,
    ceiling_low=4.4,
    ceiling_high=4.6,
    baseline=None,
    excess=None,
    excess_low=None,
    excess_high=None,
    paired=0,
    weights=Weights(),
    prompts_digest="3fa9",
)


def make_pair(
    target: str,
    reference: str,
    mean: float | None,
    *,
    n: int = 36,
    flags: tuple[SimilarityFlag, ...] = (),
) -> SimilarityScore:
    return SimilarityScore(
        run=f"{target}--{reference}",
        target=target,
        reference=reference,
        judge="judge-1",
        prompt_version="similarity-1",
        metric="overall",
        set="mean",
        n=n,
        failed=36 - n,
        refused=0,
        truncated=0,
        unparsed=0,
        gradings=2 * n,
        lost=1,
        mean=mean,
        low=None if mean is None else mean - 0.25,
        high=None if mean is None else mean + 0.125,
        flags=flags,
        order_effect=None if mean is None else mean / 10,
        order_low=None,
        order_high=None,
        ceiling=4.75,
        ceiling_low=4.5,
        ceiling_high=4.875,
        baseline=None,
        excess=None,
        excess_low=None,
        excess_high=None,
        paired=0,
    )


def make_kinship(
    names: tuple[str, ...],
    *rows: tuple[float | None, ...],
    pairs: tuple[SimilarityScore, ...] = (),
    tree: bool = True,
) -> Kinship:
    alike = Matrix(names=names, values=rows)
    return Kinship(
        metric="overall",
        similarities=alike,
        average_linkage=average_linkage(distances(alike, top=5.0)) if tree else None,
        neighbour_joining=None,
        draws=9 if tree else 0,
        pairs=pairs,
    )


THREE = make_kinship(
    ("a", "b", "c"),
    (None, 4.5, 1.5),
    (4.5, 4.75, 1.25),
    (1.5, 1.25, 4.75),
    pairs=(make_pair("a", "b", 4.5), make_pair("a", "c", 1.5, n=18), make_pair("b", "c", 1.25)),
)


class Part(msgspec.Struct, frozen=True):
    """A nested value."""

    name: str
    share: float


class ToyScore(msgspec.Struct, frozen=True, kw_only=True):
    """A score with a field of every sort."""

    run: str
    target: str
    kind: str = "toy"
    metric: str = "length"
    value: float | None = 0.5
    count: int = 3
    certain: bool = True
    words: tuple[str, ...] = ("a", "b")
    part: Part = Part("x", 0.25)
    flags: tuple[str, ...] = ()
