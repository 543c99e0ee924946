"""Options of a model: checks and conversion of the ``options`` table that each kind defines."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from hashlib import blake2b
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from .errors import SettingsInvalid

_Table = TypeVar("_Table", bound=msgspec.Struct)

_MISSING = re.compile(r"Object missing required field `(\w+)`")


def parse_options(options: Mapping[str, object], kind: type[_Table], path: str) -> _Table:
    """Return *options* as a *kind*. Raises SettingsInvalid naming *path* and the option."""
    _reject_unknown(options, kind, path)
    try:
        return msgspec.convert(options, kind)
    except msgspec.ValidationError as error:
        message, _, at = str(error).partition(" - at `$")
        setting = at.rstrip("`")
        here = f"{path}{setting}"
        if missing := _MISSING.fullmatch(message):
            raise SettingsInvalid(f"{here}.{missing[1]} is missing") from None
        if words := _allowed_words(kind, setting.lstrip(".")):
            raise SettingsInvalid(f"{here}: must be one of {', '.join(words)}") from None
        # msgspec quotes the value at the end of some messages. It might be a key: cut it off.
        rule = message.partition(" '")[0].replace("`", "")
        raise SettingsInvalid(f"{here}: {rule[:1].lower()}{rule[1:]}") from None


def suggest(name: str, known: Collection[str]) -> str:
    """Return the second half of a message: which of the *known* names *name* may have meant."""
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"


def digest_suffix(value: object) -> str:
    """Return "#" and a digest of *value*, for identities that depend on options."""
    canonical = msgspec.json.encode(value, order="deterministic")
    return f"#{blake2b(canonical, digest_size=6).hexdigest()}"


def _reject_unknown(options: Mapping[str, Any], kind: type[msgspec.Struct], path: str) -> None:
    hints = get_type_hints(kind)
    for name, value in options.items():
        if name not in hints:
            raise SettingsInvalid(f"{path}.{name}: unknown option; {suggest(name, tuple(hints))}")
        inner = _struct_in(hints[name])
        if inner is not None and isinstance(value, Mapping):
            _reject_unknown(value, inner, f"{path}.{name}")


def _allowed_words(kind: Any, setting: str) -> tuple[str, ...]:
    """Return the words that the option at *setting* accepts, if it accepts only certain words."""
    for name in setting.split("."):
        struct = _struct_in(kind)
        if struct is None:
            return ()
        kind = get_type_hints(struct).get(name)
    return get_args(kind) if get_origin(kind) is Literal else ()


def _struct_in(hint: Any) -> type[msgspec.Struct] | None:
    for part in (hint, *get_args(hint)):
        if isinstance(part, type) and issubclass(part, msgspec.Struct):
            return part
    return None
