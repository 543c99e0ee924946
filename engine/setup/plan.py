"""Plans: the fields that all kinds of plan share, and the format of plan.json.

A plan contains everything that determines a result, including all texts, and nothing else. It
contains no address, key, limit, price, path or time. So the same plan gives the same events on
another endpoint of the same model, whether that endpoint is faster or slower.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Protocol, cast

import msgspec

from ...strategies.types import Metric
from ..errors import FileInvalid
from .models import PlannedModel, Role

if TYPE_CHECKING:
    from ..measurement import Measurements

PLAN_VERSION = 2


class Plan(Protocol):
    """The fields of every plan. Each measurement adds its own. A plan is a msgspec Struct."""

    @property
    def version(self) -> int:
        """The version of the plan format: PLAN_VERSION."""
        ...

    @property
    def kind(self) -> str:
        """The kind of the measurement."""
        ...

    @property
    def target(self) -> PlannedModel:
        """The model that is measured."""
        ...

    @property
    def seed(self) -> int:
        """The seed of all random streams."""
        ...

    @property
    def models(self) -> Mapping[Role, PlannedModel]:
        """The model of each role. A role without a model is left out."""
        ...

    @property
    def size(self) -> int:
        """The number of units (probes or prompts) that the whole run measures."""
        ...


class PlannedStrategy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One strategy: its name, the version of its prompts and rules, and all its settings."""

    name: str
    version: str
    settings: str = "{}"  # one canonical JSON object; a dict would be mutable


class PlannedJudge(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The judge of a run. *name* is its name in scores."""

    name: str
    rules: PlannedStrategy
    metrics: tuple[Metric, ...]  # metrics of its verdicts, broadest first; the first is the reward
    model: PlannedModel | None = None


class _PlanHead(msgspec.Struct):
    version: int
    kind: str


def encode_plan(plan: Plan) -> bytes:
    """Return the content of plan.json, indented. Equal plans give equal bytes."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=1) + b"\n"


def decode_plan(data: bytes, where: str, measurements: Measurements) -> Plan:
    """Return the plan in *data*. *where* is the name of its file in error messages.

    Raises FileInvalid, also for a kind that is not among *measurements*.
    """
    try:
        head = msgspec.json.decode(data, type=_PlanHead)
        if head.version != PLAN_VERSION:
            raise FileInvalid(f"{where} has plan version {head.version}, this is {PLAN_VERSION}")
        measurement = measurements.named(head.kind, where)
        plan = msgspec.json.decode(data, type=measurement.plan)
    except (msgspec.DecodeError, TypeError, ValueError) as error:
        raise FileInvalid(f"{where} is not a plan of this version: {error}") from error
    measurement.check_plan(plan, where)
    return cast(Plan, plan)


def plan_digest(plan: Plan) -> str:
    """Return the digest by which events refer to *plan*."""
    return blake2b(msgspec.json.encode(plan), digest_size=16).hexdigest()


def first_difference(recorded: Plan, wanted: Plan) -> str:
    """Return the first difference of two plans, for a message: a setting and both values."""
    if recorded.kind != wanted.kind:
        return f"kind is {recorded.kind} there and {wanted.kind} here"
    return describe_difference("", recorded, wanted)


def describe_difference(path: str, recorded: object, wanted: object) -> str:
    """Return the first difference of two values at *path*: a setting and both values, shortened."""
    path, there, here = _first_differing_field(path, recorded, wanted)
    return f"{path} is {_short(there)} there and {_short(here)} here"


def _first_differing_field(
    path: str, recorded: object, wanted: object
) -> tuple[str, object, object]:
    """Return the path of the first field in which two structs differ, and both values.

    Nested structs are searched too, so the path leads to the innermost field.
    """
    if isinstance(recorded, msgspec.Struct) and type(recorded) is type(wanted):
        for name in recorded.__struct_fields__:
            there, here = getattr(recorded, name), getattr(wanted, name)
            if there != here:
                return _first_differing_field(f"{path}.{name}" if path else name, there, here)
    return path, recorded, wanted


def _short(value: object) -> str:
    if isinstance(value, tuple) and value and isinstance(value[0], msgspec.Struct):
        digest = blake2b(msgspec.json.encode(value), digest_size=4).hexdigest()
        return f"{len(value)} entries ({digest})"
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 80 else f"{text[:77]}..."
