"""ICE plan: everything that determines one identity consistency evaluation of one target."""

from __future__ import annotations

from typing import Literal

import msgspec

from ...strategies.types import Question, TargetFacts, Template, Vendor
from ..errors import FileInvalid
from ..setup.models import PlannedModel, Role
from ..setup.plan import PLAN_VERSION, PlannedJudge, PlannedStrategy

Admit = Literal["successful", "all"]


class TreeSearch(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="mcts",
    tag_field="kind",
):
    """Probes mutants of chosen templates. The mutants that *admit* allows join the tree."""

    helper: PlannedModel
    selector: PlannedStrategy
    mutators: tuple[PlannedStrategy, ...]
    admit: Admit


class StaticSearch(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="static",
    tag_field="kind",
):
    """Probes all seed templates unchanged, in turn, until each was probed with every question."""


class RefineSearch(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="refine",
    tag_field="kind",
):
    """Probes seed templates unchanged, then rewrites them with the answers as feedback."""

    helper: PlannedModel
    selector: PlannedStrategy
    rewriting_version: str
    admit: Admit


class Imported(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="imported",
    tag_field="kind",
):
    """No search: the run was imported from published transcripts. *source* is their digest."""

    source: str


SearchSettings = TreeSearch | StaticSearch | RefineSearch | Imported


class IcePlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One identity consistency evaluation of one target."""

    version: int = PLAN_VERSION
    kind: Literal["ice"] = "ice"
    target: PlannedModel
    judge: PlannedJudge
    fact: str
    seed: int
    window: int
    probes: int
    questions_per_visit: int
    search: SearchSettings
    strict_vendors: tuple[str, ...]  # without the target's own vendor
    vendors: tuple[Vendor, ...]
    questions: tuple[Question, ...]
    templates: tuple[Template, ...]

    @property
    def helper(self) -> PlannedModel | None:
        """The model that rewrites templates, if the search needs one."""
        return None if isinstance(self.search, (StaticSearch, Imported)) else self.search.helper

    @property
    def about(self) -> TargetFacts:
        """The facts about the target that a judge may use."""
        return TargetFacts(
            fact=self.fact,
            own_vendor=self.target.vendor,
            vendors=self.vendors,
            strict_vendors=self.strict_vendors,
        )

    @property
    def models(self) -> dict[Role, PlannedModel]:
        """The models by role. Some searches have no helper, and some judges no model."""
        roles = {"target": self.target, "helper": self.helper, "judge": self.judge.model}
        return {role: model for role, model in roles.items() if model is not None}

    @property
    def size(self) -> int:
        """The maximum number of probes of the run."""
        return self.probes


def check_ice_plan(plan: IcePlan, where: str) -> None:
    """Raise FileInvalid for a plan without questions or templates. *where* is its file's name."""
    if not plan.questions or not plan.templates:
        raise FileInvalid(f"{where} has no questions or no templates")
