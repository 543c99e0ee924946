"""What is said of the pools of a run: to who asks, and in the live line."""

from __future__ import annotations

from collections.abc import Mapping

from ...providers.statistics import EndpointStatistics, PoolStatistics


def state_lines(pools: Mapping[str, PoolStatistics]) -> list[str]:
    """Return the state of every endpoint of every pool, a line each, and who waits for any."""
    lines = []
    for name, pool in sorted(pools.items()):
        lines += [_line(name, endpoint) for endpoint in pool.endpoints]
        if pool.queued:
            lines.append(f"{name}: {pool.queued} waiting for whichever endpoint can send first")
    return lines


def short_facts(pools: Mapping[str, PoolStatistics]) -> list[str]:
    """Return what a live line has room for: the load, and what is not as it should be."""
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
            facts.append(f"{name} held {endpoint.cooldown_s:.0f} s")
    if cuts := sum(endpoint.decreases for _, endpoint in endpoints):
        facts.append(f"slots cut {cuts} times")
    return facts


def _line(pool: str, endpoint: EndpointStatistics) -> str:
    held = f", held for {endpoint.cooldown_s:.1f} s" if endpoint.cooldown_s else ""
    return (
        f"{_name(pool, endpoint)}: {endpoint.in_flight} of {endpoint.limit} under way, "
        f"{endpoint.waiting} waiting, {endpoint.rate} in the last minute, {endpoint.sent} sent, "
        f"{endpoint.failed} failed, {endpoint.decreases} cuts, breaker {endpoint.breaker}{held}"
    )


def _name(pool: str, endpoint: EndpointStatistics) -> str:
    return f"{pool}/{endpoint.name}" if endpoint.name else pool
