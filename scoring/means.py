"""Means over prompts, for each prompt set and over the sets, with bootstrap intervals.

A table has one matrix for each set: one row for each prompt, one column for each quantity, NaN
where a quantity was not measured. All columns use the same resampled prompts, so paired columns
stay paired.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import fsum, sqrt
from statistics import fmean, variance

import msgspec
import numpy as np
import numpy.typing as npt

from .student import t_quantile
from .thresholds import FEW_PROMPTS

FloatArray = npt.NDArray[np.float64]
Table = Mapping[str, FloatArray]

OVER_SETS = "mean"  # stands in the place of a set's name
DRAWS = 2000

_CHUNK = 1 << 20  # resampled prompts in memory at a time: 8 MiB
_GRID = 2.0**30


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A mean over *n* prompts; *low* and *high* are its 95% interval, None below two prompts."""

    n: int
    mean: float | None = None
    low: float | None = None
    high: float | None = None

    def within(self, bottom: float, top: float) -> Estimate:
        """Return the estimate with its interval cut to [*bottom*, *top*]."""
        if self.low is None or self.high is None:
            return self
        low, high = max(bottom, self.low), min(top, self.high)
        return Estimate(n=self.n, mean=self.mean, low=low, high=high)

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


def estimate_means(table: Table, *, seed: int) -> dict[str, tuple[Estimate, ...]]:
    """Return one estimate for each column, for each set and under OVER_SETS for the mean over sets.

    In the mean over the sets all sets have the same weight, however many prompts they have. A
    column that is empty in one set has no mean over the sets. Intervals are percentiles of 2000
    resamplings, stratified by set. If a set has fewer than 20 prompts, they are extended to include
    Student's interval (over sets: with the degrees of freedom of the smallest set).
    """
    if OVER_SETS in table:
        raise ValueError(f"a prompt set cannot be called {OVER_SETS}")
    means = resample(table, seed=seed)
    columns = {name: _columns(matrix) for name, matrix in table.items()}
    estimates = {
        name: tuple(
            _estimate([column], means[name][:, number])
            for number, column in enumerate(columns[name])
        )
        for name in table
    }
    if table:
        overall = over_sets(means)
        estimates[OVER_SETS] = tuple(
            _estimate(list(parts), overall[:, number])
            for number, parts in enumerate(zip(*columns.values(), strict=True))
        )
    return estimates


def resample(table: Table, *, seed: int, draws: int = DRAWS) -> dict[str, FloatArray]:
    """Return, for each set, the mean of every column in each of *draws* resamplings of its prompts.

    A mean is NaN if the draw contains no prompt with a value. The draws of a set depend on *seed*,
    its name and its number of prompts only.
    """
    return {name: _resample_set(matrix, _stream(seed, name), draws)
            for name, matrix in table.items()}  # fmt: skip


def over_sets(means: Mapping[str, FloatArray]) -> FloatArray:
    """Return the mean over the sets for each draw; all sets have the same weight."""
    total = sum(means.values(), start=np.zeros(1))
    overall: FloatArray = total / len(means)
    return overall


def mean_over_sets(table: Table) -> tuple[float | None, ...]:
    """Return the mean over the sets for every column; None if a set has no value in it."""
    columns = [_columns(matrix) for matrix in table.values()]
    return tuple(
        fmean(fmean(part) for part in parts) if all(parts) else None
        for parts in zip(*columns, strict=True)
    )


def _stream(seed: int, name: str) -> np.random.Generator:
    # The seed of a run may be negative, a seed of numpy may not.
    return np.random.default_rng([seed % (1 << 64), *name.encode()])


def _resample_set(matrix: FloatArray, rng: np.random.Generator, draws: int) -> FloatArray:
    """Return the means of one set, with each prompt weighted by how often it was drawn.

    Values are first rounded to multiples of 2^-30. Sums of such numbers are exact, so the order in
    which a matrix product adds them cannot change the last digit of a score.
    """
    size, width = matrix.shape
    if not size:
        return np.full((draws, width), np.nan)
    known = ~np.isnan(matrix)
    both = np.hstack([np.round(np.where(known, matrix, 0.0) * _GRID) / _GRID, known])
    sums = np.vstack([weights @ both for weights in _draw_weights(rng, draws, size)])
    counts = sums[:, width:]
    means = np.full((draws, width), np.nan)
    np.divide(sums[:, :width], counts, out=means, where=counts > 0)
    return means


def _draw_weights(rng: np.random.Generator, draws: int, size: int) -> Iterator[FloatArray]:
    step = max(1, _CHUNK // size)
    for start in range(0, draws, step):
        rows = min(step, draws - start)
        picks = rng.integers(size, size=(rows, size))
        picks += np.arange(rows)[:, np.newaxis] * size
        counts = np.bincount(picks.ravel(), minlength=rows * size)
        yield counts.reshape(rows, size).astype(np.float64)


def _columns(matrix: FloatArray) -> list[list[float]]:
    return [column[~np.isnan(column)].tolist() for column in matrix.T]


def _estimate(parts: Sequence[Sequence[float]], resampled: FloatArray) -> Estimate:
    """Return the estimate of the mean of the means of *parts*, which has one item for each set."""
    sizes = [len(part) for part in parts]
    if not all(sizes):
        return Estimate(n=sum(sizes))
    mean = fmean(fmean(part) for part in parts)
    if min(sizes) < 2:
        return Estimate(n=sum(sizes), mean=mean)
    low, high = (float(bound) for bound in np.nanquantile(resampled, [0.025, 0.975]))
    if min(sizes) < FEW_PROMPTS:
        spread = sqrt(fsum(variance(part) / len(part) for part in parts)) / len(parts)
        reach = t_quantile(0.975, min(sizes) - 1) * spread
        low, high = min(low, mean - reach), max(high, mean + reach)
    return Estimate(n=sum(sizes), mean=mean, low=min(low, mean), high=max(high, mean))
