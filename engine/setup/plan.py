"""The plan: everything that determines a result, texts included, and nothing else.

No address, key, limit, price, path or time is in it, so that the same plan can be run against
another endpoint of the same model, faster or slower, and give the same events.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

import msgspec

from ...strategies.similarity.similarity_types import Order, PromptSet, Weights
from ...strategies.types import Metric, Question, TargetFacts, Template, Vendor
from ..errors import FileInvalid
from .models import PlannedModel, Role

PLAN_VERSION = 2

Admit = Literal["successful", "all"]


class PlannedStrategy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One strategy: its name, the version of its words and rules, and all its settings."""

    name: str
    version: str
    settings: str = "{}"  # one canonical JSON object: a dict could still change


class PlannedJudge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who reads the responses; *name* is what scores call it."""

    name: str
    rules: PlannedStrategy
    metrics: tuple[Metric, ...]  # that the rules decide, the widest first; that one steers
    model: PlannedModel | None = None


class TreeSearch(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="mcts",
    tag_field="kind",
):
    """Mutants of chosen templates; those that *admit* lets in are mutated further."""

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
    """All seed templates as they are, in turn, until every question was asked in each."""


class RefineSearch(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag="refine",
    tag_field="kind",
):
    """Seed templates as they are, and rewritings of those that were answered, on feedback."""

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
    """No search: transcripts of somebody else's, of which *source* is a digest."""

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
    strict_vendors: tuple[str, ...]  # never the target's own
    vendors: tuple[Vendor, ...]
    questions: tuple[Question, ...]
    templates: tuple[Template, ...]

    @property
    def helper(self) -> PlannedModel | None:
        """The model that rewrites templates, if the search needs one."""
        return None if isinstance(self.search, (StaticSearch, Imported)) else self.search.helper

    @property
    def about(self) -> TargetFacts:
        """What a judge is told of the target."""
        return TargetFacts(
            fact=self.fact,
            own_vendor=self.target.vendor,
            vendors=self.vendors,
            strict_vendors=self.strict_vendors,
        )


class RsePlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One response similarity evaluation: of one target, against one reference."""

    version: int = PLAN_VERSION
    kind: Literal["rse"] = "rse"
    target: PlannedModel
    reference: PlannedModel
    judge: PlannedModel
    rubric_version: str
    structured: bool  # the judge is asked for JSON by schema, not for tags
    seed: int
    orders: tuple[Order, ...]
    judge_draws: int
    embedder: PlannedModel | None = None
    ceiling: bool  # the reference answers twice, and is compared with itself
    weights: Weights
    sets: tuple[PromptSet, ...]

    @property
    def prompts(self) -> int:
        """How many prompts there are in all sets."""
        return sum(len(prompts.prompts) for prompts in self.sets)


AnyPlan = IcePlan | RsePlan


class _Versioned(msgspec.Struct):
    version: int
    kind: Literal["ice", "rse"]


def planned_models(plan: AnyPlan) -> dict[Role, PlannedModel]:
    """Return who plays which role; not every search has a helper, not every judge is a model."""
    if isinstance(plan, RsePlan):
        compared: dict[Role, PlannedModel] = {
            "target": plan.target,
            "reference": plan.reference,
            "judge": plan.judge,
        }
        return compared if plan.embedder is None else compared | {"embedder": plan.embedder}
    roles: dict[Role, PlannedModel | None] = {
        "target": plan.target,
        "helper": plan.helper,
        "judge": plan.judge.model,
    }
    return {role: model for role, model in roles.items() if model is not None}


def encode_plan(plan: AnyPlan) -> bytes:
    """Return plan.json: readable, and the same bytes for the same plan."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=1) + b"\n"


def decode_plan(data: bytes, where: str) -> AnyPlan:
    """Return the plan in *data*; *where* names its file in the error."""
    try:
        head = msgspec.json.decode(data, type=_Versioned)
        if head.version != PLAN_VERSION:
            raise FileInvalid(f"{where} has plan version {head.version}, this is {PLAN_VERSION}")
        plan: AnyPlan
        if head.kind == "ice":
            plan = msgspec.json.decode(data, type=IcePlan)
        else:
            plan = msgspec.json.decode(data, type=RsePlan)
    except (msgspec.DecodeError, TypeError, ValueError) as error:
        raise FileInvalid(f"{where} is no plan of this version: {error}") from error
    if isinstance(plan, RsePlan):
        if not plan.prompts:
            raise FileInvalid(f"{where} has no prompts")
    elif not plan.questions or not plan.templates:
        raise FileInvalid(f"{where} has no questions or no templates")
    return plan


def plan_digest(plan: AnyPlan) -> str:
    """Return the name under which events refer to *plan*."""
    return blake2b(msgspec.json.encode(plan), digest_size=16).hexdigest()


def first_difference(recorded: AnyPlan, wanted: AnyPlan) -> str:
    """Return where two plans first differ, for a message: a setting and both values, short."""
    if recorded.kind != wanted.kind:
        return f"kind is {recorded.kind} there and {wanted.kind} here"
    path, theirs, ours = _leaf("", recorded, wanted)
    return f"{path} is {_short(theirs)} there and {_short(ours)} here"


def _leaf(path: str, recorded: object, wanted: object) -> tuple[str, object, object]:
    """Return the innermost setting in which two different structs differ, and both values."""
    if isinstance(recorded, msgspec.Struct) and type(recorded) is type(wanted):
        for name in recorded.__struct_fields__:
            theirs, ours = getattr(recorded, name), getattr(wanted, name)
            if theirs != ours:
                return _leaf(f"{path}.{name}" if path else name, theirs, ours)
    return path, recorded, wanted


def _short(value: object) -> str:
    if isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
        digest = blake2b(msgspec.json.encode(value), digest_size=4).hexdigest()
        return f"{len(value)} entries ({digest})"
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else f"{text[:77]}..."
