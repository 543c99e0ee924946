"""Quantiles of Student's t distribution, without a library of special functions."""

from __future__ import annotations

from math import cos, pi, sin, sqrt, tan

import numpy as np


def t_quantile(level: float, freedom: int) -> float:
    """Return the quantile at *level*, in (0, 1), with *freedom* degrees of freedom.

    Raises ValueError for other values.
    """
    if freedom < 1 or not 0 < level < 1:
        raise ValueError(f"no t quantile for level {level} and {freedom} degrees of freedom")
    if level < 0.5:
        return -t_quantile(1 - level, freedom)
    # Bisection over the angle, not over t: the angle is bounded, and the probability grows with it.
    low, high = 0.0, pi / 2
    while low < (middle := (low + high) / 2) < high:
        if _two_sided(middle, freedom) < 2 * level - 1:
            low = middle
        else:
            high = middle
    return sqrt(freedom) * tan(low)


def _two_sided(angle: float, freedom: int) -> float:
    """Return P(|T| < sqrt(freedom) tan(angle)).

    The finite sums for whole degrees of freedom: Abramowitz and Stegun, "Handbook of Mathematical
    Functions" (1964), 26.7.3 for odd and 26.7.4 for even ones.
    """
    odd = freedom % 2
    orders = np.arange(2 + odd, freedom, 2)
    ratios = (orders - 1) / orders * cos(angle) ** 2
    series = 1.0 + float(np.cumprod(ratios).sum())
    if not odd:
        return sin(angle) * series
    inner = sin(angle) * cos(angle) * series if freedom > 1 else 0.0
    return (angle + inner) * 2 / pi
