"""Plug-ins: strategies, providers and measurements that are not built in.

A package declares strategies and providers by entry points, such as
``[project.entry-points."hydrometer.selectors"]``. A program may pass them in instead. Measurements
can only be passed in. A plug-in is imported only when a config or a plan names it. What a plug-in
raises and returns is checked (engine/setup/plugin_checks.py, commands/checks/).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from ..engine.errors import InputInvalid
from ..engine.measurement import Measurement, Measurements
from ..engine.measurements import BUILT_IN

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from ..engine.setup.plugin_checks import StrategyKind
    from ..engine.setup.registry import PluginSpec, StrategyRegistry
    from ..providers.base import OpenAdapter
    from ..providers.kinds import ProviderKinds


class Plugins:
    """All plug-ins of one program: those that are passed in here, and those that are installed.

    A plug-in that is passed in replaces an installed one of the same name. *measurements* are used
    in addition to the built-in ones.
    """

    def __init__(
        self,
        *,
        selectors: Mapping[str, type] | None = None,
        mutators: Mapping[str, type] | None = None,
        judges: Mapping[str, type] | None = None,
        providers: Mapping[str, OpenAdapter] | None = None,
        measurements: Iterable[Measurement[Any]] = (),
    ) -> None:
        self._given: dict[StrategyKind, Mapping[str, type]] = {
            "selectors": selectors or {},
            "mutators": mutators or {},
            "judges": judges or {},
        }
        self._providers = providers or {}
        self._measurements = measurements

    @cached_property
    def measurements(self) -> Measurements:
        """The built-in measurements, then those that were passed in. Raises InputInvalid."""
        if self._measurements == ():
            return BUILT_IN
        from .checks.checked_measurement import checked  # noqa: PLC0415 (a start needs none)
        from .checks.measurement_checks import check_measurement  # noqa: PLC0415

        if not isinstance(self._measurements, Iterable):
            raise InputInvalid("measurements must be a sequence of them, such as (MINE,)")
        given = [check_measurement(found) for found in self._measurements]
        for measurement in given:
            if measurement.kind in BUILT_IN.kinds:
                raise InputInvalid(
                    f"measurements: {measurement.kind} is built in; choose another kind"
                )
        return Measurements((*BUILT_IN, *map(checked, given)))

    @cached_property
    def strategies(self) -> StrategyRegistry:
        """The registry of selectors, mutators and judges."""
        from ..engine.setup.registry import StrategyRegistry  # noqa: PLC0415 (a start needs none)

        return StrategyRegistry(self._find)

    @cached_property
    def kinds(self) -> ProviderKinds:
        """The registry of provider kinds."""
        from ..providers.kinds import ProviderKinds  # noqa: PLC0415 (a start needs none)
        from .checks.provider_checks import CheckedProviders  # noqa: PLC0415

        return ProviderKinds(CheckedProviders(self._providers, find_entry_points))

    def _find(self, kind: StrategyKind) -> Mapping[str, PluginSpec]:
        from ..engine.setup.registry import PluginSpec  # noqa: PLC0415 (a start needs none)

        installed = {
            name: PluginSpec(load=point.load, package=package_of(point))
            for name, point in find_entry_points(kind).items()
        }
        given = {
            name: PluginSpec(load=partial(_itself, cls)) for name, cls in self._given[kind].items()
        }
        return {**installed, **given}


def find_entry_points(kind: str) -> dict[str, EntryPoint]:
    """Return the entry points of one kind, by name.

    Raises InputInvalid if two packages declare the same name.
    """
    from importlib.metadata import entry_points  # noqa: PLC0415 (a start needs none)

    found: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"hydrometer.{kind}"):
        other = found.setdefault(point.name, point)
        if other.value != point.value:
            raise InputInvalid(
                f"two packages give a {kind.removesuffix('s')} {point.name}: "
                f"{package_of(other)} and {package_of(point)}; uninstall one"
            )
    return found


def package_of(point: EntryPoint) -> str:
    """Return the name of the package that declares an entry point."""
    return point.dist.name if point.dist is not None else point.value


def _itself(cls: type) -> object:
    return cls
