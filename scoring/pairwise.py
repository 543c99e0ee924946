"""Pairwise similarity of a group of models: the matrix of all pairs, and two trees from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isnan, nan
from statistics import fmean

import msgspec
import numpy as np

from .means import FloatArray, mean_over_sets, over_sets, resample
from .prompt_values import RANGES, PromptValues, SimilarityMetric
from .similarity_scores import SimilarityScore
from .trees import Matrix, Node, Pair, average_linkage, distances, neighbour_joining, with_support

DRAWS = 1000


class Kinship(msgspec.Struct, frozen=True, kw_only=True):
    """Pairwise similarity of a group of models by one metric (the mean over the sets).

    The diagonal has the resample ceiling of a model, if it was measured. If the value of a pair is
    missing, there are no trees. The support of the splits comes from *draws* resamplings of the
    prompts, the same for all pairs. *pairs* are the scores behind the matrix, with their judge,
    counts and intervals.
    """

    metric: SimilarityMetric
    similarities: Matrix
    average_linkage: Node | None
    neighbour_joining: Node | None
    draws: int
    pairs: tuple[SimilarityScore, ...] = ()


def find_kinship(
    pairs: Mapping[Pair, PromptValues],
    metric: SimilarityMetric,
    *,
    seed: int,
    draws: int = DRAWS,
    scores: tuple[SimilarityScore, ...] = (),
) -> Kinship:
    """Return the matrix and the trees of all models in *pairs*, in the order of their names.

    *scores* are the scores of the pairs; they are returned unchanged. If a pair is given in both
    directions, its value is the mean of both. A model paired with itself is its resample ceiling.
    """
    names = tuple(sorted({name for pair in pairs for name in pair}))
    table = _table(pairs, metric)
    similarities = _matrix(names, pairs, mean_over_sets(table))
    if similarities.missing():
        return Kinship(
            metric=metric,
            similarities=similarities,
            average_linkage=None,
            neighbour_joining=None,
            draws=0,
            pairs=scores,
        )
    top = RANGES[metric][1]
    resampled = [
        distances(matrix, top=top)
        for row in over_sets(resample(table, seed=seed, draws=draws)).tolist()
        if not (matrix := _matrix(names, pairs, row)).missing()
    ]
    measured = distances(similarities, top=top)
    return Kinship(
        metric=metric,
        similarities=similarities,
        average_linkage=with_support(
            average_linkage(measured), [*map(average_linkage, resampled)], rooted=True
        ),
        neighbour_joining=with_support(
            neighbour_joining(measured), [*map(neighbour_joining, resampled)], rooted=False
        ),
        draws=len(resampled),
        pairs=scores,
    )


def _table(pairs: Mapping[Pair, PromptValues], metric: SimilarityMetric) -> dict[str, FloatArray]:
    """Return the values of every pair on every prompt, one matrix for each set."""
    columns = [values.values(metric) for values in pairs.values()]
    keys = sorted({(entry.set, entry.prompt) for v in pairs.values() for entry in v.prompts})
    rows: dict[str, list[list[float]]] = {}
    for key in keys:
        rows.setdefault(key[0], []).append([column.get(key, nan) for column in columns])
    return {name: np.array(block, dtype=np.float64) for name, block in rows.items()}


def _matrix(
    names: tuple[str, ...], pairs: Iterable[Pair], values: Iterable[float | None]
) -> Matrix:
    """Return the matrix of one value for each pair; None and NaN both mean a missing value."""
    found: dict[Pair, list[float]] = {}
    for (first, second), value in zip(pairs, values, strict=True):
        if value is not None and not isnan(value):
            found.setdefault((min(first, second), max(first, second)), []).append(value)
    means = {pair: fmean(given) for pair, given in found.items()}
    return Matrix(
        names=names,
        values=tuple(tuple(means.get((min(a, b), max(a, b))) for b in names) for a in names),
    )
