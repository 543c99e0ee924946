"""Planted faults and delays of a simulated endpoint: which calls it delays or fails, and when.

All of this is arithmetic. The delay and fault of a call follow from the seed and the call's number
of arrival. Whether the endpoint is dead follows from the times that the caller passes in.
"""

from __future__ import annotations

from math import exp, log
from statistics import NormalDist

import msgspec

from ..draws import Dice
from .simulator_settings import FAULTS, JitterShape, PlantedFault, SimulatorSettings

_ERRORS: tuple[PlantedFault, ...] = ("rate_limited", "failed", "cut")
_LONGEST = 100.0  # in mean jitters: bound of the long tails
_NORMAL = NormalDist()
_SMALLEST = 2.0**-54  # the quantile of 0 is minus infinity


class PlannedReply(msgspec.Struct, frozen=True, kw_only=True):
    """The plan for one call: a delay, then a fault in one of its forms, or an answer."""

    wait_s: float = 0.0
    fault: PlantedFault | None = None
    form: int = 0


def plan_reply(settings: SimulatorSettings, arrival: int) -> PlannedReply:
    """Return the plan for call number *arrival*."""
    shares = settings.errors + settings.faults.total()
    if not shares and not settings.jitter_ms and not settings.slow_share:
        return PlannedReply(wait_s=settings.latency_ms / 1000)
    dice = Dice(str(settings.seed), "arrival", str(arrival))
    wait_ms = settings.latency_ms
    if settings.jitter_ms:
        wait_ms += settings.jitter_ms * _jitter(settings.jitter_shape, dice.uniform("jitter"))
    if settings.slow_share and dice.uniform("slow") < settings.slow_share:
        wait_ms += settings.slow_ms
    roll = dice.uniform("error") if shares else 1.0
    if roll < settings.errors:
        return PlannedReply(wait_s=wait_ms / 1000, fault=_ERRORS[dice.below("fault", len(_ERRORS))])
    return PlannedReply(wait_s=wait_ms / 1000, fault=_planted(settings, roll), form=arrival)


def _planted(settings: SimulatorSettings, roll: float) -> PlantedFault | None:
    edge = settings.errors
    for fault in FAULTS:
        edge += settings.faults.share(fault)
        if roll < edge:
            return fault
    return None


def _jitter(shape: JitterShape, roll: float) -> float:
    """Return the *roll* quantile of a distribution with mean 1, slightly less through its bound.

    The 99th percentiles are 4.6, 6.2 and 9. One call in ten thousand waits for 9, 25 and 99.
    """
    match shape:
        case JitterShape.exponential:
            drawn = -log(1.0 - roll)
        case JitterShape.lognormal:  # sigma 1
            drawn = exp(_NORMAL.inv_cdf(max(roll, _SMALLEST)) - 0.5)
        case JitterShape.pareto:  # type II, alpha 2: starts at 0
            drawn = (1.0 - roll) ** -0.5 - 1.0
    return min(drawn, _LONGEST)


class Lifetime:
    """The endpoint's outage: for *for_s* seconds, from the first call after *after* calls."""

    def __init__(self, *, after: int | None, for_s: float | None) -> None:
        self._after = after
        self._for_s = for_s
        self._died_s: float | None = None

    def is_dead(self, now: float, calls: int) -> bool:
        """Return whether the endpoint is dead at *now*, after *calls* calls."""
        if self._after is None or calls <= self._after:
            return False
        if self._died_s is None:
            self._died_s = now
        return self._for_s is None or now - self._died_s < self._for_s

    def interrupted(self, arrival: int) -> bool:
        """Return whether call number *arrival*, not yet answered, was in flight at its death.

        All calls that arrived before the death arrived at a working endpoint.
        """
        return self._died_s is not None and self._after is not None and arrival < self._after
