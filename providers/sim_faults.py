"""What a simulated endpoint does to a call beside answering it: delay, fail, refuse for quota.

Both decisions are arithmetic: a call's fate follows from the seed and its number of arrival, and
a quota from the times it is shown.
"""

from __future__ import annotations

from collections import deque
from math import log
from typing import Literal

import msgspec

from .errors import SettingsInvalid
from .settings import Planting
from .sim_text import Dice

Fault = Literal["rate_limited", "failed", "cut"]

_FAULTS: tuple[Fault, ...] = ("rate_limited", "failed", "cut")
_SPAN_S = 60.0


class SimulatorSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a simulated endpoint is like.

    *seed* shapes delays and faults, the seed of *planting* the answers. Every call waits for
    *latency_ms* and an exponentially distributed time of *jitter_ms* on average. *errors* is the
    share of calls that fail, in equal parts as a 429, a 500 and a connection cut in mid-reply.
    """

    host: str = "127.0.0.1"
    port: int = 0  # 0 takes a free one
    seed: int = 0
    latency_ms: float = 0.0
    jitter_ms: float = 0.0
    errors: float = 0.0
    rpm: int | None = None
    tpm: int | None = None
    planting: Planting = Planting()

    def __post_init__(self) -> None:
        if self.host not in {"127.0.0.1", "::1"}:
            raise SettingsInvalid(
                f"simulator.host must be 127.0.0.1 or ::1, the loopback, got {self.host!r}"
            )
        if not 0 <= self.port <= 65535:
            raise SettingsInvalid(f"simulator.port must be between 0 and 65535, got {self.port}")
        for name, least in (("latency_ms", 0), ("jitter_ms", 0), ("rpm", 1), ("tpm", 1)):
            value = getattr(self, name)
            if value is not None and not value >= least:
                raise SettingsInvalid(f"simulator.{name} must be at least {least}, got {value}")
        if not 0.0 <= self.errors <= 1.0:
            raise SettingsInvalid(f"simulator.errors must be between 0 and 1, got {self.errors}")


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """What happens to one call."""

    wait_s: float = 0.0
    fault: Fault | None = None


def fate_of(settings: SimulatorSettings, arrival: int) -> Fate:
    """Return the fate of the call that came *arrival*-th."""
    if not settings.errors and not settings.jitter_ms:
        return Fate(wait_s=settings.latency_ms / 1000)
    dice = Dice(str(settings.seed), "arrival", str(arrival))
    wait_ms = settings.latency_ms - settings.jitter_ms * log(1.0 - dice.uniform("jitter"))
    fails = dice.uniform("error") < settings.errors
    fault = _FAULTS[dice.below("fault", len(_FAULTS))] if fails else None
    return Fate(wait_s=wait_ms / 1000, fault=fault)


class Quota:
    """Calls and tokens of the last 60 seconds, against what a minute may have.

    A sliding window: no minute, wherever it starts, holds more. A call that is refused uses
    nothing up. One that is larger than a minute's tokens is refused for ever.
    """

    def __init__(self, *, rpm: int | None, tpm: int | None) -> None:
        self._rpm = rpm
        self._tpm = tpm
        self._taken: deque[tuple[float, int]] = deque()
        self._tokens = 0

    def admit(self, now: float, tokens: int) -> float:
        """Return 0 and count a call of *tokens*, or the seconds until it might be admitted."""
        if self._rpm is None and self._tpm is None:
            return 0.0
        self._forget(now)
        wait_s = max(self._wait_for_calls(now), self._wait_for_tokens(now, tokens))
        if wait_s <= 0.0:
            self._taken.append((now, tokens))
            self._tokens += tokens
        return wait_s

    def headers(self, now: float) -> dict[str, str]:
        """Return what is left as the headers that OpenAI-compatible endpoints send."""
        self._forget(now)
        reset_s = self._taken[0][0] + _SPAN_S - now if self._taken else 0.0
        found: dict[str, str] = {}
        for kind, limit, used in (
            ("requests", self._rpm, len(self._taken)),
            ("tokens", self._tpm, self._tokens),
        ):
            if limit is not None:
                found[f"x-ratelimit-limit-{kind}"] = str(limit)
                found[f"x-ratelimit-remaining-{kind}"] = str(limit - used)
                found[f"x-ratelimit-reset-{kind}"] = f"{reset_s:.3f}s"
        return found

    def _forget(self, now: float) -> None:
        while self._taken and self._taken[0][0] <= now - _SPAN_S:
            self._tokens -= self._taken.popleft()[1]

    def _wait_for_calls(self, now: float) -> float:
        if self._rpm is None or len(self._taken) < self._rpm:
            return 0.0
        return self._taken[0][0] + _SPAN_S - now

    def _wait_for_tokens(self, now: float, tokens: int) -> float:
        if self._tpm is None:
            return 0.0
        over = self._tokens + tokens - self._tpm
        wait_s = 0.0
        for then, used in self._taken:  # the oldest leave the window first
            if over <= 0:
                break
            over -= used
            wait_s = then + _SPAN_S - now
        return wait_s if over <= 0 else _SPAN_S
