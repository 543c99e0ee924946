"""The checks pass for strategies that replay, and fail for those that would not."""

from __future__ import annotations

from random import Random, random
from typing import ClassVar

import msgspec
import pytest
from example_plugin.hydrometer_example import Aside, Keyword, Newest

from hydrometer.engine.errors import ConfigInvalid, PluginBroken
from hydrometer.strategies.base import Choice, JudgeDialogue
from hydrometer.strategies.judging.judges import Identity
from hydrometer.strategies.search.bandits import Exp3, Ucb
from hydrometer.strategies.search.baselines import RandomChoice, RoundRobin
from hydrometer.strategies.search.mcts import MctsExplore
from hydrometer.strategies.search.tree import Tree
from hydrometer.strategies.types import (
    Case,
    Metric,
    Mutant,
    Rejected,
    TargetFacts,
    Unparsed,
    Verdict,
)
from hydrometer.testing import JudgeReading, check_judge, check_mutator, check_selector

CASE = Case(question="Who are you?", prompt="Who are you?", response="I am Claude.")
ABOUT = TargetFacts(own_vendor="alibaba", strict_vendors=("anthropic",))


@pytest.mark.parametrize("cls", [MctsExplore, Ucb, Exp3, RoundRobin, RandomChoice, Newest])
def test_a_selector_that_draws_from_its_stream_alone_passes(cls: type) -> None:
    check_selector(cls)


class Moody(Newest, frozen=True, kw_only=True):
    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        return Choice(path=(int(random() * len(tree)),))


class Meddling(Newest, frozen=True, kw_only=True):
    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        tree.visit((0,))
        return Choice(path=(0,))


class Lost(Newest, frozen=True, kw_only=True):
    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        return Choice(path=(len(tree),))


def test_a_selector_with_randomness_of_its_own_fails() -> None:
    with pytest.raises(AssertionError, match="the selector decided differently"):
        check_selector(Moody)


def test_a_selector_that_changes_the_tree_fails() -> None:
    with pytest.raises(PluginBroken, match="select changed the tree, which belongs to the search"):
        check_selector(Meddling)


def test_a_choice_outside_the_tree_is_what_a_run_refuses() -> None:
    with pytest.raises(PluginBroken, match="the selector under-test is broken: select returned"):
        check_selector(Lost)


def test_settings_are_checked_as_a_run_checks_them() -> None:
    check_selector(Newest, {"stray": 1.0})
    with pytest.raises(ConfigInvalid, match=r"settings\.stay: under-test has no such setting"):
        check_selector(Newest, {"stay": 1.0})


def test_a_mutator_returns_what_it_made_of_the_replies() -> None:
    read = check_mutator(Aside, "The lights go up.", "", templates=("Say: {query}",))

    assert read == (
        Mutant(text="Say: {query}\n(aside, at 12: The lights go up.)"),
        Rejected(fault="no-remark"),
    )


class Forgetful(Aside, frozen=True, kw_only=True):
    def build_prompt(self, parents: tuple[str, ...]) -> str:
        return f"Number {random()}"


def test_a_mutator_with_randomness_of_its_own_fails() -> None:
    with pytest.raises(AssertionError, match="the mutator decided differently"):
        check_mutator(Forgetful)


def test_a_judge_by_rule_is_asked_nothing() -> None:
    reading = check_judge(Keyword, CASE, settings={"words": {"Claude": "anthropic"}}, about=ABOUT)

    verdict = Verdict(metric="strict", positive=True, vendor="anthropic", quote="Claude")
    assert reading == JudgeReading(opinions=(verdict,))


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    version: ClassVar[str] = "asker-1"
    metrics: ClassVar[tuple[Metric, ...]] = ("loose",)
    asks_model: ClassVar[bool] = True

    def prepare(self, about: TargetFacts) -> Asker:
        return self

    def read(self, case: Case) -> JudgeDialogue:
        said = yield (f"Is this a lie? {case.response}",)
        if said is None:
            return ()
        if said not in ("yes", "no"):
            return (Unparsed(metric="loose"),)
        return (Verdict(metric="loose", positive=said == "yes"),)


def test_a_judge_holds_its_dialogue_with_the_replies() -> None:
    asked = (("Is this a lie? I am Claude.",),)

    assert check_judge(Asker, CASE, "yes") == JudgeReading(
        opinions=(Verdict(metric="loose", positive=True),), asked=asked
    )
    assert check_judge(Asker, CASE, "?").opinions == (Unparsed(metric="loose"),)
    assert check_judge(Asker, CASE, None) == JudgeReading(opinions=(), asked=asked)
    with pytest.raises(AssertionError, match="the judge asks 1 times, and there are 0 replies"):
        check_judge(Asker, CASE)


def test_the_built_in_judge_passes() -> None:
    reading = check_judge(Identity, CASE, "no idea", "none at all", about=ABOUT)

    assert {opinion.metric for opinion in reading.opinions} == {"loose", "strict"}
