"""One line of a comparison: how alike two models answered, with what it needs to be believed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import nan
from statistics import fmean
from typing import Literal

import msgspec
import numpy as np

from ..strategies.similarity.similarity_types import Weights
from .means import FEW, OVER_SETS, Estimate, FloatArray, estimate_means
from .prompt_values import JUDGED, RANGES, PromptValue, PromptValues, SimilarityMetric

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

MISSING_SHARE = 0.05


class SimilarityScore(msgspec.Struct, frozen=True, kw_only=True):
    """How alike *target* and *reference* answered the prompts of one set, by one metric.

    Aspects and "overall" go from 1 to 5, likeness measures from 0 to 1, "embedding" from -1 to 1;
    the latter two ask no judge, and *judge* is empty. Under the set "mean" stands the mean over the
    sets, which weigh the same. *low* and *high*, here and below, bound a 95% interval.

    A prompt counts in exactly one of *n*, *failed*, *refused*, *truncated* and *unparsed* (no
    grading of it could be read). *gradings* were asked for, *lost* of them failed or were
    unreadable. *order_effect* is how much higher the judge grades with the target first, on
    prompts graded in both orders. *ceiling* is what a second draw of the reference itself gets.
    *baseline* is what unrelated models get on the same prompts, and *excess* the mean of the
    target's value less theirs, over the *paired* prompts that have both.

    *weights* are those of the overall score; None without a judge. *prompts_digest* is one of what
    was asked: scores compare where that, reference, judge, version and weights are the same.
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


def score_readings(
    readings: PromptValues,
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

    *ceiling* are the reference's second draws, read as a target's, and *unrelated* are models that
    have nothing to do with the reference; of both, only prompts that *readings* knows count, and
    they must have been read in the same way. *sets* names those to expect, in the order to show:
    a set of which nothing was compared yet leaves no mean over the sets, instead of a mean that
    means something else. All metrics see the same resampled prompts.
    """
    others = [*unrelated] if ceiling is None else [ceiling, *unrelated]
    if any(other.metrics != readings.metrics for other in others):
        raise ValueError("ceiling and unrelated readings must have the metrics of the target's")
    blocks = _blocks(readings, sets)
    estimates = estimate_means(_table(readings.metrics, blocks, ceiling, unrelated), seed=seed)
    labels = _Labels(
        run=run,
        target=target,
        reference=reference,
        judge=judge,
        prompt_version=prompt_version,
        weights=weights,
        prompts_digest=prompts_digest,
    )
    state = _State(finished=finished, changed=changed, same_vendor=same_vendor)
    return tuple(
        _score(labels, state, metric, name, _parts(blocks, name, estimates, number))
        for name in estimates
        for number, metric in enumerate(readings.metrics)
    )


class _Labels(msgspec.Struct, frozen=True, kw_only=True):
    """What a score says of itself; its fields are named as the score's."""

    run: str
    target: str
    reference: str
    judge: str
    prompt_version: str
    weights: Weights | None
    prompts_digest: str


class _State(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a run beside its rows."""

    finished: bool
    changed: bool
    same_vendor: bool


class _Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What was computed for one set and one metric."""

    prompts: tuple[PromptValue, ...]
    fewest: int  # read in any of the sets that enter
    value: Estimate
    effect: Estimate
    ceiling: Estimate
    baseline: Estimate
    excess: Estimate


def _blocks(readings: PromptValues, sets: tuple[str, ...]) -> dict[str, tuple[PromptValue, ...]]:
    """Return the prompts of each set, in the order of *sets* or else of their names."""
    found: dict[str, list[PromptValue]] = {name: [] for name in sets}
    for reading in readings.prompts:
        if sets and reading.set not in found:
            raise ValueError(f"prompt {reading.prompt} is of {reading.set}, which is not expected")
        found.setdefault(reading.set, []).append(reading)
    return {name: tuple(block) for name, block in found.items()}


def _table(
    metrics: tuple[SimilarityMetric, ...],
    blocks: Mapping[str, tuple[PromptValue, ...]],
    ceiling: PromptValues | None,
    unrelated: Sequence[PromptValues],
) -> dict[str, FloatArray]:
    """Return what was measured on each prompt: for every metric five columns, side by side."""
    tops = [ceiling.values(metric) if ceiling else {} for metric in metrics]
    floors = [[other.values(metric) for other in unrelated] for metric in metrics]

    def columns(reading: PromptValue) -> list[float]:
        key = (reading.set, reading.prompt)
        row: list[float] = []
        for number in range(len(metrics)):
            value = reading.values[number] if reading.values else nan
            effect = reading.order_effects[number] if reading.order_effects else nan
            found = [floor[key] for floor in floors[number] if key in floor]
            baseline = fmean(found) if found and reading.values else nan
            row += (value, effect, tops[number].get(key, nan), baseline, value - baseline)
        return row

    width = len(metrics) * 5
    return {
        name: np.array([columns(reading) for reading in block], dtype=np.float64).reshape(-1, width)
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
        prompts=tuple(reading for each in entering for reading in blocks[each]),
        fewest=min(estimates[each][number * 5].n for each in entering),
        value=value,
        effect=effect,
        ceiling=ceiling,
        baseline=baseline,
        excess=excess,
    )


def _score(
    labels: _Labels, state: _State, metric: SimilarityMetric, name: str, parts: _Parts
) -> SimilarityScore:
    outcomes = Counter(reading.outcome for reading in parts.prompts)
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
        gradings=sum(reading.gradings for reading in parts.prompts),
        lost=sum(reading.lost for reading in parts.prompts),
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


def _flags(metric: SimilarityMetric, parts: _Parts, state: _State) -> tuple[SimilarityFlag, ...]:
    judged = metric in JUDGED
    prompts, gradings = len(parts.prompts), sum(reading.gradings for reading in parts.prompts)
    unread = prompts - parts.value.n
    lost = sum(reading.lost for reading in parts.prompts)
    raised: dict[SimilarityFlag, bool] = {
        "nothing-compared": parts.fewest == 0,
        "few-prompts": 0 < parts.fewest < FEW,
        "missing-data": unread > MISSING_SHARE * prompts or lost > MISSING_SHARE * gradings,
        "unfinished": not state.finished,
        "changed-model": state.changed,
        "same-vendor": judged and state.same_vendor,
        "order-effect": parts.effect.beside_zero,
        "one-order": judged and parts.value.n > 0 and parts.effect.n == 0,
    }
    return tuple(flag for flag, up in raised.items() if up)
