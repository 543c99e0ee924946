"""RSE planning: turns the ``[rse]`` table into a plan for each target or each pair of models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations
from typing import Literal

import msgspec

from ...providers.settings import SamplingTable
from ...strategies.similarity.similarity_judge import RESPONSE_FORMAT, Similarity
from ...strategies.similarity.similarity_types import ORDERS, Order, PromptSet
from ..errors import ConfigInvalid, InputInvalid
from ..measurement import NamedPlan, PlanRequest
from ..setup.config import Config
from ..setup.models import PlannedModel
from ..setup.planning import find_model, plan_model, reject_duplicate_identities
from .prompt_loading import load_prompts
from .rse_config import RseTable
from .rse_plan import RsePlan

ALL_PAIRS = "*"
MEAN = "mean"  # the name in scores of the mean over all sets
AGAINST = "--"  # separates the two model names in the name of a pair's run directory


def build_rse_plans(request: PlanRequest) -> tuple[NamedPlan[RsePlan], ...]:
    """Return the plans of the ``[rse]`` table. Raises InputInvalid.

    ``request.say`` receives remarks on irregular prompts, and on a judge that is related to a
    model whose answers it grades.
    """
    config = request.config
    rse = config.table(RseTable)
    targets = request.targets or rse.targets
    if not targets:
        raise InputInvalid("rse.targets is empty: name a model to compare, or give --target")
    loaded = load_prompts(config, request.folder)
    for found in loaded:
        for note in found.notes():
            request.say(f"prompts {found.prompts.name}: {note}")
    plans = plan_pairs(config, targets, tuple(found.prompts for found in loaded))
    all_pairs = rse.reference == ALL_PAIRS
    named = tuple(
        NamedPlan(
            name=f"{plan.target.name}{AGAINST}{plan.reference.name}"
            if all_pairs
            else plan.target.name,
            plan=plan,
        )
        for plan in plans
    )
    counts = Counter(run.name for run in named)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise InputInvalid(f"rse.targets: two pairs would be called {twice[0]}; rename a model")
    for remark in _judge_conflicts(plans, all_pairs=all_pairs):
        request.say(remark)
    return named


def plan_pairs(
    config: Config, targets: Iterable[str], sets: tuple[PromptSet, ...]
) -> tuple[RsePlan, ...]:
    """Return a plan for each target against the reference, or for each pair if that is "*".

    A pair is planned only once, with the later model as its reference. That is enough, because all
    measures are symmetric, except for the order in which the judge reads the answers. By default
    the judge reads them in both orders. Raises ConfigInvalid.
    """
    rse = config.table(RseTable)
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
        _reject_identical_sides(plan)
    return plans


def judge_conflict(judge: PlannedModel, model: PlannedModel) -> Literal["", "model", "vendor"]:
    """Return whether *judge* is the same model as *model*, or only from the same vendor.

    A judge may prefer the answers of such a model. Vendor names are compared without case.
    """
    if judge.identity == model.identity:
        return "model"
    same = judge.vendor.casefold() == model.vendor.casefold()
    return "vendor" if judge.vendor and same else ""


def prompts_changed(recorded: RsePlan, wanted: RsePlan) -> str:
    """Return how the prompts of two plans differ, for a message.

    Returns "" if the plans are equal, or differ in other settings too.
    """
    if recorded == wanted or msgspec.structs.replace(recorded, sets=wanted.sets) != wanted:
        return ""
    names_there, names_here = ([p.name for p in plan.sets] for plan in (recorded, wanted))
    if names_there != names_here:
        return f"rse.prompts names {', '.join(names_there)} there and {', '.join(names_here)} here"
    there, here = next(
        both for both in zip(recorded.sets, wanted.sets, strict=True) if both[0] != both[1]
    )
    was, now = len(there.prompts), len(here.prompts)
    how = "as many here, but others" if was == now else f"{now} here"
    return f"the set {here.name} of rse.prompts has changed: {was} prompts there, {how}"


def _build(config: Config, target: str, reference: str, sets: tuple[PromptSet, ...]) -> RsePlan:
    rse = config.table(RseTable)
    all_pairs = rse.reference == ALL_PAIRS
    judge = _model(config, rse.judge, "rse.judge", rse.sampling.judge)
    if rse.structured:
        judge = _structured(judge)
    orders: tuple[Order, ...] = ORDERS if rse.orders == "both" else ("reference-first",)
    # With all pairs, a model is the target in one pair and the reference in another. Both roles
    # have the same sampling, so that both pairs compare the same answers.
    as_reference = rse.sampling.target if all_pairs else rse.sampling.reference
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


def _reject_identical_sides(plan: RsePlan) -> None:
    """Raise ConfigInvalid if target and reference would send the same requests.

    The cache would give both the same answers.
    """
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
    name = config.table(RseTable).embeddings
    if not name:
        return None
    planned = _model(config, name, "rse.embeddings", SamplingTable())
    if planned.mode != "embedding":
        raise ConfigInvalid(f'rse.embeddings: models.{name}.mode must be "embedding"')
    return planned


def _structured(judge: PlannedModel) -> PlannedModel:
    """Return *judge* with the schema of its replies added to the extra fields of its requests."""
    extra = msgspec.json.decode(judge.sampling.extra, type=dict[str, object])
    extra["response_format"] = msgspec.json.decode(RESPONSE_FORMAT)
    encoded = msgspec.json.encode(extra, order="deterministic").decode()
    sampling = msgspec.structs.replace(judge.sampling, extra=encoded)
    return msgspec.structs.replace(judge, sampling=sampling)


def _judge_conflicts(plans: Sequence[RsePlan], *, all_pairs: bool) -> Iterator[str]:
    """Yield a line for each compared model that is the judge itself, or of the judge's vendor."""
    judge = plans[0].judge
    reference = "target" if all_pairs else "reference"
    compared: dict[PlannedModel, str] = {}
    for plan in plans:
        compared.setdefault(plan.reference, reference)
        compared.setdefault(plan.target, "target")
    for model, role in compared.items():
        both = f"judge {judge.name} and {role} {model.name} are"
        match judge_conflict(judge, model):
            case "model":
                yield f"{both} one model: a judge may prefer what it writes itself"
            case "vendor":
                yield (
                    f"{both} both of {model.vendor}: a judge may prefer what its own family writes"
                )
