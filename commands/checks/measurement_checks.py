"""Checks on the value of a measurement that is not built in, before a config or a run uses it.

They find what would otherwise fail far from its cause: a table without defaults fails in a config
that has no such table, and an event type without a tag fails when a recorded run is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

import msgspec

from ...engine.errors import InputInvalid
from ...engine.measurement import Measurement, Rescoring
from ...engine.records.event_checks import event_types
from ...engine.records.events import Event, Finished
from ...engine.setup.plugin_checks import PluginFault, excerpt

T = TypeVar("T")

# A kind is a table of the config and a command, beside these. A test compares the commands with
# those that the command line registers.
TABLE_NAMES = ("run", "models")
COMMAND_NAMES = (
    *("demo", "init", "plan", "replay", "score", "import", "rescore", "cache", "simulate"),
)

_KIND = re.compile(r"[a-z][a-z0-9_-]*")
_PLAN_MEMBERS = ("version", "kind", "target", "seed", "models", "size")
_FUNCTIONS = (
    *("build_plans", "run", "score", "title", "estimate", "check_table", "in_use", "check_plan"),
    *("difference", "not_replayable", "counts", "remarks_before", "remarks_after"),
    *("summarise", "truth"),
)


def check_measurement(found: object) -> Measurement[Any]:
    """Return *found*. Raises InputInvalid if it is no measurement that can be planned and run."""
    if not isinstance(found, Measurement):
        raise InputInvalid(f"measurements: {excerpt(found)} is no hydrometer.Measurement")
    try:
        _check_kind(found.kind)
        _check_texts_and_functions(found)
        _check_table(found.table)
        _check_plan(found.plan, found.kind)
        _check_events(found.events)
    except PluginFault as fault:
        raise InputInvalid(f"the measurement {found.kind}: {fault}") from None
    return found


def _check_kind(kind: object) -> None:
    if not isinstance(kind, str) or not _KIND.fullmatch(kind):
        raise PluginFault(
            f"kind must have lower-case letters, digits, dash and underscore, and begin with a "
            f"letter, got {excerpt(kind)}"
        )
    for names, what in ((TABLE_NAMES, "table of every config"), (COMMAND_NAMES, "command")):
        if kind in names:
            raise PluginFault(f"kind {kind} is the name of another {what}; choose another one")


def _check_texts_and_functions(found: Measurement[Any]) -> None:
    for name in ("unit", "help"):
        text: object = getattr(found, name)
        if not isinstance(text, str) or not text.strip():
            raise PluginFault(f"{name} must be a text that is not empty, got {excerpt(text)}")
    for name in _FUNCTIONS:
        if not callable(function := getattr(found, name)):
            raise PluginFault(f"{name} must be a function, got {excerpt(function)}")
    if not (found.read_transcripts is None or callable(found.read_transcripts)):
        raise PluginFault("read_transcripts must be a function or None")
    if not isinstance(found.rescoring, Rescoring | None):
        raise PluginFault(f"rescoring must be a Rescoring or None, got {excerpt(found.rescoring)}")


def _check_table(table: object) -> None:
    struct = _require_struct(table, "table")
    _resolved("table", lambda: get_type_hints(struct))
    fields = _resolved("table", lambda: msgspec.structs.fields(struct))
    if required := [field.name for field in fields if field.required]:
        raise PluginFault(f"table: {struct.__name__}.{required[0]} has no default")
    if "targets" not in struct.__struct_fields__:
        raise PluginFault(f"table: {struct.__name__} has no field targets")
    defaults: Any = _resolved("table", lambda: msgspec.convert({}, struct))
    if not isinstance(defaults.targets, tuple):
        raise PluginFault(f"table: {struct.__name__}.targets must be a tuple of texts")


def _check_plan(plan: object, kind: str) -> None:
    struct = _require_struct(plan, "plan")
    if missing := [name for name in _PLAN_MEMBERS if not hasattr(struct, name)]:
        raise PluginFault(f"plan: {struct.__name__} has no field or property {missing[0]}")
    _resolved("plan", lambda: msgspec.json.Decoder(struct))
    for field in _resolved("plan", lambda: msgspec.structs.fields(struct)):
        if field.name == "kind" and not field.required and field.default != kind:
            raise PluginFault(
                f"plan: {struct.__name__}.kind is {excerpt(field.default)} by default, not {kind!r}"
            )


def _check_events(events: object) -> None:
    for kind in event_types(events):
        if not (isinstance(kind, type) and issubclass(kind, Event)):
            raise PluginFault(f"events: {excerpt(kind)} is no subclass of Event")
    if Finished not in event_types(events):
        raise PluginFault("events: the union has no Finished, the last event of every run")
    _resolved("events", lambda: msgspec.json.Decoder(events))


def _require_struct(found: object, name: str) -> type[msgspec.Struct]:
    if not (isinstance(found, type) and issubclass(found, msgspec.Struct)):
        raise PluginFault(f"{name} must be a msgspec Struct type, got {excerpt(found)}")
    return found


def _resolved(name: str, resolve: Callable[[], T]) -> T:
    """Return what *resolve* returns. Raises PluginFault if the types of *name* cannot be used."""
    try:
        return resolve()
    except (TypeError, ValueError, NameError, AttributeError, SyntaxError) as error:
        message = " ".join(str(error).split())
        raise PluginFault(f"{name} cannot be read: {type(error).__name__}: {message}") from None
