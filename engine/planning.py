"""From what the user wrote to the plan: presets filled in, names resolved, nothing sent."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from hashlib import blake2b
from typing import Any

import msgspec

from ..providers.settings import ModelSettings, SamplingTable
from ..providers.types import Sampling
from ..strategies import identity, lexical, mutation
from ..strategies.baselines import RandomChoice, RoundRobin
from ..strategies.mcts import MctsExplore
from ..strategies.types import Question, Template, Vendor
from .config import Config, IceTable, SelectorName
from .errors import ConfigInvalid
from .inputs import Fact
from .models import PlannedModel
from .plan import Admit, Plan, SelectorSettings

BUILTIN = "builtin:"  # fact = "builtin:qwen" takes the fact from data/facts.toml


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of every file that a plan is made from."""

    questions: tuple[Question, ...]
    templates: tuple[Template, ...]
    vendors: tuple[Vendor, ...]
    facts: Mapping[str, Fact]


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken for settings that the user left out."""

    probes: int
    window: int
    questions_per_visit: int
    selector: SelectorName
    mcts: MctsExplore
    admit: Admit
    system: str = ""
    temperature: float | None = None  # of target and judge


PRESETS = {
    # The published rule: 20 templates, every question in each, one at a time.
    "paper": Preset(
        probes=1000,
        window=1,
        questions_per_visit=50,
        selector="mcts-explore",
        mcts=MctsExplore(),
        admit="successful",
        system="You are a helpful assistant.",
        temperature=0.0,
    ),
    # Many short visits and a prior for the unvisited, so that rewards steer from the start.
    "standard": Preset(
        probes=1000,
        window=4,
        questions_per_visit=10,
        selector="mcts-explore",
        mcts=MctsExplore(explore=0.1, stop_early=0.3, prior_visits=1.0, prior_reward=0.2),
        admit="successful",
    ),
}


def build_plan(config: Config, target: str, texts: Texts) -> Plan:
    """Return the plan for *target*. Raises ConfigInvalid naming the setting that is wrong."""
    ice = config.ice
    preset = PRESETS[ice.preset]
    _refuse_twins(config)
    settings = _model(config, target, "ice.targets")
    lexical_judge = ice.judge == "lexical"
    fact, vendor = _fact(settings, target, texts, needed=not lexical_judge)
    temperature = preset.temperature
    planned_target = _planned(target, settings, ice.sampling.target, temperature, vendor=vendor)
    if not planned_target.system and preset.system:
        planned_target = msgspec.structs.replace(planned_target, system=preset.system)
    helper = _model(config, ice.helper, "ice.helper")
    judge = None
    if not lexical_judge:
        judge_settings = _model(config, ice.judge, "ice.judge")
        judge = _planned(ice.judge, judge_settings, ice.sampling.judge, temperature)
    visit = ice.questions_per_visit or preset.questions_per_visit
    return Plan(
        target=planned_target,
        helper=_planned(ice.helper, helper, ice.sampling.helper, None),
        judge=judge,
        judge_version=lexical.VERSION if judge is None else identity.VERSION,
        mutation_version=mutation.VERSION,
        fact=fact,
        seed=config.run.seed,
        window=config.run.window or preset.window,
        probes=ice.probes or preset.probes,
        questions_per_visit=min(visit, len(texts.questions)),
        selector=_selector(ice, preset),
        mutators=ice.mutators or ("similar", "crossover", "expand", "shorten", "rephrase"),
        admit=ice.admit or preset.admit,
        strict_vendors=_strict_vendors(ice, texts.vendors, vendor),
        vendors=texts.vendors,
        questions=texts.questions,
        templates=texts.templates,
    )


def model_identity(settings: ModelSettings) -> str:
    """Return the one string by which requests to this model are told from all others."""
    name = f"{settings.provider}:{settings.model}"
    if settings.provider == "simulated":
        planted = msgspec.json.encode(settings.planting, order="deterministic")
        name += f"#{blake2b(planted, digest_size=6).hexdigest()}"
    return f"{name}@{settings.revision}" if settings.revision else name


def _refuse_twins(config: Config) -> None:
    """Two models that would share cached answers must have the same addresses."""
    first: dict[str, tuple[str, frozenset[str]]] = {}
    for name, settings in config.models.items():
        urls = (settings.base_url, *(endpoint.base_url for endpoint in settings.endpoints))
        addresses = frozenset(url.rstrip("/") for url in urls)
        identity_, here = model_identity(settings), addresses - {""}
        other, there = first.setdefault(identity_, (name, here))
        if here != there:
            raise ConfigInvalid(
                f"models.{name} and models.{other} are both {identity_} at different addresses; "
                "if they can answer differently, give one of them a revision"
            )


def _model(config: Config, name: str, path: str) -> ModelSettings:
    if not name:
        raise ConfigInvalid(f"{path} is missing: name one of {_names(config.models)}")
    if name not in config.models:
        near = get_close_matches(name, config.models, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {_names(config.models)}"
        raise ConfigInvalid(f"{path}: no model is named {name}; {hint}")
    return config.models[name]


def _names(models: Mapping[str, Any]) -> str:
    return ", ".join(models) or "none (add a [models.NAME] table)"


def _fact(settings: ModelSettings, name: str, texts: Texts, *, needed: bool) -> tuple[str, str]:
    """Return the target's fact and vendor, looked up in the built-in facts where asked for."""
    fact, vendor = settings.fact, settings.vendor
    if fact.startswith(BUILTIN):
        family = fact.removeprefix(BUILTIN)
        if family not in texts.facts:
            raise ConfigInvalid(
                f"models.{name}.fact: no built-in fact {family}; known: {', '.join(texts.facts)}"
            )
        fact, vendor = texts.facts[family].fact, vendor or texts.facts[family].vendor
    if needed and not fact:
        raise ConfigInvalid(
            f"models.{name}.fact is missing: a judge model compares answers with it; write one "
            'sentence, or "builtin:FAMILY"'
        )
    ids = [known.id for known in texts.vendors]
    if vendor and vendor not in ids:
        near = get_close_matches(vendor, ids, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(ids)}"
        raise ConfigInvalid(f"models.{name}.vendor: unknown vendor {vendor}; {hint}")
    return fact, vendor


def _planned(
    name: str,
    settings: ModelSettings,
    override: SamplingTable,
    temperature: float | None,
    *,
    vendor: str = "",
) -> PlannedModel:
    return PlannedModel(
        name=name,
        identity=model_identity(settings),
        vendor=vendor or settings.vendor,
        mode=settings.mode,
        system=settings.system,
        prompt_template=settings.prompt_template if settings.mode == "completion" else "{prompt}",
        sampling=_sampling(name, settings, override, temperature),
    )


def _sampling(
    name: str, settings: ModelSettings, override: SamplingTable, temperature: float | None
) -> Sampling:
    """Lay the role's table over the model's over the preset's; what stays None is not sent."""
    merged: dict[str, Any] = {} if temperature is None else {"temperature": temperature}
    if settings.stop:
        merged["stop"] = settings.stop
    for table in (settings.sampling, override):
        for field in SamplingTable.__struct_fields__:
            value = getattr(table, field)
            if value is not None:
                merged[field] = value
    if "extra" in merged:
        merged["extra"] = msgspec.json.encode(merged["extra"], order="deterministic").decode()
    try:
        return Sampling(**merged)
    except (TypeError, ValueError) as error:
        raise ConfigInvalid(f"models.{name}.sampling: {error}") from None


def _selector(ice: IceTable, preset: Preset) -> SelectorSettings:
    name = ice.selector or preset.selector
    if name == "round-robin":
        return RoundRobin()
    if name == "random":
        return RandomChoice()
    given = {
        field: value
        for field in MctsExplore.__struct_fields__
        if (value := getattr(ice.mcts, field)) is not None
    }
    return msgspec.structs.replace(preset.mcts, **given)


def _strict_vendors(ice: IceTable, vendors: tuple[Vendor, ...], own: str) -> tuple[str, ...]:
    ids = {vendor.id for vendor in vendors}
    for name in ice.strict_vendors:
        if name not in ids:
            raise ConfigInvalid(f"ice.strict_vendors: unknown vendor {name}")
    others = tuple(sorted(set(ice.strict_vendors) - {own}))
    if not others:
        raise ConfigInvalid("ice.strict_vendors names no vendor besides the target's own")
    return others
