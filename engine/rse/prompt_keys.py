"""The keys by which the rows of published prompt files are known."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import FileInvalid

CONVERSATIONS = ("conversations", "conversation", "messages")
IN_TURNS = (*CONVERSATIONS, "turns")  # a list under them is one conversation
SHAPES = ("problem", *IN_TURNS, "prompt")  # a row has that of its keys which comes first here
IDS = ("id", "question_id", "uid", "uuid", "conversation_id")
# The cluster comes first: published ArenaHard has one category for all of its prompts.
STRATA = ("stratum", "cluster", "subcategory", "category", "source")
LANGUAGE = ("language",)

_EXPECTED = "prompt, turns (ArenaHard), problem (NuminaMath), or conversations or messages"
_NAMED = 20  # keys in a message


def shapes_in(keys: Iterable[str]) -> list[str]:
    """Return those of *keys* that can hold a prompt, the one to take first."""
    held = set(keys)
    return [key for key in SHAPES if key in held]


def misshapen(keys: Iterable[str], here: str) -> FileInvalid:
    """Return what to say of a row that has none of SHAPES."""
    found = list(keys)
    shown = ", ".join([*found[:_NAMED], "..."] if len(found) > _NAMED else found) or "(none)"
    return FileInvalid(f"{here}: found the keys {shown}; needs {_EXPECTED}")
