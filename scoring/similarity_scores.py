"""Similarity scores: how similar two models answered, with intervals, counts and flags.

A score contains everything that is needed to judge how far to trust it: how many prompts and
gradings are missing, the order effect of the judge, a ceiling, and a baseline.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import nan
from statistics import fmean
from typing import Literal

import msgspec
import numpy as np

from ..strategies.similarity.similarity_types import Weights
from .means import OVER_SETS, Estimate, FloatArray, estimate_means
from .prompt_values import JUDGED, RANGES, PromptValue, PromptValues, SimilarityMetric
from .thresholds import FEW_PROMPTS, MISSING_SHARE, RunState

SimilarityFlag = Literal[
    "nothing-compared",
    "few-prompts",
    "missing-data",
    "unfinished",
    "changed-model",
    "same-vendor",
    "order-effect",
    "one-order",
]


class SimilarityScore(msgspec.Struct, frozen=True, kw_only=True):
    """Similarity of the responses of *target* and *reference* on one set, by one metric.

    Aspects and "overall" range from 1 to 5, text metrics from 0 to 1, and "embedding" from -1 to 1.
    The latter two need no judge, and *judge* is empty. The set "mean" stands for the mean over the
    sets, which all have the same weight. *low* and *high*, here and below, bound a 95% interval.

    A prompt counts in exactly one of *n*, *failed*, *refused*, *truncated* and *unparsed* (none of
    its gradings was readable). *gradings* is the number of gradings that were asked for, and *lost*
    the number of those that failed or were unreadable. *order_effect* is how much higher the judge
    grades with the target first, on prompts that were graded in both orders. *ceiling* is the score
    of a second draw of the reference. *baseline* is the score of unrelated models on the same
    prompts. *excess* is the mean of the target's value less theirs, over the *paired* prompts that
    have both.

    *weights* are those of the overall score; None without a judge. *prompts_digest* is a digest of
    the prompts. Scores are comparable if reference, judge, version, weights and digest are equal.
    """

    run: str
    target: str
    reference: str
    kind: Literal["rse"] = "rse"
    judge: str
    prompt_version: str
    metric: SimilarityMetric
    set: str
    n: int
    failed: int
    refused: int
    truncated: int
    unparsed: int
    gradings: int
    lost: int
    mean: float | None
    low: float | None
    high: float | None
    flags: tuple[SimilarityFlag, ...]
    order_effect: float | None
    order_low: float | None
    order_high: float | None
    ceiling: float | None
    ceiling_low: float | None
    ceiling_high: float | None
    baseline: float | None
    excess: float | None
    excess_low: float | None
    excess_high: float | None
    paired: int
    weights: Weights | None = None
    prompts_digest: str = ""


def score_prompts(
    values: PromptValues,
    *,
    run: str,
    target: str,
    reference: str,
    judge: str = "",
    prompt_version: str,
    weights: Weights | None = None,
    prompts_digest: str = "",
    seed: int,
    ceiling: PromptValues | None = None,
    unrelated: Sequence[PromptValues] = (),
    sets: tuple[str, ...] = (),
    finished: bool = True,
    changed: bool = False,
    same_vendor: bool = False,
) -> tuple[SimilarityScore, ...]:
    """Return a score for each set and metric, and for each metric the mean over the sets.

    *ceiling* has the values of the reference's second draws, and *unrelated* those of models that
    are unrelated to the reference. Both must have the metrics of *values*, and only prompts in
    *values* count. *sets* are the expected sets, in order: if nothing of an expected set was
    compared yet, there is no mean over the sets, because it would be the mean of other sets. All
    metrics use the same resampled prompts.

    Raises ValueError for other metrics in *ceiling* or *unrelated*, and for a prompt of a set that
    is not expected.
    """
    others = [*unrelated] if ceiling is None else [ceiling, *unrelated]
    if any(other.metrics != values.metrics for other in others):
        raise ValueError("ceiling and unrelated must have the metrics of the target's values")
    blocks = _blocks(values, sets)
    estimates = estimate_means(_table(values.metrics, blocks, ceiling, unrelated), seed=seed)
    labels = _Labels(
        run=run,
        target=target,
        reference=reference,
        judge=judge,
        prompt_version=prompt_version,
        weights=weights,
        prompts_digest=prompts_digest,
    )
    state = RunState(finished=finished, changed=changed, same_vendor=same_vendor)
    return tuple(
        _score(labels, state, metric, name, _parts(blocks, name, estimates, number))
        for name in estimates
        for number, metric in enumerate(values.metrics)
    )


class _Labels(msgspec.Struct, frozen=True, kw_only=True):
    """The labels of a score; its fields have the names of the score's fields."""

    run: str
    target: str
    reference: str
    judge: str
    prompt_version: str
    weights: Weights | None
    prompts_digest: str


class _Parts(msgspec.Struct, frozen=True, kw_only=True):
    """The computed parts of the score of one set and one metric."""

    prompts: tuple[PromptValue, ...]
    fewest: int  # values in the smallest of the sets that enter
    value: Estimate
    effect: Estimate
    ceiling: Estimate
    baseline: Estimate
    excess: Estimate


def _blocks(values: PromptValues, sets: tuple[str, ...]) -> dict[str, tuple[PromptValue, ...]]:
    """Return the prompts of each set, in the order of *sets*, or else of the sets' names."""
    found: dict[str, list[PromptValue]] = {name: [] for name in sets}
    for entry in values.prompts:
        if sets and entry.set not in found:
            raise ValueError(f"prompt {entry.prompt} is of {entry.set}, which is not expected")
        found.setdefault(entry.set, []).append(entry)
    return {name: tuple(block) for name, block in found.items()}


def _table(
    metrics: tuple[SimilarityMetric, ...],
    blocks: Mapping[str, tuple[PromptValue, ...]],
    ceiling: PromptValues | None,
    unrelated: Sequence[PromptValues],
) -> dict[str, FloatArray]:
    """Return a table with five columns for every metric, and one row for each prompt.

    The columns are value, order effect, ceiling, baseline and excess.
    """
    tops = [ceiling.values(metric) if ceiling else {} for metric in metrics]
    floors = [[other.values(metric) for other in unrelated] for metric in metrics]

    def columns(entry: PromptValue) -> list[float]:
        key = (entry.set, entry.prompt)
        row: list[float] = []
        for number in range(len(metrics)):
            value = entry.values[number] if entry.values else nan
            effect = entry.order_effects[number] if entry.order_effects else nan
            found = [floor[key] for floor in floors[number] if key in floor]
            baseline = fmean(found) if found and entry.values else nan
            row += (value, effect, tops[number].get(key, nan), baseline, value - baseline)
        return row

    width = len(metrics) * 5
    return {
        name: np.array([columns(entry) for entry in block], dtype=np.float64).reshape(-1, width)
        for name, block in blocks.items()
    }


def _parts(
    blocks: Mapping[str, tuple[PromptValue, ...]],
    name: str,
    estimates: Mapping[str, tuple[Estimate, ...]],
    number: int,
) -> _Parts:
    entering = tuple(blocks) if name == OVER_SETS else (name,)
    value, effect, ceiling, baseline, excess = estimates[name][number * 5 : number * 5 + 5]
    return _Parts(
        prompts=tuple(entry for each in entering for entry in blocks[each]),
        fewest=min(estimates[each][number * 5].n for each in entering),
        value=value,
        effect=effect,
        ceiling=ceiling,
        baseline=baseline,
        excess=excess,
    )


def _score(
    labels: _Labels, state: RunState, metric: SimilarityMetric, name: str, parts: _Parts
) -> SimilarityScore:
    outcomes = Counter(entry.outcome for entry in parts.prompts)
    value, ceiling = (part.within(*RANGES[metric]) for part in (parts.value, parts.ceiling))
    return SimilarityScore(
        **msgspec.structs.asdict(labels),
        metric=metric,
        set=name,
        n=value.n,
        failed=outcomes["failed"],
        refused=outcomes["refused"],
        truncated=outcomes["truncated"],
        unparsed=outcomes["unparsed"],
        gradings=sum(entry.gradings for entry in parts.prompts),
        lost=sum(entry.lost for entry in parts.prompts),
        mean=value.mean,
        low=value.low,
        high=value.high,
        flags=_flags(metric, parts, state),
        order_effect=parts.effect.mean,
        order_low=parts.effect.low,
        order_high=parts.effect.high,
        ceiling=ceiling.mean,
        ceiling_low=ceiling.low,
        ceiling_high=ceiling.high,
        baseline=parts.baseline.mean,
        excess=parts.excess.mean,
        excess_low=parts.excess.low,
        excess_high=parts.excess.high,
        paired=parts.excess.n,
    )


def _flags(metric: SimilarityMetric, parts: _Parts, state: RunState) -> tuple[SimilarityFlag, ...]:
    judged = metric in JUDGED
    prompts, gradings = len(parts.prompts), sum(entry.gradings for entry in parts.prompts)
    without_value = prompts - parts.value.n
    lost = sum(entry.lost for entry in parts.prompts)
    raised: dict[SimilarityFlag, bool] = {
        "nothing-compared": parts.fewest == 0,
        "few-prompts": 0 < parts.fewest < FEW_PROMPTS,
        "missing-data": without_value > MISSING_SHARE * prompts or lost > MISSING_SHARE * gradings,
        "unfinished": not state.finished,
        "changed-model": state.changed,
        "same-vendor": judged and state.same_vendor,
        "order-effect": parts.effect.excludes_zero,
        "one-order": judged and parts.value.n > 0 and parts.effect.n == 0,
    }
    return tuple(flag for flag, is_raised in raised.items() if is_raised)
