from __future__ import annotations

import tracemalloc
from itertools import product
from math import exp, log, sqrt

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydrometer.scoring import intervals
from hydrometer.scoring.intervals import Interval, cgm_interval, pigeonhole_bootstrap, wilson
from hydrometer.scoring.student import t_quantile

Counts = npt.NDArray[np.int64]


def matrix(*rows: list[int]) -> Counts:
    return np.array(rows, dtype=np.int64)


def planted(templates: int, questions: int) -> tuple[Counts, Counts]:
    """Half of the templates always draw a contradiction, the others never."""
    positives = np.zeros((templates, questions), dtype=np.int64)
    positives[: templates // 2] = 1
    return positives, np.ones_like(positives)


@pytest.mark.parametrize(
    ("positives", "judged", "low", "high"),
    [
        # Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_values(
    positives: int, judged: int, low: float, high: float
) -> None:
    interval = wilson(positives, judged)

    assert interval == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("positives", "judged"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_refuses_what_is_no_share(positives: int, judged: int) -> None:
    with pytest.raises(ValueError, match=f"got {positives} of {judged}$"):
        wilson(positives, judged)


@pytest.mark.parametrize(
    ("freedom", "expected"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (19, 2.0930), (120, 1.9799)],
)
def test_t_quantile_gives_the_tabulated_values(freedom: int, expected: float) -> None:
    assert t_quantile(0.975, freedom) == pytest.approx(expected, abs=5e-5)
    assert t_quantile(0.025, freedom) == pytest.approx(-expected, abs=5e-5)


@pytest.mark.parametrize(("level", "freedom"), [(0.975, 0), (0.0, 3), (1.0, 3)])
def test_t_quantile_refuses_what_has_none(level: float, freedom: int) -> None:
    with pytest.raises(ValueError, match=f"level {level} and {freedom} degrees"):
        t_quantile(level, freedom)


def test_analytic_interval_matches_a_table_worked_by_hand() -> None:
    positives = matrix([1, 1, 1], [1, 0, 0])
    judged = np.ones_like(positives)
    # rate 2/3; residuals 1/3 1/3 1/3 over 1/3 -2/3 -2/3
    by_template = (1**2 + 1**2) * 2 / 1
    by_question = ((2 / 3) ** 2 + (1 / 3) ** 2 + (1 / 3) ** 2) * 3 / 2
    by_cell = (4 / 9 + 8 / 9) * 6 / 5
    error = sqrt(by_template + by_question - by_cell) / 6 / (2 / 3 * 1 / 3)
    reach = 12.7062 * error

    interval = cgm_interval(positives, judged)

    expected = tuple(1 / (1 + exp(-(log(2) + sign * reach))) for sign in (-1, 1))
    assert interval == pytest.approx(expected, rel=1e-4)


def test_analytic_variance_never_falls_below_that_of_independent_cells() -> None:
    # A checkerboard: every template and every question has the same share, so that the sums
    # over both vanish and the two-way difference is negative.
    positives = matrix([1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1])
    judged = np.ones_like(positives)
    reach = t_quantile(0.975, 3) * sqrt(16 * 0.25 * 16 / 15) / 16 / 0.25

    interval = cgm_interval(positives, judged)

    assert interval == pytest.approx((1 / (1 + exp(reach)), 1 / (1 + exp(-reach))))


@pytest.mark.parametrize(
    "positives",
    [matrix([0, 0], [0, 0]), matrix([1, 1], [1, 1]), matrix([1, 0]), matrix([1], [0])],
    ids=["none", "all", "one template", "one question"],
)
def test_analytic_interval_is_absent_where_its_variance_is_not_defined(positives: Counts) -> None:
    assert cgm_interval(positives, np.ones_like(positives)) is None


def test_bootstrap_of_two_templates_follows_the_exact_distribution() -> None:
    """Both templates are drawn as 0+2, 1+1 or 2+0, with chances 1/4, 1/2, 1/4."""
    positives, judged = matrix([1, 1], [0, 0]), matrix([1, 1], [1, 1])

    middle = pigeonhole_bootstrap(positives, judged, seed=1, level=0.4)
    wide = pigeonhole_bootstrap(positives, judged, seed=1, level=0.6)

    assert middle == (0.5, 0.5)
    assert wide == (0.0, 1.0)


def test_bootstrap_resamples_templates_and_questions_both() -> None:
    positives, judged = planted(20, 50)

    by_template = pigeonhole_bootstrap(positives, judged, seed=1)
    by_question = pigeonhole_bootstrap(positives.T, judged.T, seed=1)

    # sqrt(.25 / 20) = .112 whichever side the twenty are on
    for low, high in (by_template, by_question):
        assert high - low == pytest.approx(2 * 1.96 * 0.112, rel=0.1)


def test_bootstrap_gives_the_same_bytes_for_the_same_seed_and_others_for_another() -> None:
    rng = np.random.default_rng(3)
    positives = rng.integers(2, size=(20, 50))
    judged = np.ones_like(positives)

    first = pigeonhole_bootstrap(positives, judged, seed=1)

    assert pigeonhole_bootstrap(positives, judged, seed=1) == first
    assert pigeonhole_bootstrap(positives, judged, seed=2) != first


def test_draws_are_the_same_however_they_are_cut_into_chunks() -> None:
    whole, parts = np.random.default_rng(1), np.random.default_rng(1)

    once = intervals._weights(whole, 9, 7)
    cut = [intervals._weights(parts, draws, 7) for draws in intervals._chunks(9, 4)]

    assert [len(part) for part in cut] == [4, 4, 1]
    np.testing.assert_array_equal(once, np.vstack(cut))
    np.testing.assert_array_equal(once.sum(axis=1), np.full(9, 7.0))


def test_bootstrap_of_many_templates_stays_small() -> None:
    positives, judged = planted(10_000, 50)
    tracemalloc.start()

    pigeonhole_bootstrap(positives, judged, seed=1, draws=200)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6


def test_templates_and_questions_without_judged_rows_are_left_out() -> None:
    positives, judged = matrix([1, 0, 1], [0, 0, 1]), matrix([1, 1, 1], [1, 1, 1])
    padded = np.pad(positives, 2), np.pad(judged, 2)

    assert pigeonhole_bootstrap(*padded, seed=1) == pigeonhole_bootstrap(positives, judged, seed=1)
    assert cgm_interval(*padded) == cgm_interval(positives, judged)


def test_draws_that_hit_no_judged_row_are_left_out() -> None:
    diagonal = np.eye(3, dtype=np.int64)

    assert pigeonhole_bootstrap(diagonal, diagonal, seed=1) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("positives", "judged", "message"),
    [
        (matrix([0]), matrix([0]), "at least one judged row, got none$"),
        (matrix([1, 1]), matrix([1]), r"one T x Q shape, got \(1, 2\), \(1, 1\)$"),
    ],
)
def test_cells_that_are_no_table_are_refused(
    positives: Counts, judged: Counts, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        pigeonhole_bootstrap(positives, judged, seed=1)


@st.composite
def tables(draw: st.DrawFn) -> tuple[Counts, Counts]:
    height, width = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    size = height * width
    judged = draw(st.lists(st.integers(0, 3), min_size=size, max_size=size).filter(any))
    positives = [draw(st.integers(0, most)) for most in judged]
    shape = (height, width)
    return matrix(positives).reshape(shape), matrix(judged).reshape(shape)


@given(table=tables(), seed=st.integers(0, 2**64 - 1))
def test_intervals_are_in_order_and_hold_the_rate(table: tuple[Counts, Counts], seed: int) -> None:
    positives, judged = table
    rate = float(positives.sum() / judged.sum())

    found = (
        pigeonhole_bootstrap(positives, judged, seed=seed, draws=40),
        cgm_interval(positives, judged) or Interval(rate, rate),
        wilson(int(positives.sum()), int(judged.sum())),
    )

    for low, high in found:
        assert 0.0 <= low <= rate <= high <= 1.0


@given(table=tables())
def test_analytic_interval_of_the_negatives_is_the_mirror_image(
    table: tuple[Counts, Counts],
) -> None:
    positives, judged = table

    interval = cgm_interval(positives, judged)
    mirrored = cgm_interval(judged - positives, judged)

    if interval is None:
        assert mirrored is None
    else:
        assert mirrored == pytest.approx((1 - interval.high, 1 - interval.low))


@given(positives=st.integers(0, 400), negatives=st.integers(0, 400))
def test_wilson_narrows_as_rows_are_added(positives: int, negatives: int) -> None:
    judged = positives + negatives + 1

    once, twice = wilson(positives, judged), wilson(2 * positives, 2 * judged)

    assert twice.high - twice.low < once.high - once.low


def test_hull_holds_both() -> None:
    pairs = product([Interval(0.1, 0.4)], [Interval(0.2, 0.3), Interval(0.0, 0.2)])

    assert [one.hull(other) for one, other in pairs] == [(0.1, 0.4), (0.0, 0.4)]
