"""Strategies by name: from what the config or a plan says to the objects that decide.

Those that come with Hydrometer are listed here; those of other packages are asked for by *find*,
which commands hand in, and only when a name is not ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, get_args

import msgspec

from ..strategies.bandits import Exp3, Ucb
from ..strategies.base import JudgeRules, Mutator, Selector
from ..strategies.baselines import RandomChoice, RoundRobin
from ..strategies.judges import Identity, Lexical
from ..strategies.mcts import MctsExplore
from ..strategies.mutation import MutatorName, Rewrite
from .errors import ConfigInvalid, FileInvalid
from .hints import name_hint
from .plan import Component

Kind = Literal["selectors", "mutators", "judges"]

# Finds the classes of one kind in other packages: their names, and how to load each.
Find = Callable[[Kind], Mapping[str, Callable[[], object]]]

_OURS: dict[Kind, dict[str, type[Any]]] = {
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

_MUST_HAVE: dict[Kind, tuple[str, ...]] = {
    "selectors": ("version", "select", "gain"),
    "mutators": ("version", "parents", "build_prompt", "build_repair", "parse"),
    "judges": ("version", "metrics", "asks_model", "prepare"),
}


def _none(kind: Kind) -> Mapping[str, Callable[[], object]]:
    return {}


class Catalogue:
    """Makes strategies from names and settings."""

    def __init__(self, find: Find = _none) -> None:
        self._find = find

    def knows(self, kind: Kind, name: str) -> bool:
        """Return whether there is a strategy of that name."""
        return name in _OURS[kind] or name in self._find(kind)

    def names(self, kind: Kind) -> tuple[str, ...]:
        """Return the names of all strategies of one kind."""
        return (*_OURS[kind], *self._find(kind))

    def plan(
        self,
        kind: Kind,
        name: str,
        settings: Mapping[str, object],
        path: str,
        *,
        settings_path: str = "",
    ) -> Component:
        """Return *name* with all its settings filled in; *path* is where the user named it.

        Raises ConfigInvalid for an unknown name, an unknown setting or a value out of range.
        """
        where = settings_path or f"{path}_settings"
        made = _make(self._class(kind, name, path), name, settings, where)
        # Field by field: of a dataclass msgspec leaves out what was left at its default.
        filled = {field: getattr(made, field) for field in _fields(type(made))}
        return Component(
            name=name,
            version=made.version,
            settings=msgspec.json.encode(filled, order="deterministic").decode(),
        )

    def selector(self, planned: Component) -> Selector:
        """Return the selector of a plan."""
        made: Selector = self._remake("selectors", planned)
        return made

    def mutator(self, planned: Component) -> Mutator:
        """Return a mutator of a plan."""
        made: Mutator = self._remake("mutators", planned)
        return made

    def judge(self, planned: Component) -> JudgeRules:
        """Return the judge's rules of a plan."""
        made: JudgeRules = self._remake("judges", planned)
        return made

    def _remake(self, kind: Kind, planned: Component) -> Any:
        """Raises FileInvalid when what the plan was made with is not what is here."""
        where = f"the plan's {kind.removesuffix('s')} {planned.name}"
        if not self.knows(kind, planned.name):
            raise FileInvalid(f"{where} comes with a package that is not installed here")
        loaded = self._class(kind, planned.name, where)
        if loaded.version != planned.version:
            raise FileInvalid(
                f"{where} is of version {planned.version}, here it is {loaded.version}: "
                "it would decide differently"
            )
        settings = msgspec.json.decode(planned.settings, type=dict[str, object])
        if loaded is Rewrite:
            settings.pop("name", None)
        try:
            return _make(loaded, planned.name, settings, where)
        except ConfigInvalid as error:
            raise FileInvalid(str(error)) from None

    def _class(self, kind: Kind, name: str, path: str) -> Any:
        if name in _OURS[kind]:
            return _OURS[kind][name]
        noun = kind.removesuffix("s")
        others = self._find(kind)
        if name not in others:
            hint = name_hint(name, self.names(kind))
            raise ConfigInvalid(f"{path}: unknown {noun} {name}; {hint}")
        loaded = others[name]()
        if not isinstance(loaded, type) or not _has_fields(loaded):
            raise ConfigInvalid(f"{path}: {name} must be a msgspec Struct or a dataclass")
        if lacking := [part for part in _MUST_HAVE[kind] if not hasattr(loaded, part)]:
            raise ConfigInvalid(f"{path}: {name} is no {noun}: it has no {', '.join(lacking)}")
        return loaded


def _make(cls: Any, name: str, settings: Mapping[str, object], path: str) -> Any:
    fixed = {"name": name} if cls is Rewrite else {}
    known = tuple(field for field in _fields(cls) if field not in fixed)
    if unknown := [setting for setting in settings if setting not in known]:
        hint = name_hint(unknown[0], known)
        raise ConfigInvalid(f"{path}.{unknown[0]}: {name} has no such setting; {hint}")
    try:
        return msgspec.convert({**settings, **fixed}, cls)
    except msgspec.ValidationError as error:
        said, _, at = str(error).replace("`", "").partition(" - at $")
        raise ConfigInvalid(f"{path}{at}: {said[:1].lower()}{said[1:]}") from None


def _has_fields(cls: type) -> bool:
    return issubclass(cls, msgspec.Struct) or is_dataclass(cls)


def _fields(cls: Any) -> tuple[str, ...]:
    if issubclass(cls, msgspec.Struct):
        return tuple(cls.__struct_fields__)
    return tuple(field.name for field in fields(cls))
