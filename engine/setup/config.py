"""What a user writes: the TOML file as closed structs, and one clear line for what is wrong."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from ...providers.errors import SettingsInvalid
from ...providers.kinds import check_kind
from ...providers.settings import BudgetTable, ModelSettings, SamplingTable
from ...strategies.similarity.similarity_types import Weights
from ..errors import ConfigInvalid
from ..rse.prompt_files import BUILTIN
from .hints import name_hint
from .plan import Admit

PresetName = Literal["standard", "paper"]
SearchName = Literal["mcts", "static", "refine"]


class RunTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[run]``"""

    seed: int = 0
    window: int | None = None
    cache: str = "~/.cache/hydrometer"
    budget: BudgetTable = BudgetTable()


class RoleSampling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[ice.sampling.*]``: what overrides a model's own sampling in one role."""

    target: SamplingTable = SamplingTable()
    helper: SamplingTable = SamplingTable()
    judge: SamplingTable = SamplingTable()


class IceTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[ice]``; what is None comes from the preset."""

    targets: tuple[str, ...] = ()
    helper: str = ""
    judge: str = "lexical"
    preset: PresetName = "standard"
    judge_model: str = ""  # for a judge that is no model and asks one
    judge_settings: dict[str, object] = {}
    search: SearchName = "mcts"
    probes: int | None = None
    questions: str = "builtin"
    templates: str = "builtin"
    selector: str | None = None
    selector_settings: dict[str, object] = {}
    mutators: tuple[str, ...] | None = None
    mutator_settings: dict[str, dict[str, object]] = {}
    admit: Admit | None = None
    questions_per_visit: int | None = None
    strict_vendors: tuple[str, ...] = ("openai", "anthropic")
    sampling: RoleSampling = RoleSampling()


class PromptSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry of ``rse.prompts``; without a path it is the built-in set of that name."""

    name: str
    path: str = ""
    limit: int | None = None
    max_turns: int | None = None
    max_chars: int | None = None


class RseSampling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[rse.sampling.*]``: what overrides a model's own sampling in one role."""

    target: SamplingTable = SamplingTable()
    reference: SamplingTable = SamplingTable()
    judge: SamplingTable = SamplingTable()


class RseTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[rse]``"""

    targets: tuple[str, ...] = ()
    reference: str = ""  # a model, or "*": every pair of the targets
    judge: str = ""
    prompts: tuple[PromptSource, ...] = tuple(PromptSource(name=name) for name in BUILTIN)
    weights: Weights = Weights()
    orders: Literal["both", "reference-first"] = "both"
    judge_draws: int = 1
    ceiling: bool = True
    embeddings: str = ""  # a model with mode = "embedding"
    structured: bool = False
    sampling: RseSampling = RseSampling()


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole config file."""

    run: RunTable = RunTable()
    models: dict[str, ModelSettings] = {}
    ice: IceTable = IceTable()
    rse: RseTable = RseTable()


# What keys of the usual providers look like; a match is refused wherever it stands in the file.
_KEY = re.compile(
    r"(?:sk|pk|rk|gsk|hf|xai|key|tok)[-_][A-Za-z0-9_-]{16,}|AIza[A-Za-z0-9_-]{20,}|Bearer\s+\S{8,}",
)
_KEY_SETTINGS = ("api_key", "apikey", "key", "token", "secret", "password")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def parse_config(text: str, where: str) -> Config:
    """Return the config in *text*; *where* names its file.

    Raises ConfigInvalid with the path of the setting and the rule. A value that could be a key is
    never repeated.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigInvalid(f"{where} is not TOML: {error}") from None
    _refuse_keys(raw, where)
    _refuse_unknown(raw, Config, f"{where}: ")
    tables = raw.pop("models", {})
    if not isinstance(tables, dict):
        raise ConfigInvalid(f"{where}: models must be tables, one [models.NAME] for each model")
    models = {
        name: _convert(table, ModelSettings, f"{where}: models.{name}.")
        for name, table in tables.items()
    }
    rest = _convert(raw, Config, f"{where}: ")
    config: Config = msgspec.structs.replace(rest, models=models)
    _check(config, where)
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
    at_least_one = (
        ("run.window", config.run.window),
        ("ice.probes", config.ice.probes),
        ("ice.questions_per_visit", config.ice.questions_per_visit),
        ("rse.judge_draws", config.rse.judge_draws),
        *(
            (f"rse.prompts[{number}].{name}", getattr(source, name))
            for number, source in enumerate(config.rse.prompts)
            for name in ("limit", "max_turns", "max_chars")
        ),
    )
    for path, value in at_least_one:
        if value is not None and value < 1:
            raise ConfigInvalid(f"{where}: {path} must be at least 1, got {value}")
    if config.ice.mutators is not None and not config.ice.mutators:
        raise ConfigInvalid(f"{where}: ice.mutators must name at least one mutator")


def _convert(raw: object, kind: type[Any], path: str) -> Any:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        said, _, at = str(error).partition(" - at `$")
        setting = at.rstrip("`").lstrip(".")
        here = f"{path}{setting}" if setting else path.rstrip(". ")
        allowed = _allowed(kind, setting)
        message = f"must be one of {', '.join(allowed)}" if allowed else _lower(said)
        raise ConfigInvalid(f"{here}: {message}") from None


def _lower(said: str) -> str:
    return said[:1].lower() + said[1:].replace("`", "")


def _allowed(kind: Any, setting: str) -> tuple[str, ...]:
    """Return the words that the setting at *setting* takes, if it takes only certain words."""
    for name in setting.split("."):
        inner = _struct_of(kind)
        if inner is None:
            break
        kind = get_type_hints(inner).get(name.partition("[")[0])
    while kind is not None and get_origin(kind) is not Literal:
        kind = next((part for part in get_args(kind) if part is not type(None)), None)
    return get_args(kind)


def _refuse_keys(raw: Mapping[str, Any], where: str) -> None:
    for path, name, value in _leaves(raw, ""):
        if isinstance(value, float) and not isfinite(value):
            raise ConfigInvalid(f"{where}: {path} must be a finite number, got {value}")
        if name.lower() in _KEY_SETTINGS:
            raise ConfigInvalid(
                f"{where}: {path}: a key must not stand in the file; put it into an environment "
                "variable and write the variable's name as api_key_env (value not shown)"
            )
        if isinstance(value, str) and _KEY.search(value):
            raise ConfigInvalid(
                f"{where}: {path} looks like a key, and a key must not stand in the file; name its "
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


def _refuse_unknown(raw: Mapping[str, Any], kind: type[msgspec.Struct], path: str) -> None:
    """Raise for the first key that *kind* does not have, suggesting the nearest that it has."""
    hints = get_type_hints(kind)
    for key, value in raw.items():
        if key == "planting" and kind is ModelSettings:
            raise ConfigInvalid(
                f"{path}{key} is now an option: write options = {{ planting = {{ ... }} }}"
            )
        if key not in hints:
            raise ConfigInvalid(f"{path}{key}: unknown key; {name_hint(key, hints)}")
        inner = _struct_of(hints[key])
        if inner is not None:
            for name, table in _tables(value, key, named=get_origin(hints[key]) is dict):
                if isinstance(table, Mapping):
                    _refuse_unknown(table, inner, f"{path}{name}.")


def _tables(value: object, key: str, *, named: bool) -> Iterator[tuple[str, object]]:
    """Yield what is written under *key*, one table or several, each with its path from there."""
    if isinstance(value, list):
        yield from ((f"{key}[{index}]", table) for index, table in enumerate(value))
    elif named and isinstance(value, Mapping):
        yield from ((f"{key}.{name}", table) for name, table in value.items())
    else:
        yield key, value


def _struct_of(hint: Any) -> type[msgspec.Struct] | None:
    """Return the struct that a table of type *hint* holds, or holds by name."""
    for part in (hint, *get_args(hint)):
        if isinstance(part, type) and issubclass(part, msgspec.Struct):
            return part
    return None
