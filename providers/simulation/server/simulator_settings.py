"""Settings of a simulated endpoint, as ``hydrometer simulate`` takes them."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, get_args

import msgspec

from ...errors import SettingsInvalid
from ...options import suggest
from ..planting import Planting

PlantedFault = Literal["rate_limited", "failed", "cut", "stalled", "malformed"]

FAULTS: tuple[PlantedFault, ...] = get_args(PlantedFault)
_LEAST = {"latency_ms": 0, "jitter_ms": 0, "slow_ms": 0, "rpm": 1, "tpm": 1}
_LEAST |= {"retry_after_s": 0, "dead_after": 0, "dead_for_s": 0}
_ROUNDING = 1e-9  # ten shares of 0.1 do not add up to exactly 1


class JitterShape(StrEnum):
    """Distribution of the random part of the latency, from the shortest tail to the longest."""

    exponential = "exponential"
    lognormal = "lognormal"
    pareto = "pareto"


class DeadForm(StrEnum):
    """What a dead endpoint does: close the connection, or answer 503."""

    closed = "closed"
    unavailable = "503"


class Faults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The share of calls that end in each kind of fault."""

    rate_limited: float = 0.0
    failed: float = 0.0
    cut: float = 0.0
    stalled: float = 0.0
    malformed: float = 0.0

    def share(self, fault: PlantedFault) -> float:
        """Return the share of calls that end in *fault*."""
        share: float = getattr(self, fault)
        return share

    def total(self) -> float:
        """Return the share of calls that end in any fault."""
        return self.rate_limited + self.failed + self.cut + self.stalled + self.malformed


def parse_faults(text: str) -> Faults:
    """Return the shares in *text*, such as "failed=0.05,cut=0.01"; an empty text names none."""
    shares: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, _, written = (piece.strip() for piece in part.partition("="))
        if name not in FAULTS:
            raise SettingsInvalid(f"simulator.faults: unknown kind {name}; {suggest(name, FAULTS)}")
        if name in shares:
            raise SettingsInvalid(f"simulator.faults names {name} twice")
        try:
            shares[name] = float(written)
        except ValueError:
            raise SettingsInvalid(
                f"simulator.faults.{name} must be a number, as in {name}=0.05, got {written!r}"
            ) from None
    return Faults(**shares)


class SimulatorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a simulated endpoint.

    *seed* determines delays and faults, the seed of *planting* the answers. Every call waits for
    *latency_ms* and a random time of *jitter_ms* on average. *slow_share* of the calls wait for
    *slow_ms* more. *errors* is the share of calls that fail, in equal parts with a 429, a 500 and a
    connection closed in mid-reply. *faults* sets the share of each kind, in all of its forms. After
    *dead_after* calls the endpoint is dead, for *dead_for_s* or for good. *time_scale* is how many
    of its seconds pass in one of ours. All of its durations are in its own seconds.
    """

    host: str = "127.0.0.1"
    port: int = 0  # 0 takes a free one
    seed: int = 0
    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    jitter_shape: JitterShape = JitterShape.exponential
    slow_share: float = 0.0
    slow_ms: float = 0.0
    errors: float = 0.0
    faults: Faults = Faults()
    retry_after_s: float = 0.0  # Retry-After of a planted 429 or 503
    rpm: int | None = None
    tpm: int | None = None
    dead_after: int | None = None
    dead_for_s: float | None = None
    dead_as: DeadForm = DeadForm.closed
    time_scale: float = 1.0
    model_id: str = ""  # the model's name in replies, by default that of the call
    fingerprint: str = ""
    planting: Planting = Planting()

    def __post_init__(self) -> None:
        if self.host not in {"127.0.0.1", "::1"}:
            raise SettingsInvalid(
                f"simulator.host must be 127.0.0.1 or ::1, the loopback, got {self.host!r}"
            )
        if not 0 <= self.port <= 65535:
            raise SettingsInvalid(f"simulator.port must be between 0 and 65535, got {self.port}")
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and not least <= value < float("inf"):
                raise SettingsInvalid(f"simulator.{name} must be at least {least}, got {value}")
        if not 0.0 < self.time_scale < float("inf"):
            raise SettingsInvalid(f"simulator.time_scale must be above 0, got {self.time_scale}")
        if self.dead_for_s is not None and self.dead_after is None:
            raise SettingsInvalid("simulator.dead_for_s needs dead_after")
        self._check_shares()

    def _check_shares(self) -> None:
        shares = {"errors": self.errors, "slow_share": self.slow_share}
        shares |= {f"faults.{fault}": self.faults.share(fault) for fault in FAULTS}
        for name, share in shares.items():
            if not 0.0 <= share <= 1.0:
                raise SettingsInvalid(f"simulator.{name} must be between 0 and 1, got {share}")
        total = self.errors + self.faults.total()
        if total > 1.0 + _ROUNDING:
            raise SettingsInvalid(
                f"simulator.errors and faults must add up to at most 1, got {total:g}"
            )
