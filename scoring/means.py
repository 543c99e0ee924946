"""Means over prompts, set by set and over the sets, with intervals that resample prompts.

A table is one matrix a set: prompts down, whatever was measured on them across, NaN where nothing
was. All columns see the same resampled prompts, so that what is paired stays paired.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import fsum, sqrt
from statistics import fmean, variance

import msgspec
import numpy as np
import numpy.typing as npt

from .student import t_quantile

FloatArray = npt.NDArray[np.float64]
Table = Mapping[str, FloatArray]

OVER_SETS = "mean"  # stands where a set's name would
DRAWS = 2000
FEW = 20  # below this many prompts, percentiles of resampled ones are too narrow

_CHUNK = 1 << 20  # resampled prompts held at a time: 8 MiB
_GRID = 2.0**30


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """A mean over *n* prompts; *low* and *high* are its 95% interval, absent below two prompts."""

    n: int
    mean: float | None = None
    low: float | None = None
    high: float | None = None

    def within(self, bottom: float, top: float) -> Estimate:
        """Return the estimate with an interval that keeps to what is possible."""
        if self.low is None or self.high is None:
            return self
        low, high = max(bottom, self.low), min(top, self.high)
        return Estimate(n=self.n, mean=self.mean, low=low, high=high)

    @property
    def beside_zero(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


def estimate_means(table: Table, *, seed: int) -> dict[str, tuple[Estimate, ...]]:
    """Return an estimate a column for each set, and under OVER_SETS for the mean of their means.

    Sets weigh the same there, however many prompts they have, and a column that is empty in one of
    them has no mean over them. Intervals are percentiles of 2000 resamplings, stratified by set.
    Where a set has fewer than 20 prompts they are stretched to hold Student's interval too (over
    sets: with the degrees of freedom of the smallest).
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
    """Return every column's mean in each of *draws* resamplings of each set's prompts.

    NaN where a draw hit no prompt that has a value. A set's draws depend on *seed*, its name and
    its number of prompts only.
    """
    return {name: _resample_set(matrix, _stream(seed, name), draws)
            for name, matrix in table.items()}  # fmt: skip


def over_sets(means: Mapping[str, FloatArray]) -> FloatArray:
    """Return the mean over the sets, draw by draw; they weigh the same."""
    total = sum(means.values(), start=np.zeros(1))
    overall: FloatArray = total / len(means)
    return overall


def mean_over_sets(table: Table) -> tuple[float | None, ...]:
    """Return every column's mean over the sets' means; None where a set has no value in it."""
    columns = [_columns(matrix) for matrix in table.values()]
    return tuple(
        fmean(fmean(part) for part in parts) if all(parts) else None
        for parts in zip(*columns, strict=True)
    )


def _stream(seed: int, name: str) -> np.random.Generator:
    # A run's seed may be negative, numpy's may not.
    return np.random.default_rng([seed % (1 << 64), *name.encode()])


def _resample_set(matrix: FloatArray, rng: np.random.Generator, draws: int) -> FloatArray:
    """Weigh each prompt by how often it was drawn.

    Values are put on a grid of 2^-30 first: sums of such numbers are exact, so that no order in
    which a matrix product adds them can change a score's last digit.
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
    """Estimate the mean of the means of *parts*, one a set."""
    sizes = [len(part) for part in parts]
    if not all(sizes):
        return Estimate(n=sum(sizes))
    mean = fmean(fmean(part) for part in parts)
    if min(sizes) < 2:
        return Estimate(n=sum(sizes), mean=mean)
    low, high = (float(bound) for bound in np.nanquantile(resampled, [0.025, 0.975]))
    if min(sizes) < FEW:
        spread = sqrt(fsum(variance(part) / len(part) for part in parts)) / len(parts)
        reach = t_quantile(0.975, min(sizes) - 1) * spread
        low, high = min(low, mean - reach), max(high, mean + reach)
    return Estimate(n=sum(sizes), mean=mean, low=min(low, mean), high=max(high, mean))
