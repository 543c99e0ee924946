"""From the ``[rse]`` table to plans: one for each target, or for each pair of models."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Literal

import msgspec

from ...providers.settings import SamplingTable
from ...strategies.similarity.similarity_judge import RESPONSE_FORMAT, Similarity
from ...strategies.similarity.similarity_types import ORDERS, Order, PromptSet
from ..errors import ConfigInvalid
from ..setup.config import Config
from ..setup.models import PlannedModel
from ..setup.plan import AnyPlan, RsePlan
from ..setup.planning import find_model, plan_model, reject_duplicate_identities

ALL_PAIRS = "*"
MEAN = "mean"  # what scores call the mean over all sets


def build_rse_plans(
    config: Config, targets: Iterable[str], sets: tuple[PromptSet, ...]
) -> tuple[RsePlan, ...]:
    """Return a plan for each target against the reference, or for each pair when that is "*".

    A pair is planned once, with the later of the two as its reference: all measures but the
    judge's reading order are symmetric, and that is balanced. Raises ConfigInvalid.
    """
    rse = config.rse
    reject_duplicate_identities(config)
    if any(prompts.name == MEAN for prompts in sets):
        raise ConfigInvalid(
            f"rse.prompts: a set cannot be called {MEAN}, as the mean over all sets is; rename it"
        )
    names = tuple(dict.fromkeys(targets))
    if not rse.reference:
        raise ConfigInvalid('rse.reference is missing: name a model, or "*" for every pair')
    if rse.reference == ALL_PAIRS:
        if len(names) < 2:
            raise ConfigInvalid('rse.reference = "*" compares targets with each other: name two')
        if rse.sampling.reference != SamplingTable():
            raise ConfigInvalid('rse.sampling.reference has no meaning with reference = "*"')
        pairs = tuple(combinations(names, 2))
    else:
        if rse.reference in names:
            raise ConfigInvalid(
                f"rse.targets: {rse.reference} is also the reference, and would be compared with "
                "itself; rse.ceiling does that"
            )
        pairs = tuple((name, rse.reference) for name in names)
    plans = tuple(_build(config, target, reference, sets) for target, reference in pairs)
    for plan in plans:
        _refuse_one_model(plan)
    return plans


def judge_conflict(judge: PlannedModel, model: PlannedModel) -> Literal["", "model", "vendor"]:
    """Return what *judge* has in common with a *model* whose answers it grades, if anything.

    Vendors are told by their letters, however large those are written.
    """
    if judge.identity == model.identity:
        return "model"
    same = judge.vendor.casefold() == model.vendor.casefold()
    return "vendor" if judge.vendor and same else ""


def prompts_changed(recorded: AnyPlan, wanted: AnyPlan) -> str:
    """Return in words how two comparisons differ, if it is in their prompts alone."""
    if not (isinstance(recorded, RsePlan) and isinstance(wanted, RsePlan)):
        return ""
    if recorded == wanted or msgspec.structs.replace(recorded, sets=wanted.sets) != wanted:
        return ""
    theirs, ours = ([prompts.name for prompts in plan.sets] for plan in (recorded, wanted))
    if theirs != ours:
        return f"rse.prompts names {', '.join(theirs)} there and {', '.join(ours)} here"
    there, here = next(
        both for both in zip(recorded.sets, wanted.sets, strict=True) if both[0] != both[1]
    )
    was, now = len(there.prompts), len(here.prompts)
    how = "as many here, but others" if was == now else f"{now} here"
    return f"the set {here.name} of rse.prompts has changed: {was} prompts there, {how}"


def _build(config: Config, target: str, reference: str, sets: tuple[PromptSet, ...]) -> RsePlan:
    rse = config.rse
    everybody = rse.reference == ALL_PAIRS  # then a model must answer alike in either role
    judge = _model(config, rse.judge, "rse.judge", rse.sampling.judge)
    if rse.structured:
        judge = _structured(judge)
    orders: tuple[Order, ...] = ORDERS if rse.orders == "both" else ("reference-first",)
    as_reference = rse.sampling.target if everybody else rse.sampling.reference
    return RsePlan(
        target=_model(config, target, "rse.targets", rse.sampling.target),
        reference=_model(config, reference, "rse.reference", as_reference),
        judge=judge,
        rubric_version=Similarity.version,
        structured=rse.structured,
        seed=config.run.seed,
        orders=orders,
        judge_draws=rse.judge_draws,
        embedder=_embedder(config),
        ceiling=rse.ceiling,
        weights=rse.weights,
        sets=sets,
    )


def _refuse_one_model(plan: RsePlan) -> None:
    """Raise when both sides would send the same requests, and so be given the same answers."""
    renamed = msgspec.structs.replace(
        plan.target, name=plan.reference.name, vendor=plan.reference.vendor
    )
    if renamed == plan.reference:
        raise ConfigInvalid(
            f"rse: models.{plan.target.name} and models.{plan.reference.name} are one model with "
            "one sampling, and would be compared with itself; rse.ceiling does that"
        )


def _model(config: Config, name: str, path: str, override: SamplingTable) -> PlannedModel:
    return plan_model(name, find_model(config, name, path), override, None)


def _embedder(config: Config) -> PlannedModel | None:
    name = config.rse.embeddings
    if not name:
        return None
    planned = _model(config, name, "rse.embeddings", SamplingTable())
    if planned.mode != "embedding":
        raise ConfigInvalid(f'rse.embeddings: models.{name}.mode must be "embedding"')
    return planned


def _structured(judge: PlannedModel) -> PlannedModel:
    """Return *judge* with the schema of its replies in its requests, beside what is there."""
    extra = msgspec.json.decode(judge.sampling.extra, type=dict[str, object])
    extra["response_format"] = msgspec.json.decode(RESPONSE_FORMAT)
    written = msgspec.json.encode(extra, order="deterministic").decode()
    sampling = msgspec.structs.replace(judge.sampling, extra=written)
    return msgspec.structs.replace(judge, sampling=sampling)
