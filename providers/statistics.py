"""What a pool can tell of itself at any moment."""

from __future__ import annotations

import msgspec

from .limits.circuit_breaker import BreakerState


class EndpointStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts at one endpoint: all that were sent, those under way, queued, ended in an error."""

    name: str = ""  # empty for the address of a model that has one
    sent: int = 0
    in_flight: int = 0
    waiting: int = 0
    failed: int = 0
    limit: int = 0  # of attempts under way, at this moment
    cuts: int = 0  # how often a refusal halved it
    rate: int = 0  # attempts sent in the last minute
    held_s: float = 0.0  # for how long the endpoint has asked to be left alone from now
    breaker: BreakerState = "closed"


class PoolStatistics(msgspec.Struct, frozen=True, kw_only=True):
    """The state of one pool; what is counted is the sum over its endpoints."""

    endpoints: tuple[EndpointStatistics, ...]
    parked: int = 0  # calls that wait until any endpoint can send them

    @property
    def sent(self) -> int:
        """Attempts sent so far."""
        return sum(endpoint.sent for endpoint in self.endpoints)

    @property
    def in_flight(self) -> int:
        """Attempts under way."""
        return sum(endpoint.in_flight for endpoint in self.endpoints)

    @property
    def waiting(self) -> int:
        """Calls that wait for their turn, at one endpoint or at any."""
        return self.parked + sum(endpoint.waiting for endpoint in self.endpoints)

    @property
    def failed(self) -> int:
        """Attempts that ended in an error."""
        return sum(endpoint.failed for endpoint in self.endpoints)

    @property
    def rate(self) -> int:
        """Attempts sent in the last minute."""
        return sum(endpoint.rate for endpoint in self.endpoints)
