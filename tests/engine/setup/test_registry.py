from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar

import msgspec
import pytest

from hydrometer.engine.errors import ConfigInvalid, FileInvalid, InputInvalid, PluginBroken
from hydrometer.engine.setup.plan import PlannedStrategy
from hydrometer.engine.setup.plugin_checks import CheckedSelector, StrategyKind
from hydrometer.engine.setup.registry import PluginSpec, StrategyRegistry
from hydrometer.strategies.base import Choice, Mutator, Selector
from hydrometer.strategies.judging.judges import Identity, Lexical
from hydrometer.strategies.mutation.rewrite import Rewrite
from hydrometer.strategies.search.bandits import Exp3, Ucb
from hydrometer.strategies.search.mcts import MctsExplore
from hydrometer.strategies.search.tree import Tree


@dataclass(frozen=True, kw_only=True)
class Favourite:
    """A selector of another package that is a dataclass."""

    version: ClassVar[str] = "f-1"

    node: int = 0
    weight: float = 1.0

    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        return Choice(path=(min(self.node, len(tree) - 1),))

    def reward(self, choice: Choice, *, depth: int, successes: int, probes: int) -> float:
        return self.weight * successes / probes


class Later(msgspec.Struct, frozen=True, kw_only=True):
    """The same strategy after its author changed what it decides."""

    version: ClassVar[str] = "f-2"

    node: int = 0
    weight: float = 1.0

    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        return Choice(path=(0,))

    def reward(self, choice: Choice, *, depth: int, successes: int, probes: int) -> float:
        return 0.0


class Lacking(msgspec.Struct):
    version: ClassVar[str] = "1"

    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        return Choice(path=(0,))


class Plain:
    version = "1"


def offer(made: object) -> PluginSpec:
    return PluginSpec(load=lambda: made, package="tests")


def with_selectors(**classes: object) -> StrategyRegistry:
    def find(kind: StrategyKind) -> Mapping[str, PluginSpec]:
        chosen = classes if kind == "selectors" else {}
        return {name: offer(made) for name, made in chosen.items()}

    return StrategyRegistry(find)


def selector_of(registry: StrategyRegistry, planned: PlannedStrategy) -> Selector:
    """Return the selector of another package without its checks."""
    made = registry.selector(planned)
    assert isinstance(made, CheckedSelector)
    return made.inner


def plan(
    kind: StrategyKind, name: str, settings: Mapping[str, Any] | None = None
) -> PlannedStrategy:
    return StrategyRegistry().plan(kind, name, settings or {}, f"ice.{kind.removesuffix('s')}")


def test_a_plan_holds_every_setting_also_those_that_nobody_wrote() -> None:
    assert plan("selectors", "mcts-explore", {"explore": 1}) == PlannedStrategy(
        name="mcts-explore",
        version=MctsExplore.version,
        settings='{"explore":1.0,"prior_reward":0.0,"prior_visits":0.0,"reward_floor":0.2,'
        '"stop_early":0.1}',
    )
    assert plan("selectors", "ucb").settings == '{"explore":0.5}'
    assert plan("selectors", "exp3").settings == '{"mix":0.2}'
    assert plan("judges", "lexical") == PlannedStrategy(
        name="lexical", version=Lexical.version, settings="{}"
    )


def test_the_same_settings_in_another_order_or_spelling_are_the_same_plan() -> None:
    one = plan("selectors", "mcts-explore", {"explore": 1, "stop_early": 0})
    other = plan("selectors", "mcts-explore", {"stop_early": 0.0, "explore": 1.0})

    assert one == other


@pytest.mark.parametrize(
    ("name", "made"),
    [("ucb", Ucb(explore=0.3)), ("exp3", Exp3(mix=1.0)), ("mcts-explore", MctsExplore(explore=2))],
)
def test_what_a_plan_says_of_a_selector_makes_that_selector(name: str, made: object) -> None:
    planned = plan("selectors", name, msgspec.to_builtins(made))

    assert StrategyRegistry().selector(planned) == made


@pytest.mark.parametrize("name", ["similar", "crossover", "expand", "shorten", "rephrase"])
def test_the_five_mutators_know_which_they_are(name: str) -> None:
    mutator = StrategyRegistry().mutator(plan("mutators", name))

    assert isinstance(mutator, Rewrite)
    assert mutator.name == name
    assert mutator.parents == (2 if name == "crossover" else 1)


def test_both_judges_come_out_of_their_plans() -> None:
    registry = StrategyRegistry()

    assert registry.judge(plan("judges", "lexical")) == Lexical()
    assert registry.judge(plan("judges", "identity")) == Identity()


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("selectors", "exp33", "ice.selector: unknown selector exp33; did you mean exp3?"),
        (
            "selectors",
            "zzz",
            "ice.selector: unknown selector zzz; "
            "known: mcts-explore, ucb, exp3, round-robin, random",
        ),
        ("mutators", "rephras", "ice.mutator: unknown mutator rephras; did you mean rephrase?"),
        ("judges", "lexcal", "ice.judge: unknown judge lexcal; did you mean lexical?"),
        ("selectors", "UCB", "ice.selector: unknown selector UCB; known: "),
        ("selectors", "", "ice.selector: unknown selector ; known: "),
        ("selectors", "rephrase", "ice.selector: unknown selector rephrase; known: "),
    ],
)
def test_an_unknown_name_suggests_the_nearest(kind: StrategyKind, name: str, said: str) -> None:
    with pytest.raises(ConfigInvalid) as raised:
        plan(kind, name)

    assert str(raised.value).startswith(said)
    assert not StrategyRegistry().knows(kind, name)


@pytest.mark.parametrize(
    ("name", "settings", "said"),
    [
        ("exp3", {"mix": 0}, "ice.selector_settings.mix: expected float > 0.0"),
        ("exp3", {"mix": 1.5}, "ice.selector_settings.mix: expected float <= 1.0"),
        ("exp3", {"mix": "0.2"}, "ice.selector_settings.mix: expected float, got str"),
        ("exp3", {"mix": True}, "ice.selector_settings.mix: expected float, got bool"),
        ("exp3", {"mix": [0.2]}, "ice.selector_settings.mix: expected float, got array"),
        ("exp3", {"mx": 0.2}, "ice.selector_settings.mx: exp3 has no such setting; did you mean"),
        ("ucb", {"explore": -0.1}, "ice.selector_settings.explore: expected float >= 0.0"),
        ("ucb", {"mix": 0.2}, "ice.selector_settings.mix: ucb has no such setting; known: explore"),
        ("random", {"seed": 1}, "ice.selector_settings.seed: random has no such setting; known: "),
        ("ucb", {"version": "2"}, "ice.selector_settings.version: ucb has no such setting; "),
        ("ucb", {"": 1}, "ice.selector_settings.: ucb has no such setting; known: explore"),
    ],
)
def test_a_setting_is_named_by_its_path(name: str, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigInvalid) as raised:
        plan("selectors", name, settings)

    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


def test_a_strategy_of_another_package_is_planned_and_made_like_ours() -> None:
    registry = with_selectors(favourite=Favourite)

    planned = registry.plan("selectors", "favourite", {"node": 2, "weight": 3}, "ice.selector")

    assert planned == PlannedStrategy(
        name="favourite", version="f-1", settings='{"node":2,"weight":3.0}'
    )
    assert selector_of(registry, planned) == Favourite(node=2, weight=3.0)
    assert registry.knows("selectors", "favourite")
    assert not registry.knows("judges", "favourite")


def test_a_plan_holds_the_defaults_of_a_dataclass_too() -> None:
    """Or its author could change one, and old plans would decide differently unnoticed."""
    planned = with_selectors(favourite=Favourite).plan("selectors", "favourite", {}, "x")

    assert planned.settings == '{"node":0,"weight":1.0}'


@pytest.mark.parametrize("name", ["ucb", "exp3", "unknown"])
def test_a_plug_in_under_a_built_in_name_is_refused(name: str) -> None:
    registry = with_selectors(ucb=Favourite)

    with pytest.raises(InputInvalid) as raised:
        registry.plan("selectors", name, {}, "x")

    assert str(raised.value) == (
        "selectors: ucb is built in; choose another name in the package tests"
    )


def test_settings_of_a_dataclass_are_checked_like_ours() -> None:
    registry = with_selectors(favourite=Favourite)

    with pytest.raises(ConfigInvalid, match=r"^x_settings\.node: expected int, got str$"):
        registry.plan("selectors", "favourite", {"node": "first"}, "x")
    with pytest.raises(ConfigInvalid, match=r"^x_settings\.nod: favourite has no .* mean node\?$"):
        registry.plan("selectors", "favourite", {"nod": 1}, "x")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (Plain, "it is neither a msgspec Struct nor a dataclass"),
        (Favourite(), "it is neither a msgspec Struct nor a dataclass"),
        (len, "it is neither a msgspec Struct nor a dataclass"),
        (Lacking, "it has no reward"),
    ],
)
def test_what_is_no_strategy_is_refused(found: object, said: str) -> None:
    with pytest.raises(PluginBroken) as raised:
        with_selectors(odd=found).plan("selectors", "odd", {}, "x")

    assert str(raised.value) == f"the selector odd of tests is broken: {said}"


def test_only_the_strategy_that_is_named_is_loaded() -> None:
    def fail() -> object:
        raise AssertionError("loaded")

    offers = {"favourite": offer(Favourite), "broken": PluginSpec(load=fail)}
    registry = StrategyRegistry(lambda _: offers)

    planned = registry.plan("selectors", "favourite", {}, "x")

    assert selector_of(registry, planned) == Favourite()


@pytest.mark.parametrize(
    ("planned", "said"),
    [
        (
            PlannedStrategy(name="gone", version="1"),
            "the plan's selector gone comes with a package that is not installed here",
        ),
        (
            PlannedStrategy(name="favourite", version="f-1", settings='{"node":0,"weight":1.0}'),
            "the plan's selector favourite is of version f-1, here it is f-2: "
            "it would decide differently",
        ),
        (
            PlannedStrategy(name="favourite", version="f-2", settings='{"nods":0}'),
            "the plan's selector favourite.nods: favourite has no such setting; did you mean node?",
        ),
        (
            PlannedStrategy(name="exp3", version=Exp3.version, settings='{"mix":7}'),
            "the plan's selector exp3.mix: expected float <= 1.0",
        ),
    ],
)
def test_a_plan_that_would_decide_differently_here_is_refused(
    planned: PlannedStrategy, said: str
) -> None:
    with pytest.raises(FileInvalid) as raised:
        with_selectors(favourite=Later).selector(planned)

    assert str(raised.value) == said


def test_ours_are_what_the_engine_asks_for() -> None:
    """Mypy checks it here, and that they say which version of their rules they are."""
    selectors: tuple[Selector, ...] = (Ucb(), Exp3(), MctsExplore())
    mutators: tuple[Mutator, ...] = (Rewrite(name="expand"),)

    assert all(selector.version for selector in selectors)
    assert all(mutator.version for mutator in mutators)
