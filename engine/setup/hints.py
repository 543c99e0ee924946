"""What to say of a name that nobody knows."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def name_hint(name: str, known: Iterable[str], *, none: str = "none") -> str:
    """Return the nearest of the *known* names, or all of them, or *none* where there are none."""
    known = tuple(known)
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known: {', '.join(known) or none}"
