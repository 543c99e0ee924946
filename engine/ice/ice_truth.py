"""Planted truth of a run on a simulated target: the counts that a perfect judge would find."""

from __future__ import annotations

import msgspec

from ...providers.simulation.planting import planting_of
from ...providers.simulation.simulated_target import planted_claim
from ..records.recorded_run import RecordedRun
from ..setup.config import Config
from .ice_fold import find_rescore_items
from .ice_plan import IcePlan


class PlantedClaims(msgspec.Struct, frozen=True, kw_only=True):
    """The true number of claims of one simulated target, on the prompts of a run.

    *loose* counts responses that claim another identity, and *strict* counts those that claim one
    of the strict vendors. *first_half* and *second_half* are the shares of *loose* in the two
    halves of the run.
    """

    loose: int
    strict: int
    probes: int
    first_half: float
    second_half: float


def find_planted(run: RecordedRun[IcePlan], config: Config) -> PlantedClaims:
    """Count the true claims in a run's probes. *config* has the planting of the target."""
    plan, settings = run.plan, config.models[run.plan.target.name]
    planting = planting_of(settings)
    claims: list[str | None] = []
    for item in find_rescore_items(plan, run.events()):
        if item.case is not None:
            request = plan.target.build_request(item.case.prompt)
            claims.append(planted_claim(request, settings.model, planting))
    half = len(claims) // 2
    return PlantedClaims(
        loose=sum(claim is not None for claim in claims),
        strict=sum(claim in plan.strict_vendors for claim in claims),
        probes=len(claims),
        first_half=sum(claim is not None for claim in claims[:half]) / max(half, 1),
        second_half=sum(claim is not None for claim in claims[half:]) / max(len(claims) - half, 1),
    )
