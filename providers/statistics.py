"""State of a pool and of its endpoints at one moment, as values."""

from __future__ import annotations

import msgspec

from .limits.circuit_breaker import BreakerState


class EndpointStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of attempts at one endpoint, and the limits in force.

    The JSON keys differ from two names: recorded timings have them.
    """

    name: str = ""  # empty where the model has one address
    sent: int = 0
    in_flight: int = 0
    waiting: int = 0
    failed: int = 0
    limit: int = 0  # attempts that may be in flight at this moment
    decreases: int = msgspec.field(name="cuts", default=0)  # times that a refusal halved *limit*
    rate: int = 0  # attempts sent in the last minute
    cooldown_s: float = msgspec.field(name="held_s", default=0.0)  # left of what Retry-After asked
    breaker: BreakerState = "closed"


class PoolStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one pool. Counts are sums over its endpoints."""

    endpoints: tuple[EndpointStatistics, ...]
    queued: int = msgspec.field(name="parked", default=0)  # calls that any endpoint may take

    @property
    def sent(self) -> int:
        """Attempts sent so far."""
        return sum(endpoint.sent for endpoint in self.endpoints)

    @property
    def in_flight(self) -> int:
        """Attempts in flight."""
        return sum(endpoint.in_flight for endpoint in self.endpoints)

    @property
    def waiting(self) -> int:
        """Calls that wait to be sent, to one endpoint or to any."""
        return self.queued + sum(endpoint.waiting for endpoint in self.endpoints)

    @property
    def failed(self) -> int:
        """Attempts that ended in an error."""
        return sum(endpoint.failed for endpoint in self.endpoints)

    @property
    def rate(self) -> int:
        """Attempts sent in the last minute."""
        return sum(endpoint.rate for endpoint in self.endpoints)
