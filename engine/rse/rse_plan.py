"""RSE plan: everything that determines one response similarity evaluation."""

from __future__ import annotations

from typing import Literal

import msgspec

from ...strategies.similarity.similarity_types import Order, PromptSet, Weights
from ..errors import FileInvalid
from ..setup.models import PlannedModel, Role
from ..setup.plan import PLAN_VERSION


class RsePlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One response similarity evaluation of one target against one reference."""

    version: int = PLAN_VERSION
    kind: Literal["rse"] = "rse"
    target: PlannedModel
    reference: PlannedModel
    judge: PlannedModel
    rubric_version: str
    structured: bool  # the judge replies in JSON by a schema, instead of tags
    seed: int
    orders: tuple[Order, ...]
    judge_draws: int
    embedder: PlannedModel | None = None
    ceiling: bool  # the reference answers twice, and its two answers are compared
    weights: Weights
    sets: tuple[PromptSet, ...]

    @property
    def models(self) -> dict[Role, PlannedModel]:
        """The models by role."""
        roles = {"target": self.target, "reference": self.reference, "judge": self.judge}
        return roles if self.embedder is None else roles | {"embedder": self.embedder}

    @property
    def size(self) -> int:
        """The number of prompts in all sets."""
        return sum(len(prompts.prompts) for prompts in self.sets)


def check_rse_plan(plan: RsePlan, where: str) -> None:
    """Raise FileInvalid for a plan without prompts. *where* is the name of its file."""
    if not plan.size:
        raise FileInvalid(f"{where} has no prompts")
