from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydrometer.scoring.probe_table import Counts, ProbeTable
from hydrometer.strategies.types import Metric, Opinion, ProbeRow, Unparsed, Verdict


def make_row(
    template: int = 0, question: int = 0, *, loose: bool | None = True, strict: bool | None = None
) -> ProbeRow:
    given_: dict[Metric, bool | None] = {"loose": loose, "strict": strict}
    opinions: tuple[Opinion, ...] = tuple(
        Verdict(metric=metric, positive=positive)
        for metric, positive in given_.items()
        if positive is not None
    )
    return ProbeRow(template=template, question=question, state="judged", opinions=opinions)


def make_lost(template: int = 0, question: int = 0) -> ProbeRow:
    return ProbeRow(template=template, question=question, state="failed")


def test_every_probe_is_counted_once() -> None:
    table = ProbeTable(
        [
            make_row(loose=True),
            make_row(loose=True),
            make_row(loose=False),
            ProbeRow(template=0, question=0, state="judged", opinions=(Unparsed(metric="loose"),)),
            make_lost(),
            ProbeRow(template=0, question=0, state="refused"),
            ProbeRow(template=0, question=0, state="truncated"),
            ProbeRow(template=0, question=0, state="truncated"),
            ProbeRow(template=0, question=0, state="unread"),
        ]
    )

    counts = table.counts("loose")

    assert counts == Counts(
        positives=2, judged=3, failed=1, refused=1, truncated=2, unparsed=1, unread=1
    )
    assert (counts.missing, counts.probes) == (6, len(table))


def test_row_whose_judge_call_was_lost_counts_as_failed_for_that_metric_only() -> None:
    table = ProbeTable([make_row(loose=True, strict=None), make_row(loose=True, strict=False)])

    assert table.counts("loose").failed == 0
    assert table.counts("strict") == Counts(
        positives=0, judged=1, failed=1, refused=0, truncated=0, unparsed=0
    )


def test_metric_that_nobody_has_an_opinion_on_is_absent() -> None:
    table = ProbeTable([make_row(loose=None, strict=False), make_lost()])

    assert table.metrics == ("strict",)


def test_unparsed_opinion_makes_a_metric_known() -> None:
    opinions = (Unparsed(metric="hard"),)

    table = ProbeTable([ProbeRow(template=0, question=0, state="judged", opinions=opinions)])

    assert table.metrics == ("hard",)
    assert table.counts("hard").judged == 0


def test_cells_hold_repeated_draws_and_close_gaps_between_ids() -> None:
    table = ProbeTable(
        [
            make_row(7, 3, loose=True),
            make_row(7, 3, loose=False),
            make_row(2, 9, loose=True),
            make_lost(2, 3),
        ]
    )

    positives, judged = table.cells("loose")

    np.testing.assert_array_equal(positives, [[0, 1], [1, 0]])
    np.testing.assert_array_equal(judged, [[0, 1], [2, 0]])


def test_empty_table_has_no_metrics_and_no_cells() -> None:
    table = ProbeTable([])

    positives, judged = table.cells("loose")

    assert (len(table), table.metrics, table.counts("loose").probes) == (0, (), 0)
    assert positives.shape == judged.shape == (0, 0)


def test_row_that_failed_and_was_judged_is_refused() -> None:
    row = ProbeRow(template=0, question=0, state="failed", opinions=(Unparsed(metric="loose"),))

    with pytest.raises(ValueError, match=r"^row 1 is failed and has opinions$"):
        ProbeTable([make_row(), row])


def test_two_opinions_on_one_metric_are_refused() -> None:
    twice = (Verdict(metric="loose", positive=True), Verdict(metric="loose", positive=True))

    with pytest.raises(ValueError, match=r"^row 0 has two opinions on loose$"):
        ProbeTable([ProbeRow(template=0, question=0, state="judged", opinions=twice)])


ROWS = st.lists(
    st.one_of(
        st.builds(make_row, st.integers(-3, 3), st.integers(0, 3), loose=st.booleans()),
        st.builds(make_lost, st.integers(-3, 3), st.integers(0, 3)),
    ),
    max_size=30,
)


@given(rows=ROWS, seed=st.integers())
def test_order_of_rows_changes_nothing(rows: list[ProbeRow], seed: int) -> None:
    shuffled = Random(seed).sample(rows, len(rows))

    first, second = ProbeTable(rows), ProbeTable(shuffled)

    assert first.counts("loose") == second.counts("loose")
    for one, other in zip(first.cells("loose"), second.cells("loose"), strict=True):
        np.testing.assert_array_equal(one, other)


@given(rows=ROWS)
def test_cells_add_up_to_the_counts(rows: list[ProbeRow]) -> None:
    table = ProbeTable(rows)

    positives, judged = table.cells("loose")

    counts = table.counts("loose")
    assert (positives.sum(), judged.sum()) == (counts.positives, counts.judged)
    assert counts.probes == len(rows)
