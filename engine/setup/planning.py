"""From what the user wrote to the plan: presets filled in, names resolved, nothing sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ...providers.kinds import model_identity
from ...providers.settings import ModelSettings, SamplingTable
from ...providers.types import Sampling
from ...strategies.mutation import refine
from ...strategies.types import Question, Template, Vendor
from ..errors import ConfigInvalid
from ..identity.texts import ModelFact
from .config import Config, IceTable
from .hints import name_hint
from .models import PlannedModel
from .plan import (
    Admit,
    IcePlan,
    PlannedJudge,
    RefineSearch,
    SearchSettings,
    StaticSearch,
    TreeSearch,
)
from .registry import StrategyRegistry

MODEL_JUDGE = "identity"  # the kind of judge that a model is when it is named as the judge
BUILTIN = "builtin:"  # fact = "builtin:qwen" takes the fact from data/facts.toml


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of every file that a plan is made from."""

    questions: tuple[Question, ...]
    templates: tuple[Template, ...]
    vendors: tuple[Vendor, ...]
    facts: Mapping[str, ModelFact]


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken for settings that the user left out."""

    probes: int
    window: int
    questions_per_visit: int
    selector: str
    selector_settings: Mapping[str, float]
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
        selector_settings={},
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
        selector_settings={
            "explore": 0.1,
            "stop_early": 0.3,
            "prior_visits": 1.0,
            "prior_reward": 0.2,
        },
        admit="successful",
    ),
}


DEFAULT_MUTATORS = ("similar", "crossover", "expand", "shorten", "rephrase")


def build_ice_plan(
    config: Config, target: str, texts: Texts, catalogue: StrategyRegistry | None = None
) -> IcePlan:
    """Return the plan for *target*. Raises ConfigInvalid naming the setting that is wrong."""
    catalogue = catalogue or StrategyRegistry()
    ice = config.ice
    preset = PRESETS[ice.preset]
    reject_duplicate_identities(config)
    settings = find_model(config, target, "ice.targets")
    judge = _judge(config, preset, catalogue)
    fact, vendor = _fact(settings, target, texts, needed="loose" in judge.metrics)
    planned_target = plan_model(
        target, settings, ice.sampling.target, preset.temperature, vendor=vendor
    )
    if not planned_target.system and preset.system:
        planned_target = msgspec.structs.replace(planned_target, system=preset.system)
    visit = ice.questions_per_visit or preset.questions_per_visit
    return IcePlan(
        target=planned_target,
        judge=judge,
        fact=fact,
        seed=config.run.seed,
        window=config.run.window or preset.window,
        probes=ice.probes or preset.probes,
        questions_per_visit=min(visit, len(texts.questions)),
        search=_search(config, preset, catalogue),
        strict_vendors=_strict_vendors(ice, texts.vendors, vendor),
        vendors=texts.vendors,
        questions=texts.questions,
        templates=texts.templates,
    )


def build_judge(
    config: Config,
    name: str,
    catalogue: StrategyRegistry,
    *,
    temperature: float | None = None,
    path: str = "ice.judge",
) -> PlannedJudge:
    """Return the judge called *name*: one of the models, or a kind of judge.

    Raises ConfigInvalid; *path* is where the user named it.
    """
    ice = config.ice
    if catalogue.knows("judges", name):
        if name in config.models:
            raise ConfigInvalid(
                f"{path}: {name} is both a model and a kind of judge; rename the model"
            )
        rules = catalogue.plan("judges", name, ice.judge_settings, "ice.judge")
        model = ice.judge_model
    else:
        if name not in config.models:
            hint = name_hint(name, (*config.models, *catalogue.names("judges")))
            raise ConfigInvalid(f"{path}: no model and no judge is named {name}; {hint}")
        if ice.judge_model or ice.judge_settings:
            raise ConfigInvalid(
                f"ice.judge_model and ice.judge_settings are for a judge that is no model; {name} "
                "is taken for a model"
            )
        rules = catalogue.plan("judges", MODEL_JUDGE, {}, "ice.judge")
        model = name
    kind = catalogue.judge(rules)
    planned = None
    if kind.asks_model:
        settings = find_model(config, model, path if name == model else "ice.judge_model")
        planned = plan_model(model, settings, ice.sampling.judge, temperature)
    elif model:
        raise ConfigInvalid(f"ice.judge_model: the judge {name} asks no model")
    return PlannedJudge(name=name, rules=rules, metrics=tuple(kind.metrics), model=planned)


def _judge(config: Config, preset: Preset, catalogue: StrategyRegistry) -> PlannedJudge:
    return build_judge(config, config.ice.judge, catalogue, temperature=preset.temperature)


def _search(config: Config, preset: Preset, catalogue: StrategyRegistry) -> SearchSettings:
    ice = config.ice
    if ice.search == "static":
        if ice.helper:  # nobody asks it, but it has to be one
            find_model(config, ice.helper, "ice.helper")
        _refuse_idle(
            ice, ("selector", "selector_settings", "mutators", "mutator_settings", "admit")
        )
        return StaticSearch()
    name = ice.selector or preset.selector
    defaults = preset.selector_settings if name == preset.selector else {}
    selector = catalogue.plan(
        "selectors", name, {**defaults, **ice.selector_settings}, "ice.selector"
    )
    helper = plan_model(
        ice.helper, find_model(config, ice.helper, "ice.helper"), ice.sampling.helper, None
    )
    admit = ice.admit or preset.admit
    if ice.search == "refine":
        _refuse_idle(ice, ("mutators", "mutator_settings"))
        return RefineSearch(
            helper=helper, selector=selector, rewriting_version=refine.VERSION, admit=admit
        )
    names = ice.mutators or DEFAULT_MUTATORS
    for other in ice.mutator_settings:
        if other not in names:
            raise ConfigInvalid(f"ice.mutator_settings.{other}: not one of ice.mutators")
    return TreeSearch(
        helper=helper,
        selector=selector,
        mutators=tuple(
            catalogue.plan(
                "mutators",
                name,
                ice.mutator_settings.get(name, {}),
                "ice.mutators",
                settings_path=f"ice.mutator_settings.{name}",
            )
            for name in names
        ),
        admit=admit,
    )


def _refuse_idle(ice: IceTable, names: tuple[str, ...]) -> None:
    """Raise for a setting that this search would not look at."""
    for name in names:
        if getattr(ice, name) not in (None, {}):
            raise ConfigInvalid(f'ice.{name} has no meaning with search = "{ice.search}"')


def reject_duplicate_identities(config: Config) -> None:
    """Raise ConfigInvalid for two models that would share cached answers and need not agree."""
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


def find_model(config: Config, name: str, path: str) -> ModelSettings:
    """Return the model that the user calls *name* at *path*. Raises ConfigInvalid."""
    if not name:
        known = ", ".join(config.models) or _NO_MODELS
        raise ConfigInvalid(f"{path} is missing: name one of {known}")
    if name not in config.models:
        hint = name_hint(name, config.models, none=_NO_MODELS)
        raise ConfigInvalid(f"{path}: no model is named {name}; {hint}")
    return config.models[name]


_NO_MODELS = "none (add a [models.NAME] table)"


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
        raise ConfigInvalid(
            f"models.{name}.vendor: unknown vendor {vendor}; {name_hint(vendor, ids)}"
        )
    return fact, vendor


def plan_model(
    name: str,
    settings: ModelSettings,
    override: SamplingTable,
    temperature: float | None,
    *,
    vendor: str = "",
) -> PlannedModel:
    """Return a model as the plan knows it, with *override* laid over its own sampling."""
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


def _strict_vendors(ice: IceTable, vendors: tuple[Vendor, ...], own: str) -> tuple[str, ...]:
    ids = {vendor.id for vendor in vendors}
    for name in ice.strict_vendors:
        if name not in ids:
            raise ConfigInvalid(f"ice.strict_vendors: unknown vendor {name}")
    others = tuple(sorted(set(ice.strict_vendors) - {own}))
    if not others:
        raise ConfigInvalid("ice.strict_vendors names no vendor besides the target's own")
    return others
