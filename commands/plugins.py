"""Strategies and providers of other packages, found by their entry points.

A package declares them as ``[project.entry-points."hydrometer.selectors"]`` and so on; a program
may hand its own in instead. Nothing is imported before a config or a plan names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from ..engine.catalogue import Catalogue, Kind
from ..engine.errors import InputInvalid
from ..providers.base import OpenProvider


class PluginBroken(InputInvalid):
    """A package that declares a plug-in cannot give it."""


class Plugins:
    """What there is beside Hydrometer's own: what is handed in here, and what is installed."""

    def __init__(
        self,
        *,
        selectors: Mapping[str, type] | None = None,
        mutators: Mapping[str, type] | None = None,
        judges: Mapping[str, type] | None = None,
        providers: Mapping[str, OpenProvider] | None = None,
    ) -> None:
        self._given: dict[Kind, Mapping[str, type]] = {
            "selectors": selectors or {},
            "mutators": mutators or {},
            "judges": judges or {},
        }
        self.catalogue = Catalogue(self._find)
        self.providers: Mapping[str, OpenProvider] = _Providers(providers or {})

    def _find(self, kind: Kind) -> Mapping[str, Callable[[], object]]:
        installed = {name: partial(_load, point) for name, point in _points(kind).items()}
        given = {name: partial(_itself, cls) for name, cls in self._given[kind].items()}
        return {**installed, **given}


class _Providers(Mapping[str, OpenProvider]):
    """Openers by provider name; what one is is found out when a model wants it."""

    def __init__(self, given: Mapping[str, OpenProvider]) -> None:
        self._given = given

    def __getitem__(self, name: str) -> OpenProvider:
        if name in self._given:
            return self._given[name]
        loaded = _load(_points("providers")[name])
        if not callable(loaded):
            raise PluginBroken(f"the provider {name} is no function that opens one")
        return cast("OpenProvider", loaded)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self._given, *_points("providers"))))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _itself(cls: type) -> object:
    return cls


def _points(kind: str) -> dict[str, EntryPoint]:
    """Return the entry points of one kind by name. Raises PluginBroken for a name given twice."""
    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"hydrometer.{kind}"):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise PluginBroken(
                f"two packages give a {kind.removesuffix('s')} {point.name}: "
                f"{_package(other)} and {_package(point)}; uninstall one"
            )
    return found


def _load(point: EntryPoint) -> object:
    try:
        loaded: object = point.load()
    except (ImportError, AttributeError) as error:
        raise PluginBroken(
            f"{point.name} of {_package(point)} cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    return loaded


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value
