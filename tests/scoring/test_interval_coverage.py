"""Plant a known rate, run the measurement many times, count how often the interval holds it."""

from __future__ import annotations

from math import sqrt

import msgspec
import numpy as np
import numpy.typing as npt
import pytest

from hydrometer.scoring.intervals import Interval, cgm_interval, pigeonhole_bootstrap, wilson

STUDIES = 400


class Planting(msgspec.Struct, frozen=True, kw_only=True):
    """Effects of templates and questions are normal on the logit scale, around one middle."""

    templates: int
    questions: int
    rate: float
    template_sd: float
    question_sd: float


PLANTINGS = (
    Planting(templates=20, questions=50, rate=0.1, template_sd=1.0, question_sd=1.0),
    Planting(templates=20, questions=50, rate=0.4, template_sd=1.0, question_sd=0.5),
    Planting(templates=40, questions=25, rate=0.2, template_sd=1.0, question_sd=1.0),
    Planting(templates=40, questions=25, rate=0.4, template_sd=0.5, question_sd=1.0),
)


@pytest.mark.slow
@pytest.mark.parametrize("planting", PLANTINGS, ids=repr)
def test_two_way_intervals_hold_the_planted_rate_as_often_as_they_say(planting: Planting) -> None:
    rng = np.random.default_rng(20250121)
    judged = np.ones((planting.templates, planting.questions), dtype=np.int64)
    held = {"bootstrap": 0, "analytic": 0, "wilson": 0}

    for study in range(STUDIES):
        positives = _draw(rng, planting)
        bootstrap = pigeonhole_bootstrap(positives, judged, seed=study, draws=1000)
        analytic = cgm_interval(positives, judged)
        assert analytic is not None
        held["bootstrap"] += _holds(bootstrap, planting.rate)
        held["analytic"] += _holds(analytic, planting.rate)
        naive = wilson(int(positives.sum()), judged.size)
        held["wilson"] += _holds(naive, planting.rate)

    coverage = {name: count / STUDIES for name, count in held.items()}
    noise = 2 * sqrt(0.95 * 0.05 / STUDIES)
    assert 0.925 - noise <= coverage["bootstrap"] <= 0.98 + noise, coverage
    assert 0.93 - noise <= coverage["analytic"] <= 0.97 + noise, coverage
    assert coverage["wilson"] < 0.75, coverage


def _draw(rng: np.random.Generator, planting: Planting) -> npt.NDArray[np.int64]:
    templates = rng.normal(0, planting.template_sd, planting.templates)
    questions = rng.normal(0, planting.question_sd, planting.questions)
    logits = _middle(planting) + templates[:, np.newaxis] + questions
    return (rng.random(logits.shape) < _expit(logits)).astype(np.int64)


def _middle(planting: Planting) -> float:
    """Find the logit around which the effects must lie for the planted rate to be the mean."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    spread = sqrt(planting.template_sd**2 + planting.question_sd**2)
    low, high = -10.0, 10.0
    for _ in range(60):
        middle = (low + high) / 2
        mean = weights @ _expit(middle + spread * nodes) / weights.sum()
        low, high = (middle, high) if mean < planting.rate else (low, middle)
    return middle


def _expit(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    values: npt.NDArray[np.float64] = 1 / (1 + np.exp(-x))
    return values


def _holds(interval: Interval, rate: float) -> bool:
    return interval.low <= rate <= interval.high
