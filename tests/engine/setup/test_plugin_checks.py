"""What a plug-in of another package raises or returns, and what is said of it then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, ClassVar

import msgspec
import pytest
from builders import JUDGE, make_plan

from hydrometer.engine.errors import FileInvalid, PluginBroken
from hydrometer.engine.setup.plan import PlannedJudge, PlannedStrategy
from hydrometer.engine.setup.plugin_checks import MOST_CALLS, Plugin, PluginFault, StrategyKind
from hydrometer.engine.setup.registry import PluginSpec, StrategyRegistry
from hydrometer.strategies.base import Choice, Judge, JudgeDialogue, Mutator, Selector
from hydrometer.strategies.search.tree import Tree
from hydrometer.strategies.types import (
    Case,
    Metric,
    Mutant,
    Opinion,
    Rejected,
    TargetFacts,
    Unparsed,
    Verdict,
)

CASE = Case(question="Who?", prompt="Who?", response="I am Qwen.")
STRICT = Verdict(metric="strict", positive=False)
LOOSE = Verdict(metric="loose", positive=False)


def registry_of(kind: StrategyKind, found: object) -> StrategyRegistry:
    offer = PluginSpec(load=lambda: found, package="some-package")
    return StrategyRegistry(lambda asked: {"odd": offer} if asked == kind else {})


def planned(
    kind: StrategyKind, found: object, settings: Mapping[str, object] | None = None
) -> PlannedStrategy:
    return registry_of(kind, found).plan(kind, "odd", settings or {}, "ice.odd")


def why(act: Callable[[], object], noun: str) -> str:
    """Return what is said of the plug-in when *act* fails."""
    with pytest.raises(PluginBroken) as raised:
        act()
    said = str(raised.value)
    assert "\n" not in said
    who = f"the {noun} odd of some-package is broken: "
    assert said.startswith(who)
    return said.removeprefix(who)


# Selectors


def make_tree() -> Tree:
    """Return a tree of two roots; the first has a child, 2, and that has one, 3."""
    tree = Tree(2)
    assert tree.add(tree.add(0)) == 3
    return tree


def selector(select: Callable[[], Any], reward: Callable[[], Any] = lambda: 0.0) -> Selector:
    class Odd(msgspec.Struct, frozen=True, kw_only=True):
        version: ClassVar[str] = "1"

        def select(self, tree: Tree, *, step: int, rng: Random) -> Any:
            return select()

        def reward(self, choice: Choice, *, depth: int, successes: int, probes: int) -> Any:
            return reward()

    return registry_of("selectors", Odd).selector(planned("selectors", Odd))


def why_not_selected(path: Any) -> str:
    chosen = selector(lambda: path if isinstance(path, str) else Choice(path=path))
    return why(lambda: chosen.select(make_tree(), step=1, rng=Random(0)), "selector")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("(0,)", "select returned '(0,)', not a Choice"),
        ((), "select returned an empty path"),
        ((-1,), "select returned node -1 of a tree that has nodes 0 to 3"),
        ((4,), "select returned node 4 of a tree that has nodes 0 to 3"),
        ((0, 3), "select returned the path (0, 3), and 3 is no child of 0"),
        ((2, 0), "select returned the path (2, 0), and 0 is no child of 2"),
        ((1, 2), "select returned the path (1, 2), and 2 is no child of 1"),
        ([0], "select returned [0], not (0,)"),
        ((True,), "select returned (True,), which cannot be recorded: Expected `int`, got `bool`"),
        ((0.5,), "select returned (0.5,), which cannot be recorded: Expected `int`, got `float`"),
        (None, "select returned None, which cannot be recorded: Expected `array`, got `null`"),
    ],
)
def test_a_choice_is_a_path_down_the_tree(path: Any, said: str) -> None:
    assert why_not_selected(path).startswith(said)


@pytest.mark.parametrize("probability", [0.0, -0.5, 1.5, float("nan"), float("inf"), True, "x"])
def test_a_probability_is_above_0_and_at_most_1(probability: Any) -> None:
    chosen = selector(lambda: Choice(path=(0,), probability=probability))

    assert why(lambda: chosen.select(make_tree(), step=1, rng=Random(0)), "selector") == (
        f"select returned the probability {probability!r}, which is not above 0 and at most 1"
    )


def count_a_visit(tree: Tree) -> None:
    tree.visits[0] += 1


def swap_children(tree: Tree) -> None:
    tree.children[0], tree.children[2] = tree.children[2], tree.children[0]


@pytest.mark.parametrize(
    "change",
    [
        count_a_visit,
        swap_children,
        lambda tree: tree.add(0),
        lambda tree: tree.children.clear(),
        lambda tree: tree.backpropagate((1,), 0.5),
        lambda tree: setattr(tree, "depths", []),
    ],
)
def test_a_selector_that_changes_the_tree_is_refused(change: Callable[[Tree], object]) -> None:
    tree = make_tree()

    def select() -> Choice:
        change(tree)
        return Choice(path=(0,))

    assert why(lambda: selector(select).select(tree, step=1, rng=Random(0)), "selector") == (
        "select changed the tree, which belongs to the search"
    )


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("no text")

    def __repr__(self) -> str:
        raise ValueError("no text")


def test_an_error_or_a_value_without_a_text_is_named_by_its_type() -> None:
    raising = selector(fails(Mute()))
    returning = selector(Mute)

    for chosen, said in (
        (raising, "select raised Mute"),
        (returning, "select returned a value of type Mute, not a Choice"),
    ):
        assert why(lambda: chosen.select(make_tree(), step=1, rng=Random(0)), "selector") == said  # noqa: B023 (called at once)


@pytest.mark.parametrize("path", [(0,), (1,), (3,), (2, 3), (0, 2, 3)])
def test_a_path_may_begin_anywhere(path: tuple[int, ...]) -> None:
    choice = Choice(path=path, probability=0.5)

    found = selector(lambda: choice).select(make_tree(), step=1, rng=Random(0))

    assert found is choice


@pytest.mark.parametrize(
    ("reward", "said"),
    [
        (float("nan"), "reward returned nan, which is not a finite number"),
        (float("inf"), "reward returned inf, which is not a finite number"),
        (True, "reward returned True, which is not a finite number"),
        (None, "reward returned None, which is not a finite number"),
        (10**400, "which is not a finite number"),
    ],
)
def test_a_reward_is_a_finite_number(reward: Any, said: str) -> None:
    chosen = selector(lambda: None, lambda: reward)

    found = why(
        lambda: chosen.reward(Choice(path=(0,)), depth=0, successes=1, probes=2), "selector"
    )
    assert found.endswith(said)


@pytest.mark.parametrize("reward", [0.25, 1, -3.5])
def test_a_reward_is_handed_on_as_it_is(reward: float) -> None:
    chosen = selector(lambda: None, lambda: reward)

    found = chosen.reward(Choice(path=(0,)), depth=0, successes=1, probes=2)

    assert (found, type(found)) == (reward, type(reward))


def fails(error: BaseException) -> Callable[[], Any]:
    def fail() -> Any:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (KeyError("x"), "KeyError: 'x'"),
        (StopIteration(), "StopIteration"),
        (SystemExit(3), "SystemExit: 3"),
        (ValueError("first line\n   second line"), "ValueError: first line second line"),
        (ValueError("x" * 500), f"ValueError: {'x' * 105}..."),
    ],
)
def test_what_a_plug_in_raises_is_told_in_one_line(error: BaseException, said: str) -> None:
    chosen = selector(fails(error))

    with pytest.raises(PluginBroken) as raised:
        chosen.select(make_tree(), step=1, rng=Random(0))

    who = "the selector odd of some-package is broken: select raised "
    assert str(raised.value) == who + said
    assert raised.value.__cause__ is error


def test_ctrl_c_is_no_fault_of_a_plug_in() -> None:
    chosen = selector(fails(KeyboardInterrupt()))

    with pytest.raises(KeyboardInterrupt):
        chosen.select(make_tree(), step=1, rng=Random(0))


def test_who_was_handed_in_has_no_package_and_no_secret_is_told() -> None:
    plugin = Plugin(noun="provider", name="mine", secrets=("s3cret", "token-1"))

    with pytest.raises(PluginBroken) as raised, plugin.calling("open"):
        raise ValueError("bad header Bearer s3cret, token-1")

    assert str(raised.value) == (
        "the provider mine is broken: open raised ValueError: bad header Bearer ***, ***"
    )


def test_an_error_that_a_plug_in_may_raise_comes_out_as_it_is() -> None:
    plugin = Plugin(noun="provider", name="mine")

    with pytest.raises(LookupError), plugin.calling("complete", may_raise=LookupError):
        raise KeyError("x")
    with pytest.raises(PluginBroken), plugin.calling("complete", may_raise=LookupError):
        raise PluginFault("returned nothing")


# Mutators


def mutator(
    *, parents: Any = 1, prompt: Any = "p", repair: Any = "r", parsed: Any = None
) -> Mutator:
    class Odd(msgspec.Struct, frozen=True, kw_only=True):
        version: ClassVar[str] = "1"

        @property
        def parents(self) -> Any:
            return parents

        def build_prompt(self, parents: tuple[str, ...]) -> Any:
            return prompt

        def build_repair(self, fault: str) -> Any:
            return repair

        def parse(self, reply: str, parents: tuple[str, ...]) -> Any:
            return parsed

    return registry_of("mutators", Odd).mutator(planned("mutators", Odd))


WRONG: Any = b"{query}"  # where a text belongs


@pytest.mark.parametrize(
    ("parsed", "said"),
    [
        (Mutant(text="no slot"), "parse returned a Mutant that has {query} 0 times, not once"),
        (Mutant(text=""), "parse returned a Mutant that has {query} 0 times, not once"),
        (Mutant(text="{query}{query}"), "parse returned a Mutant that has {query} 2 times"),
        ("{query}", "parse returned '{query}', neither a Mutant nor a Rejected"),
        (None, "parse returned None, neither a Mutant nor a Rejected"),
        (Mutant(text=WRONG), "parse returned Mutant(text=b'{query}', repairs=()), not Mutant("),
        (Mutant(text="{query}", repairs=WRONG), "parse returned Mutant(text='{query}', repairs=b"),
        (
            Mutant(text="{query}\ud800"),
            "parse returned Mutant(text='{query}\\ud800', repairs=()), ",
        ),
        (Rejected(fault=WRONG), "parse returned Rejected(fault=b'{query}'), not Rejected("),
    ],
)
def test_a_mutant_is_a_template(parsed: Any, said: str) -> None:
    made = mutator(parsed=parsed)

    assert why(lambda: made.parse("reply", ("{query}",)), "mutator").startswith(said)


@pytest.mark.parametrize("parsed", [Mutant(text="a {query}"), Rejected(fault="no-remark")])
def test_what_a_mutator_makes_is_handed_on(parsed: Mutant | Rejected) -> None:
    assert mutator(parsed=parsed).parse("reply", ("{query}",)) is parsed


def test_what_the_helper_is_told_is_text() -> None:
    made = mutator(prompt=None, repair=("again",))

    prompt = why(lambda: made.build_prompt(("{query}",)), "mutator")
    repair = why(lambda: made.build_repair("empty"), "mutator")

    assert prompt == (
        "build_prompt returned None, which cannot be recorded: Expected `str`, got `null`"
    )
    assert repair.startswith("build_repair returned ('again',), which cannot be recorded")


@pytest.mark.parametrize("parents", [0, 3, "1", None, True, 1.0])
def test_a_mutator_takes_one_template_or_two(parents: Any) -> None:
    made = mutator(parents=parents)

    assert why(lambda: made.parents, "mutator") == f"parents must be 1 or 2, got {parents!r}"


# Judges


def judge_class(
    read: Callable[[Case], Any],
    *,
    declared: tuple[Metric, ...] = ("strict",),
    asks: bool = False,
) -> type:
    class Reader:
        def read(self, case: Case) -> Any:
            return read(case)

    class Odd(msgspec.Struct, frozen=True, kw_only=True):
        version: ClassVar[str] = "1"
        metrics: ClassVar[tuple[Metric, ...]] = declared
        asks_model: ClassVar[bool] = asks

        def prepare(self, about: TargetFacts) -> Reader:
            return Reader()

    return Odd


def judge(
    read: Callable[[Case], Any], *, metrics: tuple[Metric, ...] = ("strict",), asks: bool = False
) -> Judge:
    found = judge_class(read, declared=metrics, asks=asks)
    plan = PlannedJudge(
        name="odd",
        rules=planned("judges", found),
        metrics=metrics,
        model=JUDGE if asks else None,
    )
    return registry_of("judges", found).prepare(plan, make_plan().about)


def returning(opinions: Any) -> Callable[[Case], JudgeDialogue]:
    def read(case: Case) -> JudgeDialogue:
        yield from ()
        found: tuple[Opinion, ...] = opinions
        return found

    return read


def finish(reading: JudgeDialogue, *replies: str | None) -> tuple[Opinion, ...]:
    """Feed *replies* to a reading that asks so often, and return its opinions."""
    said: str | None = None
    for reply in replies:
        assert reading.send(said) == ("Is it?",)
        said = reply
    with pytest.raises(StopIteration) as done:
        reading.send(said)
    opinions: tuple[Opinion, ...] = done.value.value
    return opinions


@pytest.mark.parametrize(
    ("opinions", "said"),
    [
        ((STRICT, STRICT), "read returned 2 opinions on strict, not one (perhaps Unparsed)"),
        ((), "read returned 0 opinions on strict, not one (perhaps Unparsed)"),
        ((STRICT, LOOSE), "read returned an opinion on loose, which is none of its metrics"),
        (
            (Verdict(metric="hard", positive=True),),
            "read returned an opinion on hard, which is none of its metrics",
        ),
        (
            (Verdict(metric="foo", positive=True),),  # type: ignore[arg-type]
            "read returned (Verdict(metric='foo', positive=True",
        ),
        ((Verdict(metric="strict", positive=1),), "read returned (Verdict(metric='strict', pos"),  # type: ignore[arg-type]
        ([STRICT], "read returned [Verdict(metric='strict', positive=False"),
        (STRICT, "read returned Verdict(metric='strict', positive=False"),
        (None, "read returned None, which cannot be recorded: Expected `array`, got `null`"),
    ],
)
def test_a_judge_has_one_opinion_on_each_of_its_metrics(opinions: Any, said: str) -> None:
    made = judge(returning(opinions))

    assert why(lambda: made.read(CASE).send(None), "judge").startswith(said)


@pytest.mark.parametrize("vendor", ["", "nobody", "alibaba"])
def test_a_strict_verdict_names_a_vendor_that_the_plan_allows(vendor: str) -> None:
    """The target's own vendor is not among them, and the hard verdict is derived from it."""
    made = judge(returning((Verdict(metric="strict", positive=True, vendor=vendor),)))

    assert why(lambda: made.read(CASE).send(None), "judge") == (
        f"read returned a positive strict verdict with the vendor {vendor!r}, which is none of "
        "about.strict_vendors"
    )


@pytest.mark.parametrize(
    "opinions",
    [
        (STRICT,),
        (Unparsed(metric="strict"),),
        (Verdict(metric="strict", positive=False, vendor="nobody"),),
        (Verdict(metric="strict", positive=True, vendor=make_plan().about.strict_vendors[0]),),
    ],
)
def test_opinions_are_handed_on(opinions: tuple[Opinion, ...]) -> None:
    assert finish(judge(returning(opinions)).read(CASE)) is opinions


def asking(times: int, *opinions: Opinion) -> Callable[[Case], JudgeDialogue]:
    def read(case: Case) -> JudgeDialogue:
        for _ in range(times):
            yield ("Is it?",)
        return opinions

    return read


def test_a_judge_may_leave_out_what_a_failed_call_was_to_decide() -> None:
    made = judge(asking(2, LOOSE), metrics=("loose", "strict"), asks=True)

    assert finish(made.read(CASE), "yes", None) == (LOOSE,)
    with pytest.raises(PluginBroken, match="0 opinions on strict"):
        finish(made.read(CASE), "yes", "perhaps")


def test_a_judge_that_asks_until_it_can_read_ends() -> None:
    def read(case: Case) -> JudgeDialogue:
        while True:
            yield ("Is it?",)

    reading = judge(read, asks=True).read(CASE)
    for number in range(MOST_CALLS):
        reading.send(None if number == 0 else "mumble")

    assert why(lambda: reading.send("mumble"), "judge") == (
        "read asks its model more than 8 times about one response"
    )
    patient = judge(asking(MOST_CALLS, STRICT), asks=True)
    assert finish(patient.read(CASE), *["mumble"] * MOST_CALLS) == (STRICT,)


@pytest.mark.parametrize(
    ("turns", "said"),
    [
        ("Is it?", "read returned 'Is it?', which cannot be recorded: Expected `array`, got `str`"),
        ((), "read asks its model nothing: it yields ()"),
        ((None,), "read returned (None,), which cannot be recorded: Expected `str`, got `null`"),
    ],
)
def test_a_judge_yields_a_tuple_of_texts(turns: Any, said: str) -> None:
    def read(case: Case) -> JudgeDialogue:
        yield turns
        return (STRICT,)

    reading = judge(read, asks=True).read(CASE)

    assert why(lambda: reading.send(None), "judge").startswith(said)


def test_a_judge_that_is_planned_without_a_model_asks_none() -> None:
    reading = judge(asking(1, STRICT), asks=False).read(CASE)

    assert (
        why(lambda: reading.send(None), "judge") == "read asks a model, though asks_model is False"
    )


def test_a_judge_that_returns_its_verdicts_at_once_is_told_what_to_write() -> None:
    made = judge(lambda case: (STRICT,))

    assert why(lambda: made.read(CASE).send(None), "judge").endswith(
        ", no generator (begin with: yield from ())"
    )


def test_a_judge_without_read_is_none() -> None:
    class Odd(msgspec.Struct, frozen=True, kw_only=True):
        version: ClassVar[str] = "1"
        metrics: ClassVar[tuple[Metric, ...]] = ("strict",)
        asks_model: ClassVar[bool] = False

        def prepare(self, about: TargetFacts) -> None:
            """Forget to return anything."""

    plan = PlannedJudge(name="odd", rules=planned("judges", Odd), metrics=("strict",))
    registry = registry_of("judges", Odd)

    assert why(lambda: registry.prepare(plan, make_plan().about), "judge") == (
        "prepare returned None, which has no read"
    )


def test_a_judge_that_decides_something_else_than_the_plan_says_is_refused() -> None:
    found = judge_class(returning((STRICT,)))
    rules = planned("judges", found)
    registry, about = registry_of("judges", found), make_plan().about

    for plan in (
        PlannedJudge(name="odd", rules=rules, metrics=("loose", "strict")),
        PlannedJudge(name="odd", rules=rules, metrics=("strict",), model=JUDGE),
    ):
        with pytest.raises(FileInvalid, match="it would decide differently"):
            registry.prepare(plan, about)


# What a class says of itself, and its settings


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        (("foo",), 'it has metrics (\'foo\',), not a tuple of "loose", "strict" or both'),
        (("strict", "hard"), "it has metrics ('strict', 'hard'), not a tuple"),
        (("strict", "loose"), "it has metrics ('strict', 'loose'), not a tuple"),
        (("strict", "strict"), "it has metrics ('strict', 'strict'), not a tuple"),
        ("strict", "it has metrics 'strict', not a tuple"),
        (["strict"], "it has metrics ['strict'], not a tuple"),
        ((), "it has metrics (), not a tuple"),
        (None, "it has metrics None, not a tuple"),
        (5, "it has metrics 5, not a tuple"),
    ],
)
def test_metrics_that_no_plan_could_hold_are_refused(metrics: Any, said: str) -> None:
    found = judge_class(returning(()), declared=metrics)

    assert why(lambda: planned("judges", found), "judge").startswith(said)


@pytest.mark.parametrize("metrics", [("loose",), ("strict",), ("loose", "strict")])
def test_metrics_that_there_are_are_taken(metrics: tuple[Metric, ...]) -> None:
    assert planned("judges", judge_class(returning(()), declared=metrics)).name == "odd"


def test_a_version_is_a_text_of_the_class() -> None:
    class Numbered(msgspec.Struct, frozen=True, kw_only=True):
        version: ClassVar[int] = 1
        select = reward = None

    class AsSetting(msgspec.Struct, frozen=True, kw_only=True):
        version: str = "1"
        select: ClassVar[None] = None
        reward: ClassVar[None] = None

    for found in (Numbered, AsSetting):
        assert why(lambda found=found: planned("selectors", found), "selector") == (  # type: ignore[misc]
            "it has a version that is not a class variable with a non-empty text"
        )


def with_default(value: Any) -> type:
    class Odd(msgspec.Struct, frozen=True, kw_only=True):
        version: ClassVar[str] = "1"
        select: ClassVar[None] = None
        reward: ClassVar[None] = None

        weight: float = value

    return Odd


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), "its settings raised ValidationError: Expected `float`, got `null`"),
        ("much", "its settings raised ValidationError: Expected `float`, got `str`"),
        (object(), "its settings raised TypeError: Encoding objects of type object is unsup"),
    ],
)
def test_a_default_that_a_plan_could_not_hold_is_refused(value: Any, said: str) -> None:
    found = with_default(value)

    assert why(lambda: planned("selectors", found), "selector").startswith(said)
    assert planned("selectors", found, {"weight": 2}).settings == '{"weight":2.0}'


def test_a_default_may_be_an_int_for_a_float() -> None:
    assert planned("selectors", with_default(1)).settings == '{"weight":1}'


def test_settings_that_are_not_read_as_they_are_written_are_refused() -> None:
    class Odd(msgspec.Struct, frozen=True, kw_only=True):
        version: ClassVar[str] = "1"
        select: ClassVar[None] = None
        reward: ClassVar[None] = None

        weight: float = 1.0

        def __post_init__(self) -> None:
            msgspec.structs.force_setattr(self, "weight", self.weight / 2)

    assert why(lambda: planned("selectors", Odd), "selector") == (
        'its settings are {"weight":0.5} when written, and {"weight":0.25} when read'
    )


def test_a_class_that_cannot_be_made_or_loaded_is_named() -> None:
    class Odd(msgspec.Struct, frozen=True, kw_only=True):
        version: ClassVar[str] = "1"
        select: ClassVar[None] = None
        reward: ClassVar[None] = None

        def __post_init__(self) -> None:
            raise KeyError("HOME")

    def load() -> object:
        raise ModuleNotFoundError("No module named 'torch'")

    unloaded = StrategyRegistry(lambda _: {"odd": PluginSpec(load=load, package="some-package")})

    assert why(lambda: planned("selectors", Odd), "selector") == "__init__ raised KeyError: 'HOME'"
    assert why(lambda: unloaded.plan("selectors", "odd", {}, "x"), "selector") == (
        "its import raised ModuleNotFoundError: No module named 'torch'"
    )
