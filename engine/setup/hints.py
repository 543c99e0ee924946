"""Hints in error messages for unknown names: the nearest known name."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def name_hint(name: str, known: Iterable[str], *, none: str = "none") -> str:
    """Return a hint: the nearest of the *known* names, else all of them.

    *none* is the text to show if there are no known names.
    """
    known = tuple(known)
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known) or none}"
