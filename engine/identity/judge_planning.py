"""Judge planning: turns the judge, fact and vendors of a config into those of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from ...providers.settings import ModelSettings, SamplingTable
from ...strategies.types import Vendor
from ..errors import ConfigInvalid
from ..setup.config import Config
from ..setup.hints import name_hint
from ..setup.plan import PlannedJudge
from ..setup.planning import find_model, plan_model
from ..setup.registry import StrategyRegistry
from .texts import Texts

MODEL_JUDGE = "identity"  # the rules for a judge that is a model of the config
BUILTIN = "builtin:"  # fact = "builtin:qwen" uses the fact of qwen in data/facts.toml


class JudgeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The judge settings of a config table.

    *table* is the name of the table, and *path* the path of the setting that names the judge.
    *model* and *settings* apply to a judge that is not a model of the config but may call one.
    *model_advice* is what to do where such a judge has no *model*, if a setting cannot name one.
    """

    table: str
    path: str
    model: str = ""
    settings: Mapping[str, object] = {}
    sampling: SamplingTable = SamplingTable()
    temperature: float | None = None
    model_advice: str = ""


def plan_judge(
    config: Config, name: str, registry: StrategyRegistry, wanted: JudgeSettings
) -> PlannedJudge:
    """Return the judge *name*: a model of *config*, or the name of rules in *registry*.

    Raises ConfigInvalid.
    """
    table, path = wanted.table, wanted.path
    if registry.knows("judges", name):
        if name in config.models:
            raise ConfigInvalid(
                f"{path}: {name} is both a model and a kind of judge; rename the model"
            )
        rules = registry.plan("judges", name, wanted.settings, f"{table}.judge")
        model = wanted.model
    else:
        if name not in config.models:
            kinds = [
                kind for kind in registry.names("judges") if wanted.model or kind != MODEL_JUDGE
            ]
            hint = name_hint(name, (*config.models, *kinds))
            raise ConfigInvalid(f"{path}: no model and no judge is named {name}; {hint}")
        if wanted.model or wanted.settings:
            raise ConfigInvalid(
                f"{table}.judge_model and {table}.judge_settings are for a judge that is no model; "
                f"{name} is taken for a model"
            )
        rules = registry.plan("judges", MODEL_JUDGE, {}, f"{table}.judge")
        model = name
    kind = registry.judge(rules)
    planned = None
    if kind.asks_model and not model and wanted.model_advice:
        raise ConfigInvalid(f"{path}: {name} {wanted.model_advice}")
    if kind.asks_model:
        settings = find_model(config, model, path if name == model else f"{table}.judge_model")
        planned = plan_model(model, settings, wanted.sampling, wanted.temperature)
    elif model:
        raise ConfigInvalid(f"{table}.judge_model: the judge {name} asks no model")
    return PlannedJudge(name=name, rules=rules, metrics=tuple(kind.metrics), model=planned)


def find_fact(settings: ModelSettings, name: str, texts: Texts, *, needed: bool) -> tuple[str, str]:
    """Return the fact and the vendor of the target *name*.

    A fact "builtin:FAMILY" is replaced by the built-in one, which also sets the vendor if the
    config does not. Raises ConfigInvalid for an unknown family or
    vendor, and for a fact that is *needed* and missing.
    """
    fact, vendor = settings.fact, settings.vendor
    if fact.startswith(BUILTIN):
        family = fact.removeprefix(BUILTIN)
        if family not in texts.facts:
            raise ConfigInvalid(
                f"models.{name}.fact: no built-in fact {family}; {name_hint(family, texts.facts)}"
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


def other_vendors(
    wanted: Iterable[str], vendors: Iterable[Vendor], own: str, path: str
) -> tuple[str, ...]:
    """Return the vendor ids *wanted* without the target's *own* vendor, sorted.

    *path* is the path of the setting. Raises ConfigInvalid for an unknown vendor, or if no vendor
    is left.
    """
    ids = {vendor.id for vendor in vendors}
    for name in wanted:
        if name not in ids:
            raise ConfigInvalid(f"{path}: unknown vendor {name}")
    others = tuple(sorted(set(wanted) - {own}))
    if not others:
        raise ConfigInvalid(f"{path} names no vendor besides the target's own")
    return others
