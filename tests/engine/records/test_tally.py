"""Tally: counts of calls, attempts and events, whatever the measurement counts of its own."""

from __future__ import annotations

from collections import Counter

import pytest
from builders import TARGET
from coin_toss import Tossed

from hydrometer.cache.cached import AnsweredCall, Source
from hydrometer.engine.calls.answers import CallFailed, Judgement
from hydrometer.engine.ice.ice_events import NoMutant, Probed, Rejection
from hydrometer.engine.records.events import Event, Finished
from hydrometer.engine.records.tally import NoCounts, Tally
from hydrometer.providers.base import Attempt
from hydrometer.testing import make_response

FAILED = CallFailed(role="target", key="k", error="RequestRejected", message="m")
END = Finished(reason="probes", tickets=1, units=3)


class Heads:
    """Counts the heads."""

    def __init__(self) -> None:
        self.units = 0
        self.states: Counter[str] = Counter()
        self.heads = 0

    def add(self, event: Event) -> None:
        if isinstance(event, Tossed):
            self.units += 1
            self.heads += event.side == "heads"

    def headline(self) -> str:
        return f"{self.heads} of {self.units}"


def answered(source: Source) -> AnsweredCall:
    return AnsweredCall(
        key="k", pool=TARGET.name, source=source, took_s=0.5, response=make_response()
    )


def test_a_new_tally_has_counted_nothing() -> None:
    tally = Tally()

    assert (tally.units, tally.attempts, tally.tokens, tally.cost_usd) == (0, 0, 0, 0.0)
    assert (tally.calls, tally.attempts_failed, tally.calls_failed) == (Counter(), Counter(), 0)
    assert tally.finished is None
    assert dict(tally.statistics()) == {}
    assert isinstance(tally.counts, NoCounts)


def test_answered_calls_are_counted_by_their_source() -> None:
    tally = Tally()

    for source in ("cache", "sent", "cache", "shared", "preflight"):
        tally.call_ended(answered(source))

    assert tally.calls == {"cache": 2, "sent": 1, "shared": 1, "preflight": 1}
    assert tally.attempts == 0


def test_attempts_are_counted_with_their_tokens_their_cost_and_their_error() -> None:
    tally = Tally()
    attempts = (
        Attempt(pool="qwen", waited_s=0, took_s=1, input_tokens=5, output_tokens=2, cost_usd=0.25),
        Attempt(pool="qwen", waited_s=0, took_s=1, error="RateLimited"),
        Attempt(pool="qwen", waited_s=0, took_s=1, error="RateLimited", input_tokens=1),
        Attempt(pool="qwen", waited_s=0, took_s=1, error="ServiceFailed", cost_usd=0.5),
    )

    for attempt in attempts:
        tally.attempt_ended(attempt)

    assert (tally.attempts, tally.tokens, tally.cost_usd) == (4, 8, 0.75)
    assert tally.attempts_failed == {"RateLimited": 2, "ServiceFailed": 1}


def test_every_event_goes_to_the_counts_of_the_measurement() -> None:
    heads = Heads()
    tally = Tally(heads)

    tally.write([Tossed(ticket=0, side="heads"), Tossed(ticket=1, side="tails")])
    tally.write((Tossed(ticket=2, side="heads"), END))

    assert tally.counts is heads
    assert tally.units == 3
    assert tally.counts.headline() == "2 of 3"
    assert tally.finished == END


def test_calls_that_failed_for_good_are_counted_whoever_made_them() -> None:
    tally = Tally()
    lost = Probed(ticket=0, template=0, question=0, outcome=FAILED)
    judged = Judgement(failures=(FAILED, FAILED))

    tally.write((lost,))
    tally.write(
        (
            Probed(ticket=0, template=0, question=0, outcome=FAILED, judgement=judged),
            NoMutant(
                ticket=1,
                rejections=(
                    Rejection(mutator="similar", fault="call-failed", failure=FAILED),
                    Rejection(mutator="similar", fault="duplicate"),
                ),
            ),
        )
    )

    assert tally.calls_failed == 1 + 3 + 1


@pytest.mark.parametrize("event", [END, Tossed(ticket=0, side="heads")])
def test_no_counts_count_nothing(event: Event) -> None:
    counts = NoCounts()

    counts.add(event)

    assert (counts.units, counts.states, counts.headline()) == (0, Counter(), "")
