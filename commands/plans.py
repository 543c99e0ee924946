"""Plans of a config: the only functions that make plans, used by all commands and by the API."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..engine.errors import InputInvalid
from ..engine.measurement import NamedPlan, PlanRequest
from ..engine.setup.config import Config
from .plugins import Plugins


def plan_runs(
    config: Config,
    kind: str,
    targets: Sequence[str],
    *,
    folder: Path,
    plugins: Plugins,
    say: Callable[[str], None],
) -> tuple[NamedPlan[Any], ...]:
    """Return the plans of the table *kind*, for *targets*, by default all targets of the table.

    Paths in the config are relative to *folder*. *say* receives remarks on the input. Raises
    InputInvalid, and SettingsInvalid for an unknown provider.
    """
    for name, settings in config.models.items():
        plugins.kinds.find(settings.provider, f"models.{name}")
    request = PlanRequest(
        config=config,
        targets=tuple(targets),
        folder=folder,
        registry=plugins.strategies,
        say=say,
    )
    plans = plugins.measurements.named(kind, "the command").build_plans(request)
    if not plans:
        raise InputInvalid(f"{kind}.targets names no model to measure")
    return plans


def plan_all(
    config: Config,
    targets: Sequence[str],
    *,
    folder: Path,
    plugins: Plugins,
    say: Callable[[str], None],
) -> tuple[NamedPlan[Any], ...]:
    """Return the plans of every table that *config* uses. The arguments are as in plan_runs()."""
    plans: list[NamedPlan[Any]] = []
    for kind, names in split_targets(config, targets, plugins).items():
        plans += plan_runs(config, kind, names, folder=folder, plugins=plugins, say=say)
    return tuple(plans)


def split_targets(
    config: Config, targets: Sequence[str], plugins: Plugins
) -> dict[str, tuple[str, ...]]:
    """Return the targets of each table in use, by kind. Empty *targets* means the tables' own.

    A target is measured by the tables that list it. A target that no table lists is measured by
    every table in use. If no table is in use, the first kind is used.
    """
    tables = {m.kind: config.table(m.table) for m in plugins.measurements}
    first = plugins.measurements.kinds[0]
    if not targets:
        own = {kind: table.targets for kind, table in tables.items() if table.targets}
        return own or {first: ()}
    used = [m.kind for m in plugins.measurements if m.in_use(tables[m.kind])] or [first]
    listed = {name for table in tables.values() for name in table.targets}
    shares = {
        kind: tuple(name for name in targets if name in tables[kind].targets or name not in listed)
        for kind in used
    }
    return {kind: names for kind, names in shares.items() if names}
