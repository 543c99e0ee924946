from __future__ import annotations

from hydrometer.providers.statistics import EndpointStatistics, PoolStatistics
from hydrometer.report.terminal.live.pool_text import short_facts, state_lines

EAST = EndpointStatistics(
    name="east", sent=40, in_flight=3, waiting=2, failed=5, limit=8, decreases=1, rate=30
)
WEST = EndpointStatistics(name="west", sent=9, limit=8, rate=9, cooldown_s=4.0, breaker="open")
POOLS = {"qwen": PoolStatistics(endpoints=(EAST, WEST), queued=1)}


def test_the_live_line_tells_the_load_and_what_is_not_as_it_should_be() -> None:
    assert short_facts(POOLS) == [
        *("in flight 3", "39/min", "waiting 3", "qwen/west open", "qwen/west cooldown 4 s"),
        "slots halved 1 time",
    ]


def test_without_pools_there_is_nothing_to_say() -> None:
    assert short_facts({}) == []
    assert state_lines({}) == []


def test_the_state_has_a_line_for_every_endpoint_and_one_for_the_line_before_them() -> None:
    assert state_lines(POOLS) == [
        "qwen/east: 3 of 8 in flight, 2 waiting, 30 in the last minute, 40 sent, 5 failed, "
        "slots halved 1 time, breaker closed",
        "qwen/west: 0 of 8 in flight, 0 waiting, 9 in the last minute, 9 sent, 0 failed, "
        "slots halved 0 times, breaker open, cooldown 4.0 s",
        "qwen: 1 waiting for any endpoint",
    ]
