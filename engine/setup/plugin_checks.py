"""The boundary to strategies and providers of other packages: what comes in from them is checked.

Ours go unchecked: mypy and the tests see to that, and what they raise crashes as a bug. A plug-in
is somebody else's code: what it raises has to end in one line that names it, and what it returns
must not get into a plan, an event or the cache unless it can be read from there again.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from itertools import pairwise
from math import isfinite
from random import Random
from typing import Any, ClassVar, Literal

import msgspec

from ...strategies.base import Choice, JudgeDialogue, Mutator, Selector
from ...strategies.search.tree import Tree
from ...strategies.types import SLOT, Case, Metric, Mutant, NodeId, Opinion, Rejected
from ..errors import PluginBroken

StrategyKind = Literal["selectors", "mutators", "judges"]

MOST_CALLS = 8  # that a judge may make about one response; what it can't read by then is Unparsed

_LONGEST = 120  # characters that a message repeats of what a plug-in raised or returned
_DECIDED: tuple[Metric, ...] = ("loose", "strict")  # hard follows from strict by rule
_MUST_HAVE: dict[StrategyKind, tuple[str, ...]] = {
    "selectors": ("version", "select", "reward"),
    "mutators": ("version", "parents", "build_prompt", "build_repair", "parse"),
    "judges": ("version", "metrics", "asks_model", "prepare"),
}


class PluginFault(Exception):
    """What is wrong with something that a plug-in gave; whose it is, `Plugin.calling` adds."""


class Plugin(msgspec.Struct, frozen=True, kw_only=True):
    """Who is to blame; *package* is empty for what a program handed in, *secrets* are not told."""

    noun: str
    name: str
    package: str = ""
    secrets: tuple[str, ...] = ()

    @contextmanager
    def calling(self, method: str, *, may_raise: type[Exception] = PluginFault) -> Iterator[None]:
        """Raise PluginBroken for a PluginFault, and for what else the block raises but *may_raise*.

        Beside cli.py this alone catches everything: what somebody else's code raises cannot be
        listed, and it is passed on, not swallowed. Cancellation and Ctrl-C are left alone.
        """
        try:
            yield
        except PluginFault as fault:
            raise self._broken(method, str(fault)) from None
        except may_raise:
            raise
        except (Exception, SystemExit) as error:
            said = f"{type(error).__name__}: {error}".removesuffix(": ")
            for secret in self.secrets:
                said = said.replace(secret, "***")
            raise self._broken(method, f"raised {_short(said)}") from error

    def _broken(self, method: str, fault: str) -> PluginBroken:
        of = f" of {self.package}" if self.package else ""
        return PluginBroken(f"the {self.noun} {self.name}{of} is broken: {method} {fault}")


def check_kept(value: object, kind: Any) -> None:
    """Raise PluginFault unless *value* comes out of JSON as the *kind* that went in."""
    try:
        again = msgspec.json.decode(msgspec.json.encode(value), type=kind)
    except (msgspec.MsgspecError, TypeError, ValueError, RecursionError) as error:
        raise PluginFault(f"returned {excerpt(value)}, which cannot be recorded: {error}") from None
    if again != value:
        raise PluginFault(f"returned {excerpt(value)}, not {excerpt(again)}")


def excerpt(value: object) -> str:
    """Return *value* as a message shows it."""
    return _short(repr(value))


def _short(said: str) -> str:
    line = " ".join(said.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


def check_class(kind: StrategyKind, loaded: Any) -> None:
    """Raise PluginFault unless *loaded* is a class of that kind of strategy."""
    is_class = isinstance(loaded, type)
    if not is_class or not (issubclass(loaded, msgspec.Struct) or is_dataclass(loaded)):
        raise PluginFault("is no msgspec Struct and no dataclass")
    if lacking := [part for part in _MUST_HAVE[kind] if not hasattr(loaded, part)]:
        raise PluginFault(f"has no {', '.join(lacking)}")
    if not isinstance(loaded.version, str) or not loaded.version:
        raise PluginFault("has a version that is no text, or no class variable")
    if kind == "judges":
        metrics = loaded.metrics
        decided = [metric for metric in _DECIDED if metric in metrics]
        if not decided or metrics != tuple(decided):
            raise PluginFault(
                f'has metrics {excerpt(metrics)}, no tuple of "loose", "strict" or both'
            )
        if not isinstance(loaded.asks_model, bool):
            raise PluginFault(f"has asks_model {excerpt(loaded.asks_model)}, not True or False")


class CheckedSelector(msgspec.Struct, frozen=True, kw_only=True):
    """A selector whose choices are paths of the tree, and whose rewards are numbers."""

    version: ClassVar[str] = ""  # asked of classes that were loaded, not of what is made of them

    plugin: Plugin
    inner: Selector

    def select(self, tree: Tree, *, step: int, rng: Random) -> Choice:
        """Return the choice of one ticket."""
        with self.plugin.calling("select"):
            choice: object = self.inner.select(tree, step=step, rng=rng)
            if not isinstance(choice, Choice):
                raise PluginFault(f"returned {excerpt(choice)}, not a Choice")
            _check_path(choice.path, tree)
        return choice

    def reward(self, choice: Choice, *, depth: int, successes: int, probes: int) -> float:
        """Return the reward of each node of the path."""
        with self.plugin.calling("reward"):
            reward = self.inner.reward(choice, depth=depth, successes=successes, probes=probes)
            if not isfinite(reward):
                raise PluginFault(f"returned {reward}, which is no finite number")
            check_kept(reward, float)
        return reward


def _check_path(path: tuple[NodeId, ...], tree: Tree) -> None:
    """Raise PluginFault unless *path* leads from some node of *tree* down to another."""
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
    """A mutator whose mutants are templates."""

    version: ClassVar[str] = ""  # asked of classes that were loaded, not of what is made of them

    plugin: Plugin
    inner: Mutator

    @property
    def parents(self) -> int:
        """How many templates it takes, one or two."""
        with self.plugin.calling("parents"):
            parents = self.inner.parents
            if parents not in (1, 2):
                raise PluginFault(f"must be 1 or 2, got {excerpt(parents)}")
        return parents

    def build_prompt(self, parents: tuple[str, ...]) -> str:
        """Return what to ask the helper about the texts of the parents."""
        with self.plugin.calling("build_prompt"):
            prompt = self.inner.build_prompt(parents)
            check_kept(prompt, str)
        return prompt

    def build_repair(self, fault: str) -> str:
        """Return what to say to the helper about a faulty reply."""
        with self.plugin.calling("build_repair"):
            repair = self.inner.build_repair(fault)
            check_kept(repair, str)
        return repair

    def parse(self, reply: str, parents: tuple[str, ...]) -> Mutant | Rejected:
        """Read the helper's *reply*."""
        with self.plugin.calling("parse"):
            read: object = self.inner.parse(reply, parents)
            if not isinstance(read, Mutant | Rejected):
                raise PluginFault(f"returned {excerpt(read)}, neither a Mutant nor a Rejected")
            check_kept(read, type(read))
            if isinstance(read, Mutant) and (slots := read.text.count(SLOT)) != 1:
                raise PluginFault(f"returned a Mutant that has {SLOT} {slots} times, not once")
        return read


class CheckedJudge:
    """A judge that asks its model a few times at most, and has one opinion for each of *metrics*.

    Where a call of a reading failed for good, opinions may be missing. *asks_model* is whether
    the plan has a model to ask. Raises PluginFault for what is no judge.
    """

    def __init__(
        self, plugin: Plugin, judge: Any, *, metrics: tuple[Metric, ...], asks_model: bool
    ) -> None:
        if not hasattr(judge, "read"):
            raise PluginFault(f"returned {excerpt(judge)}, which has no read")
        self._plugin = plugin
        self._judge = judge
        self._metrics = metrics
        self._asks_model = asks_model

    def read(self, case: Case) -> JudgeDialogue:
        """Return the reading of one response."""
        with self._plugin.calling("read"):
            reading = self._judge.read(case)
            if not isinstance(reading, Generator):
                raise PluginFault(
                    f"returned {excerpt(reading)}, no generator (begin with: yield from ())"
                )
        said: str | None = None  # nothing yet: what starts a generator
        calls, failed = 0, False
        while True:
            with self._plugin.calling("read"):
                try:
                    turns = reading.send(said)
                except StopIteration as done:
                    self._check_opinions(done.value, failed=failed)
                    opinions: tuple[Opinion, ...] = done.value
                    return opinions
                self._check_turns(turns, calls)
            said = yield turns
            calls, failed = calls + 1, failed or said is None

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
        given = [opinion.metric for opinion in opinions]
        if strange := [metric for metric in given if metric not in self._metrics]:
            raise PluginFault(f"returned an opinion on {strange[0]}, which is none of its metrics")
        for metric in self._metrics:
            times = given.count(metric)
            if times > 1 or (times == 0 and not failed):
                raise PluginFault(
                    f"returned {times} opinions on {metric}, not one (perhaps Unparsed)"
                )
