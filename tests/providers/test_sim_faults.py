"""When a simulated endpoint fails or delays a call: arithmetic of the seed and of times."""

from __future__ import annotations

import math

import pytest

from hydrometer.providers.errors import SettingsInvalid
from hydrometer.providers.simulation.server.planted_faults import Lifetime, PlannedReply, plan_reply
from hydrometer.providers.simulation.server.simulator_settings import (
    FAULTS,
    Faults,
    JitterShape,
    SimulatorSettings,
    parse_faults,
)

MIX = Faults(rate_limited=0.05, failed=0.1, cut=0.15, stalled=0.2, malformed=0.02)


def test_faults_come_at_the_planted_rate_in_equal_parts() -> None:
    settings = SimulatorSettings(errors=0.3, seed=1)

    faults = [plan_reply(settings, number).fault for number in range(6000)]

    for kind in ("rate_limited", "failed", "cut"):
        assert faults.count(kind) / 6000 == pytest.approx(0.1, abs=4 * 0.0039)


def test_fates_follow_the_seed() -> None:
    def fates(seed: int) -> list[object]:
        settings = SimulatorSettings(errors=0.5, jitter_ms=5.0, seed=seed)
        return [plan_reply(settings, number) for number in range(20)]

    assert fates(1) == fates(1)
    assert fates(1) != fates(2)


def test_jitter_is_exponential_above_the_latency() -> None:
    settings = SimulatorSettings(latency_ms=20.0, jitter_ms=10.0)

    waits = sorted(plan_reply(settings, number).wait_s for number in range(4000))

    assert waits[0] >= 0.02
    assert sum(waits) / 4000 == pytest.approx(0.03, abs=4 * 0.01 / 4000**0.5)
    assert waits[2000] == pytest.approx(0.02 + 0.01 * 0.693, abs=0.001)


def test_faults_come_at_the_shares_they_are_planted_with() -> None:
    settings = SimulatorSettings(faults=MIX, errors=0.3, seed=1)

    faults = [plan_reply(settings, number).fault for number in range(6000)]

    for kind in FAULTS:
        share = MIX.share(kind) + (0.1 if kind in ("rate_limited", "failed", "cut") else 0.0)
        assert faults.count(kind) / 6000 == pytest.approx(share, abs=4 * (share / 6000) ** 0.5)
    assert faults.count(None) / 6000 == pytest.approx(0.18, abs=0.02)


def test_shares_that_add_up_to_one_leave_no_answer() -> None:
    settings = SimulatorSettings(faults=Faults(failed=0.1, cut=0.2, stalled=0.3, malformed=0.4))

    assert all(plan_reply(settings, number).fault for number in range(1000))


def test_errors_keep_to_the_plain_forms_and_faults_take_turns() -> None:
    errors = SimulatorSettings(errors=1.0)
    faults = SimulatorSettings(faults=Faults(malformed=1.0))

    assert [plan_reply(errors, number).form for number in range(4)] == [0, 0, 0, 0]
    assert [plan_reply(faults, number).form for number in range(4)] == [0, 1, 2, 3]


def test_planting_more_faults_moves_no_delay() -> None:
    quiet = SimulatorSettings(jitter_ms=5.0)
    loud = SimulatorSettings(jitter_ms=5.0, faults=MIX, slow_share=0.0, slow_ms=9.0)

    for number in range(50):
        assert plan_reply(quiet, number).wait_s == plan_reply(loud, number).wait_s


@pytest.mark.parametrize(
    ("shape", "median", "p99"),
    [
        (JitterShape.exponential, math.log(2), math.log(100)),
        (JitterShape.lognormal, math.exp(-0.5), 6.21),
        (JitterShape.pareto, 2**0.5 - 1, 9.0),
    ],
)
def test_jitter_has_its_mean_and_the_tail_of_its_shape(
    shape: JitterShape, median: float, p99: float
) -> None:
    settings = SimulatorSettings(jitter_ms=1000.0, jitter_shape=shape)

    waits = sorted(plan_reply(settings, number).wait_s for number in range(10_000))

    assert sum(waits) / 10_000 == pytest.approx(1.0, rel=0.1)
    assert waits[5000] == pytest.approx(median, rel=0.05)
    assert waits[9900] == pytest.approx(p99, rel=0.15)
    assert 0.0 <= waits[0] <= waits[-1] <= 100.0


def test_the_share_that_is_slow_waits_for_so_much_longer() -> None:
    settings = SimulatorSettings(latency_ms=10.0, slow_share=0.1, slow_ms=5000.0)

    waits = [plan_reply(settings, number).wait_s for number in range(4000)]

    assert set(waits) == {0.01, 5.01}
    assert waits.count(5.01) / 4000 == pytest.approx(0.1, abs=4 * 0.0047)


def test_steady_endpoint_rolls_no_dice() -> None:
    assert plan_reply(SimulatorSettings(latency_ms=5.0), 7) == PlannedReply(wait_s=0.005)


def test_endpoint_dies_once_and_comes_back() -> None:
    life = Lifetime(after=2, for_s=30.0)

    assert [life.is_dead(float(call), call) for call in (1, 2)] == [False, False]
    assert [life.is_dead(now, 3) for now in (10.0, 39.9, 40.0, 500.0)] == [True, True, False, False]


def test_endpoint_without_a_time_to_come_back_stays_dead() -> None:
    life = Lifetime(after=0, for_s=None)

    assert life.is_dead(0.0, 1)
    assert life.is_dead(1e9, 2)


def test_death_takes_along_what_was_in_flight_and_nothing_later() -> None:
    life = Lifetime(after=2, for_s=30.0)

    assert not life.interrupted(1)
    life.is_dead(0.0, 3)
    assert [life.interrupted(arrival) for arrival in (0, 1, 2, 3)] == [True, True, False, False]


def test_shares_are_read_from_text() -> None:
    assert parse_faults("") == Faults()
    assert parse_faults("failed=0.05, cut = .5,") == Faults(failed=0.05, cut=0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("faild=0.1", "simulator.faults: unknown kind faild; did you mean failed?"),
        ("failed", "simulator.faults.failed must be a number, as in failed=0.05, got ''"),
        ("failed=x", "simulator.faults.failed must be a number, as in failed=0.05, got 'x'"),
        ("cut=0.1,cut=0.1", "simulator.faults names cut twice"),
    ],
)
def test_shares_that_cannot_be_read_are_named(text: str, message: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        parse_faults(text)

    assert str(caught.value) == message
