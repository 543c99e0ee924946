"""Pool text: the state of pools and endpoints, for SIGUSR1 and for the progress lines."""

from __future__ import annotations

from collections.abc import Mapping

from ....providers.statistics import EndpointStatistics, PoolStatistics


def state_lines(pools: Mapping[str, PoolStatistics]) -> list[str]:
    """Return a line for every endpoint of every pool, and one for calls that any may take."""
    lines = []
    for name, pool in sorted(pools.items()):
        lines += [_line(name, endpoint) for endpoint in pool.endpoints]
        if pool.queued:
            lines.append(f"{name}: {pool.queued} waiting for any endpoint")
    return lines


def short_facts(pools: Mapping[str, PoolStatistics]) -> list[str]:
    """Return the load of all pools in a few words, and what slows them down."""
    if not pools:
        return []
    in_flight = sum(pool.in_flight for pool in pools.values())
    facts = [f"in flight {in_flight}", f"{sum(pool.rate for pool in pools.values())}/min"]
    if waiting := sum(pool.waiting for pool in pools.values()):
        facts.append(f"waiting {waiting}")
    endpoints = [
        (_name(name, endpoint), endpoint)
        for name, pool in sorted(pools.items())
        for endpoint in pool.endpoints
    ]
    for name, endpoint in endpoints:
        if endpoint.breaker != "closed":
            facts.append(f"{name} {endpoint.breaker}")
        if endpoint.cooldown_s >= 1:
            facts.append(f"{name} cooldown {endpoint.cooldown_s:.0f} s")
    if decreases := sum(endpoint.decreases for _, endpoint in endpoints):
        facts.append(f"slots halved {_times(decreases)}")
    return facts


def _line(pool: str, endpoint: EndpointStatistics) -> str:
    cooldown = f", cooldown {endpoint.cooldown_s:.1f} s" if endpoint.cooldown_s else ""
    return (
        f"{_name(pool, endpoint)}: {endpoint.in_flight} of {endpoint.limit} in flight, "
        f"{endpoint.waiting} waiting, {endpoint.rate} in the last minute, {endpoint.sent} sent, "
        f"{endpoint.failed} failed, slots halved {_times(endpoint.decreases)}, "
        f"breaker {endpoint.breaker}{cooldown}"
    )


def _times(number: int) -> str:
    return "1 time" if number == 1 else f"{number} times"


def _name(pool: str, endpoint: EndpointStatistics) -> str:
    return f"{pool}/{endpoint.name}" if endpoint.name else pool
