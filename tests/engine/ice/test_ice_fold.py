"""Running counts of probes, and the rows that scores are made of."""

from __future__ import annotations

from collections import Counter

import pytest
from builders import make_plan, play_search

from hydrometer.engine.calls.answers import Answer, CallFailed, Judgement
from hydrometer.engine.ice.ice_events import Probed, Taken
from hydrometer.engine.ice.ice_fold import IceCounts, fold_probes, probe_row
from hydrometer.engine.records.events import Event, Finished
from hydrometer.providers.types import FinishReason
from hydrometer.scoring.probe_table import ProbeTable
from hydrometer.strategies.types import Metric, Opinion, ProbeRow, Unparsed, Verdict

FAILED = CallFailed(role="target", key="k", error="RequestRejected", message="m")
LOST = CallFailed(role="judge", key="x", error="RequestRejected", message="m")


def probed(
    *opinions: Opinion,
    finish: FinishReason = "stop",
    refusal: str = "",
    outcome: CallFailed | None = None,
    failures: tuple[CallFailed, ...] = (),
) -> Probed:
    return Probed(
        ticket=0,
        template=1,
        question=2,
        outcome=outcome or Answer(key="k", text="t", finish=finish, refusal=refusal),
        judgement=Judgement(opinions=opinions, failures=failures),
    )


def verdict(metric: Metric, *, positive: bool) -> Verdict:
    return Verdict(metric=metric, positive=positive)


LOOSE, STRICT = verdict("loose", positive=True), verdict("strict", positive=True)
NOT_LOOSE, NOT_STRICT = verdict("loose", positive=False), verdict("strict", positive=False)
EVENTS: tuple[Event, ...] = (
    Taken(ticket=0, template=1, node=0),
    probed(LOOSE, STRICT),
    probed(LOOSE, NOT_STRICT),
    probed(NOT_LOOSE, NOT_STRICT),
    probed(Unparsed(metric="loose"), Unparsed(metric="strict")),
    probed(LOOSE, failures=(LOST,)),
    probed(outcome=FAILED),
    probed(finish="length"),
    probed(finish="content_filter"),
    probed(finish="length", refusal="I won't."),
    Finished(reason="probes", tickets=1, units=9),
)


def counted(metric: Metric, *events: Event) -> IceCounts:
    counts = IceCounts(metric)
    for event in events or EVENTS:
        counts.add(event)
    return counts


def test_probes_are_counted_by_metric_and_by_why_they_have_no_result() -> None:
    counts = counted("loose")

    assert counts.units == 9
    assert counts.judged == {"loose": 4, "strict": 3}
    assert counts.positives == {"loose": 3, "strict": 1}
    assert +counts.states == {"refused": 2, "truncated": 1, "unparsed": 2}


@pytest.mark.parametrize(
    ("metric", "said"), [("loose", "loose 3 of 4 (75.0%)"), ("strict", "strict 1 of 3 (33.3%)")]
)
def test_the_headline_is_the_share_of_positives_of_the_first_metric(
    metric: Metric, said: str
) -> None:
    assert counted(metric).headline() == said


def test_the_headline_has_no_share_before_anything_was_judged() -> None:
    assert IceCounts("strict").headline() == "strict 0 of 0"
    assert counted("strict", probed(outcome=FAILED)).headline() == "strict 0 of 0"


def test_running_counts_are_those_of_the_scores() -> None:
    events = play_search(make_plan(probes=60))

    counts = counted("strict", *events)

    table = ProbeTable(fold_probes(events)).counts("strict")
    assert (counts.positives["strict"], counts.judged["strict"], counts.units) == (
        table.positives,
        table.judged,
        60,
    )
    assert counts.states == Counter()


@pytest.mark.parametrize(
    ("event", "state", "opinions"),
    [
        (probed(LOOSE, STRICT), "judged", (LOOSE, STRICT)),
        (probed(LOOSE, failures=(LOST,)), "judged", (LOOSE,)),
        (probed(outcome=FAILED), "failed", ()),
        (probed(finish="content_filter"), "refused", ()),
        (probed(refusal="no"), "refused", ()),
        (probed(finish="length", refusal="no"), "refused", ()),
        (probed(finish="length"), "truncated", ()),
    ],
)
def test_a_row_says_why_a_probe_has_no_result(
    event: Probed, state: str, opinions: tuple[Opinion, ...]
) -> None:
    row = probe_row(event, event.judgement)

    assert row == ProbeRow(template=1, question=2, state=state, opinions=opinions)  # type: ignore[arg-type]  # literals


def test_there_is_a_row_for_each_probe_in_order() -> None:
    rows = list(fold_probes(EVENTS))

    assert [row.state for row in rows] == [
        *["judged"] * 5, "failed", "truncated", "refused", "refused",
    ]  # fmt: skip
