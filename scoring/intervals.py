"""Confidence intervals for a share of positives whose rows share templates and questions.

Rows of one template tend to succeed or fail together, and so do rows of one question. The rows of a
run therefore carry less information than as many independent rows. The pigeonhole bootstrap and the
two-way variance respect that. Wilson's interval assumes independent rows and is there for
comparison.

The first two take the numbers of *positives* and of *judged* rows per cell, as T x Q arrays with
templates as rows and questions as columns. Templates and questions without a judged row are left
out.
"""

from __future__ import annotations

from math import exp, log, log1p, sqrt
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .probe_table import IntArray
from .student import t_quantile

_CHUNK = 1 << 20  # resampled templates in memory at a time: four arrays of 8 MiB


class Interval(NamedTuple):
    """A confidence interval for a share."""

    low: float
    high: float

    def around(self, rate: float) -> Interval:
        """Return the interval, cut to [0, 1] and extended if necessary to include *rate*."""
        return Interval(max(0.0, min(self.low, rate)), min(1.0, max(self.high, rate)))

    def hull(self, other: Interval) -> Interval:
        """Return the smallest interval that includes both."""
        return Interval(min(self.low, other.low), max(self.high, other.high))


def wilson(positives: int, judged: int, *, level: float = 0.95) -> Interval:
    """Return the score interval for *judged* independent rows (Wilson 1927).

    Its bounds are the two p that solve |p̂ - p| = z sqrt(p (1 - p) / n):

        (p̂ + z²/2n ± z sqrt(p̂ (1 - p̂) / n + z²/4n²)) / (1 + z²/n)

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    JASA 22 (1927), 209-212.
    """
    if not 0 <= positives <= judged or judged == 0:
        raise ValueError(f"a share needs 0 <= positives <= judged > 0, got {positives} of {judged}")
    rate = positives / judged
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2 / judged
    centre = (rate + z2 / 2) / (1 + z2)
    reach = sqrt(z2 * (rate * (1 - rate) + z2 / 4)) / (1 + z2)
    return Interval(centre - reach, centre + reach).around(rate)


def pigeonhole_bootstrap(
    positives: IntArray, judged: IntArray, *, seed: int, draws: int = 2000, level: float = 0.95
) -> Interval:
    """Return the percentile interval of the pigeonhole bootstrap (Owen 2007).

    Each draw resamples the T templates and, independently, the Q questions with replacement. The
    weight of a cell is the product of how often its template and its question were drawn:

        r* = Σ u_t v_q positives_tq / Σ u_t v_q judged_tq,   u ~ Mult(T, 1/T), v ~ Mult(Q, 1/Q)

    It counts the noise of single cells three times, so for rows that are in fact independent it is
    up to 1.7 times too wide. A draw without a judged row has no share and is left out. With one
    template (or question) only the other side is resampled.

    A. B. Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1 (2007), 386-411.
    """
    positives, judged = _occupied(positives, judged)
    height, width = judged.shape
    both = np.hstack([positives, judged]).astype(np.float64)
    # One random stream for each side: the size of a chunk must not change what is drawn. The
    # products are sums of whole numbers and exact in floats, so they do not depend on the BLAS.
    templates, questions = np.random.default_rng(seed).spawn(2)
    step = max(1, _CHUNK // max(height, width))
    shares = [
        _shares(_weights(templates, n, height) @ both, _weights(questions, n, width))
        for n in _chunks(draws, step)
    ]
    tail = (1 - level) / 2
    low, high = np.quantile(np.concatenate(shares), [tail, 1 - tail])
    return Interval(float(low), float(high)).around(float(positives.sum() / judged.sum()))


def cgm_interval(positives: IntArray, judged: IntArray, *, level: float = 0.95) -> Interval | None:
    """Return the analytic two-way interval, or None where its variance is not defined.

    The residual e = positives - r judged is summed over templates, over questions and over cells.
    The variance of the cells is in both of the first two sums, so it is subtracted once (Cameron,
    Gelbach and Miller 2011):

        V = (c_T Σ_t e_t.² + c_Q Σ_q e_.q² - c_TQ Σ_tq e_tq²) / judged²,   c_G = G / (G - 1)

    If that is less than the variance of independent cells, the latter is used. The interval is
    logit(r) ± t sqrt(V) / (r (1 - r)), mapped back, with t of min(T, Q) - 1 degrees of freedom.
    None for one template, one question, or a share of exactly 0 or 1.

    A. C. Cameron, J. B. Gelbach and D. L. Miller, "Robust inference with multiway clustering",
    Journal of Business and Economic Statistics 29 (2011), 238-249.
    """
    positives, judged = _occupied(positives, judged)
    height, width = judged.shape
    total = int(judged.sum())
    hits = int(positives.sum())
    if min(height, width) < 2 or hits in {0, total}:
        return None
    rate = hits / total
    residuals = positives - rate * judged
    cells = _squares(residuals[judged > 0])
    twoway = _squares(residuals.sum(axis=1)) + _squares(residuals.sum(axis=0)) - cells
    scale = sqrt(max(twoway, cells)) / total / (rate * (1 - rate))
    reach = t_quantile((1 + level) / 2, min(height, width) - 1) * scale
    middle = log(rate) - log1p(-rate)
    return Interval(_expit(middle - reach), _expit(middle + reach)).around(rate)


def _occupied(positives: IntArray, judged: IntArray) -> tuple[IntArray, IntArray]:
    if positives.shape != judged.shape or judged.ndim != 2:
        raise ValueError(
            f"positives and judged must be one T x Q shape, got {positives.shape}, {judged.shape}"
        )
    if not judged.any():
        raise ValueError("an interval needs at least one judged row, got none")
    kept = np.ix_(judged.any(axis=1), judged.any(axis=0))
    return positives[kept], judged[kept]


def _chunks(draws: int, step: int) -> list[int]:
    full, rest = divmod(draws, step)
    return [step] * full + [rest] * (rest > 0)


def _weights(rng: np.random.Generator, draws: int, size: int) -> npt.NDArray[np.float64]:
    """Return multinomial weights, one row for each draw.

    Counting drawn indices is ten times faster than ``rng.multinomial``.
    """
    picks = rng.integers(size, size=(draws, size))
    picks += np.arange(draws)[:, np.newaxis] * size
    counts = np.bincount(picks.ravel(), minlength=draws * size)
    return counts.reshape(draws, size).astype(np.float64)


def _shares(
    by_question: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    width = weights.shape[1]
    positives = (by_question[:, :width] * weights).sum(axis=1)
    judged = (by_question[:, width:] * weights).sum(axis=1)
    hit = judged > 0
    shares: npt.NDArray[np.float64] = positives[hit] / judged[hit]
    return shares


def _squares(sums: npt.NDArray[np.float64]) -> float:
    """Return the sum of the G squares times G / (G - 1)."""
    return float(sums @ sums) * sums.size / (sums.size - 1)


def _expit(x: float) -> float:
    """Return the inverse of the logit, in a form that does not overflow for large *x*."""
    return 1 / (1 + exp(-x)) if x >= 0 else exp(x) / (1 + exp(x))
