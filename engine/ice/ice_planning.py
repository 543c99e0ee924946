"""ICE planning: turns the ``[ice]`` table into plans and fills in its preset. Nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from ...strategies.mutation import refine
from ..errors import ConfigInvalid, InputInvalid
from ..identity.judge_planning import JudgeSettings, find_fact, other_vendors, plan_judge
from ..identity.texts import Texts, load_texts
from ..measurement import NamedPlan, PlanRequest
from ..setup.config import Config
from ..setup.plan import PlannedJudge
from ..setup.planning import find_model, plan_model, reject_duplicate_identities
from ..setup.registry import StrategyRegistry
from .ice_config import IceTable
from .ice_plan import Admit, IcePlan, RefineSearch, SearchSettings, StaticSearch, TreeSearch


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """Default values for settings that are not in the config."""

    probes: int
    window: int
    questions_per_visit: int
    selector: str
    selector_settings: Mapping[str, float]
    admit: Admit
    system: str = ""
    temperature: float | None = None  # for target and judge


PRESETS = {
    # The rule of the paper: 20 templates, every question in each, one template at a time.
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
    # Many short visits, and a prior for unvisited nodes, so that rewards guide the search early.
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


def build_ice_plans(request: PlanRequest) -> tuple[NamedPlan[IcePlan], ...]:
    """Return a plan for each target. Raises InputInvalid."""
    ice = request.config.table(IceTable)
    names = request.targets or ice.targets
    if not names:
        raise InputInvalid("ice.targets is empty: name a model to measure, or give --target")
    texts = load_texts(ice.questions, ice.templates, request.folder)
    return tuple(
        NamedPlan(name=name, plan=build_ice_plan(request.config, name, texts, request.registry))
        for name in dict.fromkeys(names)
    )


def build_ice_plan(
    config: Config, target: str, texts: Texts, registry: StrategyRegistry | None = None
) -> IcePlan:
    """Return the plan for *target*. Raises ConfigInvalid, which names the wrong setting."""
    registry = registry or StrategyRegistry()
    ice = config.table(IceTable)
    preset = PRESETS[ice.preset]
    reject_duplicate_identities(config)
    settings = find_model(config, target, "ice.targets")
    judge = plan_judge(config, ice.judge, registry, _judge_settings(ice, "ice.judge"))
    fact, vendor = find_fact(settings, target, texts, needed="loose" in judge.metrics)
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
        search=_search(config, ice, preset, registry),
        strict_vendors=other_vendors(
            ice.strict_vendors, texts.vendors, vendor, "ice.strict_vendors"
        ),
        vendors=texts.vendors,
        questions=texts.questions,
        templates=texts.templates,
    )


def plan_later_judge(
    plan: IcePlan, name: str, config: Config, registry: StrategyRegistry, where: str
) -> PlannedJudge:
    """Return the judge *name* for the answers of a run of *plan*.

    The config's ``ice.judge_model`` and ``ice.judge_settings`` apply only if ``ice.judge`` is
    *name*. *where* is the path of the run. Raises InputInvalid, also if the judge needs a fact that
    the plan does not have.
    """
    reject_duplicate_identities(config)
    ice = config.table(IceTable)
    if ice.judge != name:
        ice = msgspec.structs.replace(ice, judge_model="", judge_settings={})
    settings = msgspec.structs.replace(
        _judge_settings(ice, "--judge"),
        model_advice="is a kind of judge that asks a model: give the name of that model instead, "
        "and --config with the file that has it",
    )
    judge = plan_judge(config, name, registry, settings)
    if "loose" in judge.metrics and not plan.fact:
        raise InputInvalid(
            f"{where} has no fact of its target, which {name} compares answers with; "
            "import it again with --fact"
        )
    return judge


def _judge_settings(ice: IceTable, path: str) -> JudgeSettings:
    return JudgeSettings(
        table="ice",
        path=path,
        model=ice.judge_model,
        settings=ice.judge_settings,
        sampling=ice.sampling.judge,
        temperature=PRESETS[ice.preset].temperature,
    )


def _search(
    config: Config, ice: IceTable, preset: Preset, registry: StrategyRegistry
) -> SearchSettings:
    if ice.search == "static":
        if ice.helper:  # unused, but a wrong name is still an error
            find_model(config, ice.helper, "ice.helper")
        _reject_unused_settings(
            ice, ("selector", "selector_settings", "mutators", "mutator_settings", "admit")
        )
        return StaticSearch()
    name = ice.selector or preset.selector
    defaults = preset.selector_settings if name == preset.selector else {}
    selector = registry.plan(
        "selectors", name, {**defaults, **ice.selector_settings}, "ice.selector"
    )
    helper = plan_model(
        ice.helper, find_model(config, ice.helper, "ice.helper"), ice.sampling.helper, None
    )
    admit = ice.admit or preset.admit
    if ice.search == "refine":
        _reject_unused_settings(ice, ("mutators", "mutator_settings"))
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
            registry.plan(
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


def _reject_unused_settings(ice: IceTable, names: tuple[str, ...]) -> None:
    """Raise ConfigInvalid for a setting that this search does not use."""
    for name in names:
        if getattr(ice, name) not in (None, {}):
            raise ConfigInvalid(f'ice.{name} has no meaning with search = "{ice.search}"')
