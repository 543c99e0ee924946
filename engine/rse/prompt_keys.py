"""Keys that identify the format of a row in published prompt files."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import FileInvalid

CONVERSATIONS = ("conversations", "conversation", "messages")
IN_TURNS = (*CONVERSATIONS, "turns")  # a list under one of these keys is one conversation
SHAPES = ("problem", *IN_TURNS, "prompt")  # keys that can have the prompt; the first one is used
IDS = ("id", "question_id", "uid", "uuid", "conversation_id")
# The cluster comes first: published ArenaHard has one category for all of its prompts.
STRATA = ("stratum", "cluster", "subcategory", "category", "source")
LANGUAGE = ("language",)

_EXPECTED = "prompt, turns (ArenaHard), problem (NuminaMath), or conversations or messages"
_NAMED = 20  # keys in a message


def shapes_in(keys: Iterable[str]) -> list[str]:
    """Return the *keys* that can have a prompt, in the order of SHAPES. The first is used."""
    held = set(keys)
    return [key for key in SHAPES if key in held]


def misshapen(keys: Iterable[str], here: str) -> FileInvalid:
    """Return the error for a row that has no key of SHAPES."""
    found = list(keys)
    shown = ", ".join([*found[:_NAMED], "..."] if len(found) > _NAMED else found) or "(none)"
    return FileInvalid(f"{here}: found the keys {shown}; needs {_EXPECTED}")
