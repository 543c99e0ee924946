"""What a simulated endpoint admits a minute, and what it counts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hydrometer.providers.simulation.server.server_quota import (
    ScaledClock,
    ServerQuota,
    wait_headers,
)
from hydrometer.providers.simulation.server.server_stats import Ledger, SimulatorStats
from hydrometer.testing import FakeClock


def test_no_minute_holds_more_tokens_than_allowed() -> None:
    quota = ServerQuota(rpm=None, tpm=100)

    assert quota.admit(0.0, 60) == 0.0
    assert quota.admit(10.0, 40) == 0.0
    assert quota.admit(20.0, 60) == 40.0  # when the first leaves
    assert quota.admit(20.0, 61) == 50.0  # when the second leaves, too
    assert quota.admit(60.0, 60) == 0.0


def test_call_larger_than_a_minutes_tokens_is_refused_for_ever() -> None:
    quota = ServerQuota(rpm=None, tpm=100)

    assert quota.admit(0.0, 101) == 60.0
    assert quota.admit(1000.0, 101) == 60.0
    assert quota.admit(1000.0, 100) == 0.0


@given(
    calls=st.lists(st.tuples(st.floats(0.0, 20.0), st.integers(1, 60)), max_size=60),
    rpm=st.none() | st.integers(1, 10),
    tpm=st.none() | st.integers(1, 200),
)
def test_fullest_minute_is_the_one_a_recount_finds(
    calls: list[tuple[float, int]], rpm: int | None, tpm: int | None
) -> None:
    quota, now = ServerQuota(rpm=rpm, tpm=tpm), 0.0
    admitted: list[tuple[float, int]] = []
    for gap, tokens in calls:
        now += gap
        if quota.admit(now, tokens) == 0.0:
            admitted.append((now, tokens))

    # A minute that ends with a call holds as much as any; its start is the edge of the window.
    minutes = [
        [used for then, used in admitted[: last + 1] if then > end - 60.0]
        for last, (end, _) in enumerate(admitted)
    ]
    assert quota.most_calls == max(map(len, minutes), default=0) <= (rpm or 60)
    assert quota.most_tokens == max(map(sum, minutes), default=0) <= (tpm or 3600)


def test_refused_call_is_admitted_after_the_wait_it_was_told() -> None:
    quota = ServerQuota(rpm=1, tpm=None)
    quota.admit(0.0, 1)

    wait_s = quota.admit(12.25, 1)

    assert wait_headers(wait_s) == {"retry-after": "48", "retry-after-ms": "47750"}
    assert quota.admit(12.25 + 47.749, 1) > 0.0
    assert quota.admit(12.25 + 47.75, 1) == 0.0


async def test_scaled_clock_passes_more_seconds_and_sleeps_fewer() -> None:
    inner = FakeClock()
    clock = ScaledClock(inner, 60.0)

    await clock.sleep(30.0)

    assert inner.slept == [0.5]
    assert clock.now() == 30.0


# counts


def test_ledger_counts_by_ending_and_by_minute() -> None:
    quota = ServerQuota(rpm=None, tpm=None)
    ledger = Ledger(quota)
    for now in (100.0, 130.0, 159.9, 160.0, 200.0):
        assert ledger.enter(now) == ledger.calls - 1
        name = ledger.note(b"body at %f" % now)
        if now in (130.0, 200.0):
            ledger.end("limited", now)
        else:
            quota.admit(now, 10)
            ledger.answer(now, name)
            ledger.end("answered", now)
        ledger.leave()

    assert ledger.statistics() == SimulatorStats(
        calls=5,
        answered=3,
        limited=2,
        max_in_flight=1,
        calls_first_minute=3,
        limited_first_minute=1,
        limited_later=1,
        max_calls_per_minute=2,
        max_tokens_per_minute=20,
        distinct_bodies=5,
        seconds=60.0,
        answered_per_s=3 / 60,
    )


def test_only_a_body_that_was_answered_counts_as_resent() -> None:
    ledger = Ledger(ServerQuota(rpm=None, tpm=None))

    first = ledger.note(b"a")
    ledger.note(b"a")  # after a fault
    ledger.answer(1.0, first)
    ledger.note(b"b")
    assert ledger.statistics().resent_after_answer == 0
    ledger.note(b"a")
    ledger.note(b"a")

    assert ledger.statistics().resent_after_answer == 2
    assert ledger.statistics().distinct_bodies == 2


def test_ledger_without_a_call_has_zeros() -> None:
    assert Ledger(ServerQuota(rpm=1, tpm=1)).statistics() == SimulatorStats()
