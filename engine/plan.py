"""The plan: everything that determines a result, texts included, and nothing else.

No address, key, limit, price, path or time is in it, so that the same plan can be run against
another endpoint of the same model, faster or slower, and give the same events.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

import msgspec

from ..strategies.baselines import RandomChoice, RoundRobin
from ..strategies.mcts import MctsExplore
from ..strategies.mutation import Mutator, MutatorName
from ..strategies.types import Question, Template, Vendor
from .errors import FileInvalid
from .models import PlannedModel

PLAN_VERSION = 1

Admit = Literal["successful", "all"]
SelectorSettings = MctsExplore | RoundRobin | RandomChoice


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One identity consistency evaluation of one target."""

    version: int = PLAN_VERSION
    kind: Literal["ice"] = "ice"
    target: PlannedModel
    helper: PlannedModel
    judge: PlannedModel | None  # None: the lexical judge
    judge_version: str  # of the judge's prompts or rules
    mutation_version: str
    fact: str
    seed: int
    window: int
    probes: int
    questions_per_visit: int
    search: Literal["mcts"] = "mcts"
    selector: SelectorSettings
    mutators: tuple[MutatorName, ...]
    admit: Admit
    strict_vendors: tuple[str, ...]  # never the target's own
    vendors: tuple[Vendor, ...]
    questions: tuple[Question, ...]
    templates: tuple[Template, ...]

    @property
    def judge_name(self) -> str:
        """The judge as scores name it."""
        return "lexical" if self.judge is None else self.judge.name

    @property
    def build_mutators(self) -> tuple[Mutator, ...]:
        """The mutators themselves."""
        return tuple(Mutator(name=name) for name in self.mutators)


def encode_plan(plan: Plan) -> bytes:
    """Return plan.json: readable, and the same bytes for the same plan."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=1) + b"\n"


def decode_plan(data: bytes, where: str) -> Plan:
    """Return the plan in *data*; *where* names its file in the error."""
    try:
        plan = msgspec.json.decode(data, type=Plan)
    except (msgspec.DecodeError, TypeError, ValueError) as error:
        raise FileInvalid(f"{where} is no plan of this version: {error}") from error
    if not plan.questions or not plan.templates:
        raise FileInvalid(f"{where} has no questions or no templates")
    if plan.version != PLAN_VERSION:
        raise FileInvalid(f"{where} has plan version {plan.version}, this is {PLAN_VERSION}")
    return plan


def plan_digest(plan: Plan) -> str:
    """Return the name under which events refer to *plan*."""
    return blake2b(msgspec.json.encode(plan), digest_size=16).hexdigest()


def first_difference(recorded: Plan, wanted: Plan) -> str:
    """Return where two plans first differ, for a message: a setting and both values, short."""
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
