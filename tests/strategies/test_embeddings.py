from __future__ import annotations

from math import sqrt

import pytest

from hydrometer.strategies.similarity.embeddings import cosine


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((1.0, 0.0), (1.0, 0.0), 1.0),
        ((1.0, 0.0), (0.0, 2.0), 0.0),
        ((1.0, 1.0), (-3.0, -3.0), -1.0),
        ((1.0, 0.0), (1.0, 1.0), 1 / sqrt(2)),
        ((1e300, 1e300), (1e-300, 1e-300), 1.0),
        ((1e-320, 0.0), (1.0, 1.0), 1 / sqrt(2)),
    ],
)
def test_cosine(first: tuple[float, ...], second: tuple[float, ...], expected: float) -> None:
    assert cosine(first, second) == pytest.approx(expected)
    assert cosine(second, first) == cosine(first, second)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ((1.0,), (1.0, 2.0), "embeddings must have one length above 0, got 1 and 2"),
        ((), (), "embeddings must have one length above 0, got 0 and 0"),
        ((1.0,), (float("nan"),), "embeddings must be finite"),
        ((0.0, -0.0), (1.0, 1.0), "embeddings must not be all zeros"),
        ((1.0, 1.0), (0.0, 0.0), "embeddings must not be all zeros"),
    ],
)
def test_vectors_that_have_no_cosine_are_refused(
    first: tuple[float, ...], second: tuple[float, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        cosine(first, second)
