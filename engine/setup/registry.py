"""Strategies by name: from what the config or a plan says to the objects that decide.

Those that come with Hydrometer are listed here; those of other packages are asked for by *find*,
which commands hand in, and only when a name is not ours. They are handed out wrapped in their
checks (plugged.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields
from typing import Any, get_args

import msgspec

from ...strategies.base import Judge, JudgeRules, Mutator, Selector
from ...strategies.judging.judges import Identity, Lexical
from ...strategies.mutation.rewrite import MutatorName, Rewrite
from ...strategies.search.bandits import Exp3, Ucb
from ...strategies.search.baselines import RandomChoice, RoundRobin
from ...strategies.search.mcts import MctsExplore
from ...strategies.types import TargetFacts
from ..errors import ConfigInvalid, FileInvalid
from .hints import name_hint
from .plan import PlannedJudge, PlannedStrategy
from .plugin_checks import (
    CheckedJudge,
    CheckedMutator,
    CheckedSelector,
    Plugin,
    PluginFault,
    StrategyKind,
    check_class,
)


class PluginSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A class that another package gives, not loaded yet; *package* is empty for one handed in."""

    load: Callable[[], object]
    package: str = ""


# Finds what other packages give of one kind, by name.
FindPlugins = Callable[[StrategyKind], Mapping[str, PluginSpec]]

_OURS: dict[StrategyKind, dict[str, type[Any]]] = {
    "selectors": {
        "mcts-explore": MctsExplore,
        "ucb": Ucb,
        "exp3": Exp3,
        "round-robin": RoundRobin,
        "random": RandomChoice,
    },
    "mutators": dict.fromkeys(get_args(MutatorName), Rewrite),
    "judges": {"lexical": Lexical, "identity": Identity},
}


def _none(kind: StrategyKind) -> Mapping[str, PluginSpec]:
    return {}


class StrategyRegistry:
    """Makes strategies from names and settings."""

    def __init__(self, find: FindPlugins = _none) -> None:
        self._find = find

    def knows(self, kind: StrategyKind, name: str) -> bool:
        """Return whether there is a strategy of that name."""
        return name in _OURS[kind] or name in self._find(kind)

    def names(self, kind: StrategyKind) -> tuple[str, ...]:
        """Return the names of all strategies of one kind."""
        return (*_OURS[kind], *self._find(kind))

    def plan(
        self,
        kind: StrategyKind,
        name: str,
        settings: Mapping[str, object],
        path: str,
        *,
        settings_path: str = "",
    ) -> PlannedStrategy:
        """Return *name* with all its settings filled in; *path* is where the user named it.

        Raises ConfigInvalid for an unknown name, an unknown setting or a value out of range.
        """
        where = settings_path or f"{path}_settings"
        cls, plugin = self._class(kind, name, path)
        made = _make(cls, name, settings, where, plugin)
        with _guard(plugin, "its settings"):
            written = _write(made)
            if plugin is not None:
                _check_written(made, written)
        return PlannedStrategy(name=name, version=cls.version, settings=written)

    def selector(self, planned: PlannedStrategy) -> Selector:
        """Return the selector of a plan."""
        made, plugin = self._remake("selectors", planned)
        selector: Selector = made
        return selector if plugin is None else CheckedSelector(plugin=plugin, inner=selector)

    def mutator(self, planned: PlannedStrategy) -> Mutator:
        """Return a mutator of a plan."""
        made, plugin = self._remake("mutators", planned)
        mutator: Mutator = made
        return mutator if plugin is None else CheckedMutator(plugin=plugin, inner=mutator)

    def judge(self, planned: PlannedStrategy) -> JudgeRules:
        """Return the judge's rules of a plan."""
        rules: JudgeRules = self._remake("judges", planned)[0]
        return rules

    def prepare(self, planned: PlannedJudge, about: TargetFacts) -> Judge:
        """Return a plan's judge, ready to read responses of the target that *about* describes."""
        rules, plugin = self._remake("judges", planned.rules)
        if plugin is None:
            judge: Judge = rules.prepare(about)
            return judge
        if (rules.metrics, rules.asks_model) != (planned.metrics, planned.model is not None):
            raise FileInvalid(
                f"the plan's judge {planned.name} had other metrics, or another way to ask a "
                "model: it would decide differently"
            )
        with plugin.calling("prepare"):
            return CheckedJudge(
                plugin,
                rules.prepare(about),
                metrics=planned.metrics,
                asks_model=planned.model is not None,
            )

    def _remake(self, kind: StrategyKind, planned: PlannedStrategy) -> tuple[Any, Plugin | None]:
        """Raises FileInvalid when what the plan was made with is not what is here."""
        where = f"the plan's {kind.removesuffix('s')} {planned.name}"
        if not self.knows(kind, planned.name):
            raise FileInvalid(f"{where} comes with a package that is not installed here")
        loaded, plugin = self._class(kind, planned.name, where)
        if loaded.version != planned.version:
            raise FileInvalid(
                f"{where} is of version {planned.version}, here it is {loaded.version}: "
                "it would decide differently"
            )
        settings = msgspec.json.decode(planned.settings, type=dict[str, object])
        if loaded is Rewrite:
            settings.pop("name", None)
        try:
            return _make(loaded, planned.name, settings, where, plugin), plugin
        except ConfigInvalid as error:
            raise FileInvalid(str(error)) from None

    def _class(self, kind: StrategyKind, name: str, path: str) -> tuple[Any, Plugin | None]:
        """Return the class called *name*, and whose it is if it is not ours."""
        if name in _OURS[kind]:
            return _OURS[kind][name], None
        noun = kind.removesuffix("s")
        others = self._find(kind)
        if name not in others:
            hint = name_hint(name, self.names(kind))
            raise ConfigInvalid(f"{path}: unknown {noun} {name}; {hint}")
        plugin = Plugin(noun=noun, name=name, package=others[name].package)
        with plugin.calling("its import"):
            loaded = others[name].load()
        with plugin.calling("it"):
            check_class(kind, loaded)
        return loaded, plugin


def _make(
    cls: Any, name: str, settings: Mapping[str, object], path: str, plugin: Plugin | None
) -> Any:
    """Raises ConfigInvalid for settings that *cls* does not take."""
    fixed = {"name": name} if cls is Rewrite else {}
    known = tuple(field for field in _fields(cls) if field not in fixed)
    if unknown := [setting for setting in settings if setting not in known]:
        hint = name_hint(unknown[0], known)
        raise ConfigInvalid(f"{path}.{unknown[0]}: {name} has no such setting; {hint}")
    try:
        with _guard(plugin, "__init__", may_raise=msgspec.ValidationError):
            return msgspec.convert({**settings, **fixed}, cls)
    except msgspec.ValidationError as error:
        said, _, at = str(error).replace("`", "").partition(" - at $")
        raise ConfigInvalid(f"{path}{at}: {said[:1].lower()}{said[1:]}") from None


def _write(made: Any) -> str:
    """Return all settings of *made* as one canonical JSON object."""
    # Field by field: of a dataclass msgspec leaves out what was left at its default.
    filled = {field: getattr(made, field) for field in _fields(type(made))}
    return msgspec.json.encode(filled, order="deterministic").decode()


def _check_written(made: Any, written: str) -> None:
    """Raise PluginFault for settings that cannot be read again; defaults are not type-checked."""
    settings = msgspec.json.decode(written)
    again = _write(msgspec.convert(settings, type(made)))
    if msgspec.json.decode(again) != settings:
        raise PluginFault(f"are {written} when written, and {again} when read")


def _guard(
    plugin: Plugin | None, method: str, *, may_raise: type[Exception] = PluginFault
) -> AbstractContextManager[None]:
    """Return what names *plugin* if it fails; ours fails as it is."""
    return nullcontext() if plugin is None else plugin.calling(method, may_raise=may_raise)


def _fields(cls: Any) -> tuple[str, ...]:
    if issubclass(cls, msgspec.Struct):
        return tuple(cls.__struct_fields__)
    return tuple(field.name for field in fields(cls))
