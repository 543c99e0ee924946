from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydrometer.scoring.identity_scores import IdentityFlag, IdentityScore, score_table
from hydrometer.scoring.probe_table import ProbeTable
from hydrometer.strategies.types import Metric, ProbeRow, Unparsed, Verdict

REFERENCE = "HYDROMETER_REFERENCE_DATA"


def make_rows(
    positives: int, negatives: int, *, templates: int = 5, questions: int = 10
) -> list[ProbeRow]:
    return [
        ProbeRow(
            template=i % templates,
            question=i % questions,
            state="judged",
            opinions=(Verdict(metric="loose", positive=i < positives),),
        )
        for i in range(positives + negatives)
    ]


def make_lost(count: int) -> list[ProbeRow]:
    return [ProbeRow(template=0, question=i, state="refused") for i in range(count)]


UNREAD = ProbeRow(template=0, question=0, state="unread")


def score(
    rows: Iterable[ProbeRow], *, seed: int = 7, metrics: tuple[Metric, ...] = ()
) -> tuple[IdentityScore, ...]:
    return score_table(
        ProbeTable(rows),
        run="runs/qwen",
        target="qwen",
        kind="ice",
        judge="gpt-mini",
        prompt_version="identity-1",
        seed=seed,
        metrics=metrics,
    )


def test_score_has_its_counts_rate_and_bounds() -> None:
    rows = [*make_rows(40, 40), *make_lost(2)]

    (found,) = score(rows)

    assert (found.run, found.target, found.kind) == ("runs/qwen", "qwen", "ice")
    assert (found.judge, found.prompt_version, found.metric) == ("gpt-mini", "identity-1", "loose")
    assert (found.positives, found.judged, found.refused, found.missing) == (40, 80, 2, 2)
    assert (found.rate, found.best, found.worst) == (0.5, 40 / 82, 42 / 82)
    assert (found.templates, found.questions, found.flags) == (5, 10, ())


def test_metrics_come_widest_first() -> None:
    opinions = tuple(Verdict(metric=m, positive=False) for m in ("hard", "strict", "loose"))
    rows = [ProbeRow(template=0, question=0, state="judged", opinions=opinions)]

    assert [found.metric for found in score(rows)] == ["loose", "strict", "hard"]


@pytest.mark.parametrize(
    ("rows", "flags"),
    [
        (make_rows(8, 8), ()),
        (make_rows(7, 8), ("few-positives",)),
        (make_rows(8, 7), ("few-negatives",)),
        (make_rows(8, 8, templates=1), ("one-template",)),
        (make_rows(8, 8, questions=1), ("one-question",)),
        ([*make_rows(50, 45), *make_lost(5)], ()),
        ([*make_rows(50, 45), *make_lost(6)], ("missing-data",)),
        ([*make_rows(50, 45), UNREAD], ("partial-layer",)),
        ([*make_rows(8, 8), UNREAD], ("missing-data", "partial-layer")),
        (make_rows(1, 0), ("one-template", "one-question", "few-positives", "few-negatives")),
    ],
)
def test_degenerate_scores_are_flagged(
    rows: list[ProbeRow], flags: tuple[IdentityFlag, ...]
) -> None:
    (found,) = score(rows)

    assert found.flags == flags


def test_no_positives_still_leaves_room_above_zero() -> None:
    (found,) = score(make_rows(0, 100))

    assert (found.rate, found.low, found.high) == (0.0, 0.0, found.naive_high)
    assert found.high == pytest.approx(0.037, abs=5e-4)
    assert found.analytic_low is None


def test_flagged_interval_is_never_narrower_than_the_naive_one() -> None:
    (found,) = score(make_rows(7, 60, templates=1))

    assert found.low is not None
    assert found.high is not None
    assert found.naive_low is not None
    assert found.naive_high is not None
    assert found.low <= found.naive_low < found.naive_high <= found.high


def test_nothing_judged_has_no_rate_and_says_so() -> None:
    unread = ProbeRow(template=0, question=0, state="judged", opinions=(Unparsed(metric="loose"),))

    (found,) = score([unread, *make_lost(3)])

    assert found.flags == ("nothing-judged", "missing-data")
    assert (found.rate, found.low, found.high, found.naive_low) == (None, None, None, None)
    assert (found.judged, found.unparsed, found.refused) == (0, 1, 3)
    assert (found.best, found.worst) == (0.0, 1.0)


def test_run_that_failed_throughout_is_scored_when_its_metrics_are_named() -> None:
    rows = make_lost(3)

    assert score(rows) == ()
    assert [(s.metric, s.flags) for s in score(rows, metrics=("strict",))] == [
        ("strict", ("nothing-judged", "missing-data"))
    ]


def test_empty_run_has_no_bounds() -> None:
    (found,) = score([], metrics=("loose",))

    assert (found.best, found.worst, found.flags) == (None, None, ("nothing-judged",))


def test_seed_alone_decides_what_is_resampled() -> None:
    rows = make_rows(20, 33, templates=7)

    first = score(rows, seed=-3)

    assert score(reversed(rows), seed=-3) == first
    assert score(rows, seed=4) != first


@given(
    states=st.lists(st.sampled_from(["yes", "no", "unparsed", "failed"]), max_size=40),
    templates=st.integers(1, 5),
)
def test_every_score_holds_its_rate_and_its_bounds_hold_together(
    states: list[str], templates: int
) -> None:
    rows = [make_any(state, i % templates, i // templates) for i, state in enumerate(states)]

    for found in score(rows):
        assert found.best is not None
        assert found.worst is not None
        assert 0.0 <= found.best <= found.worst <= 1.0
        if found.rate is None:
            assert found.low is found.high is None
            continue
        assert found.low is not None
        assert found.high is not None
        assert 0.0 <= found.low <= found.rate <= found.high <= 1.0
        assert found.best <= found.rate <= found.worst


def make_any(state: str, template: int, question: int) -> ProbeRow:
    if state == "failed":
        return ProbeRow(template=template, question=question, state="failed")
    verdict = Verdict(metric="loose", positive=state == "yes")
    opinion = Unparsed(metric="loose") if state == "unparsed" else verdict
    return ProbeRow(template=template, question=question, state="judged", opinions=(opinion,))


@pytest.mark.skipif(REFERENCE not in os.environ, reason=f"{REFERENCE} names no folder")
def test_published_transcripts_give_the_published_score_and_an_honest_interval() -> None:
    path = Path(os.environ[REFERENCE]) / "qwen-max-0919.jsonl"
    transcripts = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows = [
        ProbeRow(
            template=i // 50,
            question=i % 50,
            state="judged",
            opinions=(Verdict(metric="loose", positive=transcript["eval_results"]),),
        )
        for i, transcript in enumerate(transcripts)
    ]

    (found,) = score(rows)

    assert (found.positives, found.judged) == (342, 1000)
    assert (found.templates, found.questions, found.flags) == (20, 50, ())
    assert None not in (found.low, found.high, found.naive_low, found.naive_high)
    assert width(found.low, found.high) >= 1.7 * width(found.naive_low, found.naive_high)
    assert width(found.analytic_low, found.analytic_high) >= 1.7 * width(
        found.naive_low, found.naive_high
    )


def width(low: float | None, high: float | None) -> float:
    assert low is not None
    assert high is not None
    return high - low
