"""Registry of strategies: makes selectors, mutators and judges from their names and settings.

Built-in strategies are listed here. Plug-ins, the strategies of other packages, are found by a
function that the commands pass in. A plug-in that has the name of a built-in strategy is refused:
two strategies of one name would give two results for one plan. A plug-in is returned inside a
wrapper that checks it (plugin_checks.py).
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
from ..errors import ConfigInvalid, FileInvalid, InputInvalid
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
    """A plug-in class that is not loaded yet. *package* is empty if a program passed it in."""

    load: Callable[[], object]
    package: str = ""


# Returns the plug-ins of one kind, by name.
FindPlugins = Callable[[StrategyKind], Mapping[str, PluginSpec]]

# Every built-in mutator is one class, told apart by its field ``name``.
_BUILT_IN: dict[StrategyKind, dict[str, type[Any]]] = {
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


def _no_plugins(kind: StrategyKind) -> Mapping[str, PluginSpec]:
    return {}


class StrategyRegistry:
    """Makes strategies from names and settings. *find* returns the plug-ins."""

    def __init__(self, find: FindPlugins = _no_plugins) -> None:
        self._find = find

    def knows(self, kind: StrategyKind, name: str) -> bool:
        """Return whether there is a strategy of that name."""
        return name in self._plugins(kind) or name in _BUILT_IN[kind]

    def names(self, kind: StrategyKind) -> tuple[str, ...]:
        """Return the names of all strategies of one kind."""
        return (*_BUILT_IN[kind], *self._plugins(kind))

    def _plugins(self, kind: StrategyKind) -> Mapping[str, PluginSpec]:
        """Return the plug-ins of one kind. Raises InputInvalid for the name of a built-in one."""
        found = self._find(kind)
        if taken := [name for name in found if name in _BUILT_IN[kind]]:
            package = found[taken[0]].package
            raise InputInvalid(
                f"{kind}: {taken[0]} is built in; choose another name"
                f"{f' in the package {package}' if package else ''}"
            )
        return found

    def plan(
        self,
        kind: StrategyKind,
        name: str,
        settings: Mapping[str, object],
        path: str,
        *,
        settings_path: str = "",
    ) -> PlannedStrategy:
        """Return the strategy *name* for a plan, with all its settings filled in.

        *path* is the path of the setting that names the strategy. *settings_path* is the path of
        its settings, by default *path* with ``_settings`` appended. Raises ConfigInvalid for an
        unknown name, an unknown setting or a value out of range.
        """
        where = settings_path or f"{path}_settings"
        cls, plugin = self._class(kind, name, path)
        strategy = _make(cls, name, settings, where, plugin)
        with _name_in_errors(plugin, "its settings"):
            encoded = _encode_settings(strategy)
            if plugin is not None:
                _check_settings(strategy, encoded)
        return PlannedStrategy(name=name, version=cls.version, settings=encoded)

    def selector(self, planned: PlannedStrategy) -> Selector:
        """Return the selector of a plan. Raises FileInvalid if it is not installed here."""
        strategy, plugin = self._from_plan("selectors", planned)
        selector: Selector = strategy
        return selector if plugin is None else CheckedSelector(plugin=plugin, inner=selector)

    def mutator(self, planned: PlannedStrategy) -> Mutator:
        """Return a mutator of a plan. Raises FileInvalid if it is not installed here."""
        strategy, plugin = self._from_plan("mutators", planned)
        mutator: Mutator = strategy
        return mutator if plugin is None else CheckedMutator(plugin=plugin, inner=mutator)

    def judge(self, planned: PlannedStrategy) -> JudgeRules:
        """Return the rules of a plan's judge. Raises FileInvalid if they are not installed here."""
        rules: JudgeRules = self._from_plan("judges", planned)[0]
        return rules

    def prepare(self, planned: PlannedJudge, about: TargetFacts) -> Judge:
        """Return a plan's judge, ready to read responses of the target that *about* describes.

        Raises FileInvalid if its rules are not installed here, or differ from those of the plan.
        """
        rules, plugin = self._from_plan("judges", planned.rules)
        if plugin is None:
            judge: Judge = rules.prepare(about)
            return judge
        if (rules.metrics, rules.asks_model) != (planned.metrics, planned.model is not None):
            raise FileInvalid(
                f"the plan's judge {planned.name} had other metrics, or another value of "
                "asks_model: it would decide differently"
            )
        with plugin.calling("prepare"):
            return CheckedJudge(
                plugin,
                rules.prepare(about),
                metrics=planned.metrics,
                asks_model=planned.model is not None,
                strict_vendors=about.strict_vendors,
            )

    def _from_plan(self, kind: StrategyKind, planned: PlannedStrategy) -> tuple[Any, Plugin | None]:
        """Return the strategy of a plan, and its plug-in if it is not built in.

        Raises FileInvalid if the installed strategy differs from the one that the plan recorded.
        """
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
        for field in _fixed_fields(loaded, planned.name):
            settings.pop(field, None)
        try:
            return _make(loaded, planned.name, settings, where, plugin), plugin
        except ConfigInvalid as error:
            raise FileInvalid(str(error)) from None

    def _class(self, kind: StrategyKind, name: str, path: str) -> tuple[Any, Plugin | None]:
        """Return the class of the strategy *name*, and its plug-in if it is not built in."""
        plugins = self._plugins(kind)
        if name in _BUILT_IN[kind]:
            return _BUILT_IN[kind][name], None
        noun = kind.removesuffix("s")
        if name not in plugins:
            hint = name_hint(name, self.names(kind))
            raise ConfigInvalid(f"{path}: unknown {noun} {name}; {hint}")
        plugin = Plugin(noun=noun, name=name, package=plugins[name].package)
        with plugin.calling("its import"):
            loaded = plugins[name].load()
        with plugin.calling("it"):
            check_class(kind, loaded)
        return loaded, plugin


def _make(
    cls: Any, name: str, settings: Mapping[str, object], path: str, plugin: Plugin | None
) -> Any:
    """Return an object of *cls*. Raises ConfigInvalid for settings that *cls* does not take."""
    fixed = _fixed_fields(cls, name)
    known = tuple(field for field in _fields(cls) if field not in fixed)
    if unknown := [setting for setting in settings if setting not in known]:
        hint = name_hint(unknown[0], known)
        raise ConfigInvalid(f"{path}.{unknown[0]}: {name} has no such setting; {hint}")
    try:
        with _name_in_errors(plugin, "__init__", may_raise=msgspec.ValidationError):
            return msgspec.convert({**settings, **fixed}, cls)
    except msgspec.ValidationError as error:
        reason, _, at = str(error).replace("`", "").partition(" - at $")
        raise ConfigInvalid(f"{path}{at}: {reason[:1].lower()}{reason[1:]}") from None


def _fixed_fields(cls: Any, name: str) -> dict[str, object]:
    """Return the fields that the name of the strategy sets, which no setting can change."""
    return dict.fromkeys(getattr(cls, "named_by", ()), name)


def _encode_settings(strategy: Any) -> str:
    """Return all settings of *strategy* as one canonical JSON object."""
    # Field by field: msgspec leaves out those fields of a dataclass that have their default.
    settings = {field: getattr(strategy, field) for field in _fields(type(strategy))}
    return msgspec.json.encode(settings, order="deterministic").decode()


def _check_settings(strategy: Any, encoded: str) -> None:
    """Raise PluginFault if the *encoded* settings give other settings when they are decoded.

    Python does not check the types of default values, so a default may be wrong.
    """
    settings = msgspec.json.decode(encoded)
    again = _encode_settings(msgspec.convert(settings, type(strategy)))
    if msgspec.json.decode(again) != settings:
        raise PluginFault(f"are {encoded} when written, and {again} when read")


def _name_in_errors(
    plugin: Plugin | None, method: str, *, may_raise: type[Exception] | tuple[()] = ()
) -> AbstractContextManager[None]:
    """Return a context that adds the name of *plugin* to errors.

    Built-in strategies (*plugin* is None) raise unchanged.
    """
    return nullcontext() if plugin is None else plugin.calling(method, may_raise=may_raise)


def _fields(cls: Any) -> tuple[str, ...]:
    if issubclass(cls, msgspec.Struct):
        return tuple(cls.__struct_fields__)
    return tuple(field.name for field in fields(cls))
