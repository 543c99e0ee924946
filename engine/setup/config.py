"""Config parser: turns the TOML file into closed structs, and reports each error in one line.

The structs are closed: an unknown key is an error, so a misspelled setting is never ignored.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from ...providers.errors import SettingsInvalid
from ...providers.key_shapes import IN_CONFIG
from ...providers.kinds import check_kind
from ...providers.settings import BudgetTable, ModelSettings
from ..errors import ConfigInvalid
from .files import read_text
from .hints import name_hint

if TYPE_CHECKING:
    from ..measurement import Measurements

T = TypeVar("T", bound=msgspec.Struct)


class RunTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[run]``"""

    seed: int = 0
    window: int | None = None
    cache: str = "~/.cache/hydrometer"
    budget: BudgetTable = BudgetTable()


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole config file. *tables* holds one table for each measurement."""

    run: RunTable = RunTable()
    models: dict[str, ModelSettings] = {}
    tables: tuple[msgspec.Struct, ...] = ()

    def table(self, kind: type[T]) -> T:
        """Return the table of that type. A table that is not in the file has its defaults."""
        return next((table for table in self.tables if isinstance(table, kind)), None) or kind()


_KEY_SETTINGS = ("api_key", "apikey", "key", "token", "secret", "password")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def load_config_file(path: Path, measurements: Measurements) -> Config:
    """Return the config in the file at *path*. Raises InputInvalid."""
    return parse_config(read_text(path), str(path), measurements)


def parse_config(text: str, where: str, measurements: Measurements) -> Config:
    """Return the config in *text*. *where* is the name of its file in error messages.

    Raises ConfigInvalid, which names the setting and the rule. The message never contains a value
    that could be an API key.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigInvalid(f"{where} is not TOML: {error}") from None
    _reject_api_keys(raw, where)
    tables = {measurement.kind: measurement.table for measurement in measurements}
    hints = {"run": RunTable, "models": dict[str, ModelSettings], **tables}
    _reject_unknown_keys(raw, hints, f"{where}: ")
    model_tables = raw.get("models", {})
    if not isinstance(model_tables, dict):
        raise ConfigInvalid(f"{where}: models must be tables, one [models.NAME] for each model")
    config = Config(
        models={
            name: _convert(table, ModelSettings, f"{where}: models.{name}.")
            for name, table in model_tables.items()
        },
        run=_convert(raw.get("run", {}), RunTable, f"{where}: run."),
        tables=tuple(
            _convert(raw.get(kind, {}), table, f"{where}: {kind}.")
            for kind, table in tables.items()
        ),
    )
    _check(config, where)
    for measurement in measurements:
        measurement.check_table(config.table(measurement.table), where)
    return config


def _check(config: Config, where: str) -> None:
    for name, settings in config.models.items():
        if not _NAME.fullmatch(name):
            raise ConfigInvalid(
                f"{where}: models.{name!r}: a name has letters, digits, dot, dash and underscore"
            )
        try:
            settings.check(f"{where}: models.{name}")
            check_kind(settings, f"{where}: models.{name}")
        except SettingsInvalid as error:
            raise ConfigInvalid(str(error)) from None
    try:
        config.run.budget.check(f"{where}: run.budget")
    except SettingsInvalid as error:
        raise ConfigInvalid(str(error)) from None
    require_at_least_one(where, {"run.window": config.run.window})


def require_at_least_one(where: str, values: Mapping[str, int | None]) -> None:
    """Raise ConfigInvalid for the first of *values* that is set and less than 1.

    The keys of *values* are the paths of the settings.
    """
    for path, value in values.items():
        if value is not None and value < 1:
            raise ConfigInvalid(f"{where}: {path} must be at least 1, got {value}")


def _convert(raw: object, kind: type[Any], path: str) -> Any:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        reason, _, at = str(error).partition(" - at `$")
        setting = at.rstrip("`").lstrip(".")
        here = f"{path}{setting}" if setting else path.rstrip(". ")
        allowed = _allowed(kind, setting)
        message = f"must be one of {', '.join(allowed)}" if allowed else _lower(reason)
        raise ConfigInvalid(f"{here}: {message}") from None


def _lower(reason: str) -> str:
    return reason[:1].lower() + reason[1:].replace("`", "")


def _allowed(kind: Any, setting: str) -> tuple[str, ...]:
    """Return the allowed values of the setting at path *setting*, if its type is a Literal."""
    for name in setting.split("."):
        inner = _struct_of(kind)
        if inner is None:
            break
        kind = get_type_hints(inner).get(name.partition("[")[0])
    while kind is not None and get_origin(kind) is not Literal:
        kind = next((part for part in get_args(kind) if part is not type(None)), None)
    return get_args(kind)


def _reject_api_keys(raw: Mapping[str, Any], where: str) -> None:
    for path, name, value in _leaves(raw, ""):
        if isinstance(value, float) and not isfinite(value):
            raise ConfigInvalid(f"{where}: {path} must be a finite number, got {value}")
        if name.lower() in _KEY_SETTINGS:
            raise ConfigInvalid(
                f"{where}: {path}: a key must not be in the file; put it into an environment "
                "variable and write the variable's name as api_key_env (value not shown)"
            )
        if isinstance(value, str) and IN_CONFIG.search(value):
            raise ConfigInvalid(
                f"{where}: {path} looks like a key, and a key must not be in the file; name its "
                "environment variable in api_key_env instead (value not shown)"
            )


def _leaves(raw: object, path: str) -> Iterator[tuple[str, str, object]]:
    if isinstance(raw, Mapping):
        for key, value in raw.items():
            inner = f"{path}.{key}" if path else str(key)
            if isinstance(value, (Mapping, list)):
                yield from _leaves(value, inner)
            else:
                yield inner, str(key), value
    elif isinstance(raw, list):
        for index, value in enumerate(raw):
            if isinstance(value, (Mapping, list)):
                yield from _leaves(value, f"{path}[{index}]")
            else:
                yield f"{path}[{index}]", "", value


def _reject_unknown_keys(raw: Mapping[str, Any], hints: Mapping[str, Any], path: str) -> None:
    """Raise ConfigInvalid for the first key that is not in *hints*, and suggest the nearest key."""
    for key, value in raw.items():
        if key == "planting" and path.partition(": ")[2].startswith("models."):
            raise ConfigInvalid(
                f"{path}{key} is now an option: write options = {{ planting = {{ ... }} }}"
            )
        if key not in hints:
            raise ConfigInvalid(f"{path}{key}: unknown key; {name_hint(key, hints)}")
        inner = _struct_of(hints[key])
        if inner is not None:
            for name, table in _tables(value, key, named=get_origin(hints[key]) is dict):
                if isinstance(table, Mapping):
                    _reject_unknown_keys(table, get_type_hints(inner), f"{path}{name}.")


def _tables(value: object, key: str, *, named: bool) -> Iterator[tuple[str, object]]:
    """Yield (path, table) for each table under *key*: one table, a list, or tables by name."""
    if isinstance(value, list):
        yield from ((f"{key}[{index}]", table) for index, table in enumerate(value))
    elif named and isinstance(value, Mapping):
        yield from ((f"{key}.{name}", table) for name, table in value.items())
    else:
        yield key, value


def _struct_of(hint: Any) -> type[msgspec.Struct] | None:
    """Return the struct type in *hint*: the type itself, or the item type of a container."""
    for part in (hint, *get_args(hint)):
        if isinstance(part, type) and issubclass(part, msgspec.Struct):
            return part
    return None
