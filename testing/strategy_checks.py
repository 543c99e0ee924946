"""Checks on strategies: same input, same decision; and what they return can be recorded.

A run replays only if its strategies decide the same a second time, so each check makes the strategy
twice from the same settings and compares what both decide. The strategy is made as a run makes it,
settings and all, and is wrapped in the checks that a run applies to plug-ins.

All checks raise PluginBroken for what a run would refuse: a class that is no strategy, settings
or results that cannot be recorded, an exception of the strategy. They raise ConfigInvalid for
*settings* that the strategy does not take, and AssertionError for decisions that differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import msgspec

from ..engine.setup.models import PlannedModel
from ..engine.setup.plan import PlannedJudge, PlannedStrategy
from ..engine.setup.plugin_checks import StrategyKind
from ..engine.setup.registry import PluginSpec, StrategyRegistry
from ..strategies.base import Choice, Judge, Mutator, Selector
from ..strategies.search.tree import Tree
from ..strategies.types import Case, Mutant, Opinion, Rejected, TargetFacts

_NAME = "under-test"
_PROBES = 5  # of each visit of a played search
_TEMPLATES = (
    "Answer as yourself: {query}",
    "You are on the radio, and a listener asks: {query}",
)


class JudgeReading(msgspec.Struct, frozen=True, kw_only=True):
    """One response as a judge read it: its opinions, and the conversations that it asked."""

    opinions: tuple[Opinion, ...]
    asked: tuple[tuple[str, ...], ...] = ()


def check_selector(
    cls: type,
    settings: Mapping[str, object] | None = None,
    *,
    steps: int = 200,
    roots: int = 5,
    seed: int = 0,
) -> None:
    """Play two equal searches of *steps* tickets and require equal choices and rewards.

    The tree begins with *roots* templates and grows with every third ticket. The selector may not
    change the tree. See the module for what is raised.
    """
    registry, planned = _plan("selectors", cls, settings)
    first, second = (
        _play(registry.selector(planned), steps=steps, roots=roots, seed=seed) for _ in range(2)
    )
    _require_equal(first, second, "the selector")


def check_mutator(
    cls: type,
    *replies: str,
    settings: Mapping[str, object] | None = None,
    templates: Sequence[str] = _TEMPLATES,
) -> tuple[Mutant | Rejected, ...]:
    """Have two equal mutators ask and read every reply; return what they made of *replies*.

    *templates* are the parents' texts, at least as many as the mutator takes, each with the slot
    ``{query}`` once. See the module for what is raised.
    """
    registry, planned = _plan("mutators", cls, settings)
    first, second = (_mutate(registry.mutator(planned), replies, templates) for _ in range(2))
    _require_equal(first, second, "the mutator")
    return first[1]


def check_judge(
    cls: type,
    case: Case,
    *replies: str | None,
    settings: Mapping[str, object] | None = None,
    about: TargetFacts | None = None,
) -> JudgeReading:
    """Have two equal judges read *case* and return the reading.

    *replies* are those of the judge's model, in order; None is a call that failed for good.
    *about* holds the facts of the target, by default none. Raises AssertionError too if the judge
    asks more often than there are replies. See the module for what else is raised.
    """
    registry, rules = _plan("judges", cls, settings)
    kind = registry.judge(rules)
    planned = PlannedJudge(
        name=_NAME,
        rules=rules,
        metrics=kind.metrics,
        model=PlannedModel(name="judge", identity="fake:judge") if kind.asks_model else None,
    )
    first, second = (
        _read(registry.prepare(planned, about or TargetFacts()), case, replies) for _ in range(2)
    )
    _require_equal(first, second, "the judge")
    return first


def _plan(
    kind: StrategyKind, cls: type, settings: Mapping[str, object] | None
) -> tuple[StrategyRegistry, PlannedStrategy]:
    def find(wanted: StrategyKind) -> Mapping[str, PluginSpec]:
        return {_NAME: PluginSpec(load=lambda: cls)} if wanted == kind else {}

    registry = StrategyRegistry(find)
    return registry, registry.plan(
        kind, _NAME, settings or {}, "settings", settings_path="settings"
    )


def _play(
    selector: Selector, *, steps: int, roots: int, seed: int
) -> tuple[tuple[Choice, float], ...]:
    tree = Tree(roots)
    played = []
    for step in range(1, steps + 1):
        choice = selector.select(tree, step=step, rng=Random(f"{seed}/select/{step}"))
        successes = Random(f"{seed}/outcome/{step}").randint(0, _PROBES)
        chosen = choice.path[-1]
        reward = selector.reward(
            choice, depth=tree.depths[chosen], successes=successes, probes=_PROBES
        )
        tree.visit(choice.path)
        tree.backpropagate(choice.path, reward)
        if step % 3 == 0:
            tree.add(chosen)
        played.append((choice, reward))
    return tuple(played)


def _mutate(
    mutator: Mutator, replies: Sequence[str], templates: Sequence[str]
) -> tuple[str, tuple[Mutant | Rejected, ...], tuple[str, ...]]:
    parents = tuple(templates[: mutator.parents])
    prompt = mutator.build_prompt(parents)
    read = tuple(mutator.parse(reply, parents) for reply in replies)
    repairs = tuple(
        mutator.build_repair(result.fault) for result in read if isinstance(result, Rejected)
    )
    return prompt, read, repairs


def _read(judge: Judge, case: Case, replies: Sequence[str | None]) -> JudgeReading:
    dialogue = judge.read(case)
    asked: list[tuple[str, ...]] = []
    waiting = iter(replies)
    try:
        asked.append(next(dialogue))
        while True:
            if len(asked) > len(replies):
                raise AssertionError(
                    f"the judge asks {len(asked)} times, and there are {len(replies)} replies"
                )
            asked.append(dialogue.send(next(waiting)))
    except StopIteration as done:
        return JudgeReading(opinions=done.value, asked=tuple(asked))


def _require_equal(first: Any, second: Any, what: str) -> None:
    if first != second:
        raise AssertionError(
            f"{what} decided differently from the same input: it must use no clock, no file, no "
            "state and no randomness but the rng that it is given"
        )
