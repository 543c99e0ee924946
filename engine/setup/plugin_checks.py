"""Checks on plug-ins: strategies of other packages, and the errors of any plug-in.

Built-in strategies are not checked: mypy and the tests cover them, and an error in them is a bug
of Hydrometer. The code of a plug-in may be wrong in any way, so two rules hold. An error in a
plug-in ends the command with one line that names the plug-in. A returned value must survive
encoding and decoding, because it goes into a plan, an event or the cache and is read again later.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import is_dataclass
from itertools import chain, pairwise
from math import isfinite
from random import Random
from typing import Any, ClassVar, Literal

import msgspec

from ...strategies.base import Choice, JudgeDialogue, Mutator, Selector
from ...strategies.search.tree import Tree
from ...strategies.types import (
    SLOT,
    Case,
    Metric,
    Mutant,
    NodeId,
    Opinion,
    Rejected,
    Verdict,
)
from ..errors import PluginBroken

StrategyKind = Literal["selectors", "mutators", "judges"]

MOST_CALLS = 8  # calls that a judge may make about one response; after that it returns Unparsed

_MAX_EXCERPT = 120  # characters of an error or a returned value that a message shows
_JUDGE_METRICS: tuple[Metric, ...] = ("loose", "strict")  # hard is derived from strict by rule
_REQUIRED_MEMBERS: dict[StrategyKind, tuple[str, ...]] = {
    "selectors": ("version", "select", "reward"),
    "mutators": ("version", "parents", "build_prompt", "build_repair", "parse"),
    "judges": ("version", "metrics", "asks_model", "prepare"),
}


class PluginFault(Exception):
    """A fault in a value from a plug-in. `Plugin.calling` adds the name of the plug-in."""


class Plugin(msgspec.Struct, frozen=True, kw_only=True):
    """The plug-in that an error is attributed to.

    *package* is empty for a plug-in that a program passed in. *secrets* are masked in messages.
    """

    noun: str
    name: str
    package: str = ""
    secrets: tuple[str, ...] = ()

    @contextmanager
    def calling(
        self, method: str, *, may_raise: type[Exception] | tuple[type[Exception], ...] = ()
    ) -> Iterator[None]:
        """Raise PluginBroken if the block raises a PluginFault or any other Exception.

        *may_raise* are the exception types that are raised unchanged. Catching every Exception is
        allowed only here and in command_line/shared_options.py. The exceptions of a plug-in cannot
        be listed in advance, and none of them is swallowed. Cancellation and KeyboardInterrupt are
        not caught.
        """
        try:
            yield
        except PluginFault as fault:
            raise self._broken(method, str(fault)) from None
        except may_raise:
            raise
        except (Exception, SystemExit) as error:
            message = f"{type(error).__name__}: {_text_of(error)}".removesuffix(": ")
            for secret in self.secrets:
                message = message.replace(secret, "***")
            raise self._broken(method, f"raised {_short(message)}") from error

    def _broken(self, method: str, fault: str) -> PluginBroken:
        of = f" of {self.package}" if self.package else ""
        return PluginBroken(f"the {self.noun} {self.name}{of} is broken: {method} {fault}")


def check_kept(value: object, kind: Any, *, verb: str = "returned") -> None:
    """Raise PluginFault unless *value*, written as JSON and read as a *kind*, is the same value.

    *verb* says in the message how the value was given.
    """
    try:
        again = msgspec.json.decode(msgspec.json.encode(value), type=kind)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        raise PluginFault(f"{verb} {excerpt(value)}, which cannot be recorded: {error}") from None
    if again != value:
        raise PluginFault(f"{verb} {excerpt(value)}, not {excerpt(again)}")


def excerpt(value: object) -> str:
    """Return the repr of *value* in one line, shortened for a message."""
    with suppress(Exception):  # the repr of a plug-in's class may raise anything
        return _short(repr(value))
    return f"a value of type {type(value).__name__}"


def _text_of(error: BaseException) -> str:
    with suppress(Exception):  # the text of a plug-in's error may raise anything
        return str(error)
    return ""


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MAX_EXCERPT else f"{line[: _MAX_EXCERPT - 3]}..."


def check_class(kind: StrategyKind, loaded: Any) -> None:
    """Raise PluginFault unless *loaded* is a class of that kind of strategy."""
    is_class = isinstance(loaded, type)
    if not is_class or not (issubclass(loaded, msgspec.Struct) or is_dataclass(loaded)):
        raise PluginFault("is neither a msgspec Struct nor a dataclass")
    if missing := [name for name in _REQUIRED_MEMBERS[kind] if not hasattr(loaded, name)]:
        raise PluginFault(f"has no {', '.join(missing)}")
    if not isinstance(loaded.version, str) or not loaded.version:
        raise PluginFault("has a version that is not a class variable with a non-empty text")
    if kind == "judges":
        metrics = loaded.metrics
        is_tuple = isinstance(metrics, tuple)
        ordered = tuple(metric for metric in _JUDGE_METRICS if is_tuple and metric in metrics)
        if not ordered or metrics != ordered:
            raise PluginFault(
                f'has metrics {excerpt(metrics)}, not a tuple of "loose", "strict" or both'
            )
        if not isinstance(loaded.asks_model, bool):
            raise PluginFault(f"has asks_model {excerpt(loaded.asks_model)}, not True or False")


class CheckedSelector(msgspec.Struct, frozen=True, kw_only=True):
    """A plug-in selector with checks on its choices and rewards.

    A choice must be a path of the tree, with a probability. A reward must be a finite number. The
    selector may not change the tree, which belongs to the search.
    """

    version: ClassVar[str] = ""  # unused: the registry reads it from the class of the plug-in

    plugin: Plugin
    inner: Selector

    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        """Return the choice for one ticket."""
        with self.plugin.calling("select"):
            before = _state_of(tree)
            choice: object = self.inner.select(tree, step=step, rng=rng)
            if _state_of(tree) != before:
                raise PluginFault("changed the tree, which belongs to the search")
            if not isinstance(choice, Choice):
                raise PluginFault(f"returned {excerpt(choice)}, not a Choice")
            _check_path(choice.path, tree)
            _check_probability(choice.probability)
        return choice

    def reward(self, choice: Choice, *, depth: int, successes: int, probes: int) -> float:
        """Return the reward of each node of the path."""
        with self.plugin.calling("reward"):
            reward = self.inner.reward(choice, depth=depth, successes=successes, probes=probes)
            if not _is_finite(reward):
                raise PluginFault(f"returned {excerpt(reward)}, which is not a finite number")
        return reward


def _is_finite(number: object) -> bool:
    """Return whether *number* is a finite number, and no bool."""
    try:
        return type(number) in (int, float) and isfinite(number)  # type: ignore[arg-type]
    except OverflowError:  # an int that is too large for a float
        return False


def _state_of(tree: Tree) -> tuple[object, ...]:
    """Return a copy of the content of *tree*. It costs about a millisecond for 10,000 nodes."""
    return (
        tuple(tree.visits),
        tuple(tree.rewards),
        tuple(tree.depths),
        tuple(map(len, tree.children)),
        tuple(chain.from_iterable(tree.children)),
        tree.roots,
    )


def _check_probability(probability: object) -> None:
    if not _is_finite(probability) or not 0.0 < probability <= 1.0:  # type: ignore[operator]
        raise PluginFault(
            f"returned the probability {excerpt(probability)}, which is not above 0 and at most 1"
        )


def _check_path(path: tuple[NodeId, ...], tree: Tree) -> None:
    """Raise PluginFault unless *path* is a path of *tree*: each node is a child of the one before.

    A path may start at any node, and may consist of one node.
    """
    check_kept(path, tuple[NodeId, ...])
    if not path:
        raise PluginFault("returned an empty path")
    if unknown := [node for node in path if not 0 <= node < len(tree)]:
        raise PluginFault(
            f"returned node {unknown[0]} of a tree that has nodes 0 to {len(tree) - 1}"
        )
    for parent, child in pairwise(path):
        if child not in tree.children[parent]:
            raise PluginFault(
                f"returned the path {excerpt(path)}, and {child} is no child of {parent}"
            )


class CheckedMutator(msgspec.Struct, frozen=True, kw_only=True):
    """A plug-in mutator with checks: mutants must be templates, with exactly one slot."""

    version: ClassVar[str] = ""  # unused: the registry reads it from the class of the plug-in

    plugin: Plugin
    inner: Mutator

    @property
    def parents(self) -> int:
        """The number of templates that the mutator takes: one or two."""
        with self.plugin.calling("parents"):
            parents = self.inner.parents
            if type(parents) is not int or parents not in (1, 2):
                raise PluginFault(f"must be 1 or 2, got {excerpt(parents)}")
        return parents

    def build_prompt(self, parents: tuple[str, ...]) -> str:
        """Return the prompt that asks the helper for a mutant of *parents*."""
        with self.plugin.calling("build_prompt"):
            prompt = self.inner.build_prompt(parents)
            check_kept(prompt, str)
        return prompt

    def build_repair(self, fault: str) -> str:
        """Return the message that tells the helper what is wrong with its reply."""
        with self.plugin.calling("build_repair"):
            repair = self.inner.build_repair(fault)
            check_kept(repair, str)
        return repair

    def parse(self, reply: str, parents: tuple[str, ...]) -> Mutant | Rejected:
        """Read the helper's *reply*."""
        with self.plugin.calling("parse"):
            parsed: object = self.inner.parse(reply, parents)
            if not isinstance(parsed, Mutant | Rejected):
                raise PluginFault(f"returned {excerpt(parsed)}, neither a Mutant nor a Rejected")
            check_kept(parsed, type(parsed))
            if isinstance(parsed, Mutant) and (slots := parsed.text.count(SLOT)) != 1:
                raise PluginFault(f"returned a Mutant that has {SLOT} {slots} times, not once")
        return parsed


class CheckedJudge:
    """A plug-in judge with checks on its calls and its opinions.

    It may make at most MOST_CALLS calls about one response, and must return exactly one opinion for
    each of *metrics*. If a call failed for good, opinions may be missing. *asks_model* says whether
    the plan has a model for the judge. A positive strict verdict must name one of *strict_vendors*.
    Raises PluginFault if *judge* has no method ``read``.
    """

    def __init__(
        self,
        plugin: Plugin,
        judge: Any,
        *,
        metrics: tuple[Metric, ...],
        asks_model: bool,
        strict_vendors: tuple[str, ...],
    ) -> None:
        if not hasattr(judge, "read"):
            raise PluginFault(f"returned {excerpt(judge)}, which has no read")
        self._plugin = plugin
        self._judge = judge
        self._metrics = metrics
        self._asks_model = asks_model
        self._strict_vendors = strict_vendors

    def read(self, case: Case) -> JudgeDialogue:
        """Return the dialogue about one response."""
        with self._plugin.calling("read"):
            dialogue = self._judge.read(case)
            if not isinstance(dialogue, Generator):
                raise PluginFault(
                    f"returned {excerpt(dialogue)}, no generator (begin with: yield from ())"
                )
        reply: str | None = None  # None starts the generator
        calls, failed = 0, False
        while True:
            with self._plugin.calling("read"):
                try:
                    turns = dialogue.send(reply)
                except StopIteration as done:
                    self._check_opinions(done.value, failed=failed)
                    opinions: tuple[Opinion, ...] = done.value
                    return opinions
                self._check_turns(turns, calls)
            reply = yield turns
            calls, failed = calls + 1, failed or reply is None

    def _check_turns(self, turns: object, calls: int) -> None:
        if not self._asks_model:
            raise PluginFault("asks a model, though asks_model is False")
        if calls == MOST_CALLS:
            raise PluginFault(f"asks its model more than {MOST_CALLS} times about one response")
        check_kept(turns, tuple[str, ...])
        if not turns:
            raise PluginFault("asks its model nothing: it yields ()")

    def _check_opinions(self, opinions: tuple[Opinion, ...], *, failed: bool) -> None:
        check_kept(opinions, tuple[Opinion, ...])
        found = [opinion.metric for opinion in opinions]
        if unknown := [metric for metric in found if metric not in self._metrics]:
            raise PluginFault(f"returned an opinion on {unknown[0]}, which is none of its metrics")
        for metric in self._metrics:
            times = found.count(metric)
            if times > 1 or (times == 0 and not failed):
                raise PluginFault(
                    f"returned {times} opinions on {metric}, not one (perhaps Unparsed)"
                )
        for opinion in opinions:
            if isinstance(opinion, Verdict) and opinion.metric == "strict" and opinion.positive:
                self._check_vendor(opinion.vendor)

    def _check_vendor(self, vendor: str) -> None:
        if vendor not in self._strict_vendors:
            raise PluginFault(
                f"returned a positive strict verdict with the vendor {excerpt(vendor)}, which is "
                "none of about.strict_vendors"
            )
