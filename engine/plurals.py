"""Plurals in messages: a number, and its noun in the number that fits."""

from __future__ import annotations


def counted(number: int, plural: str) -> str:
    """Return *number* and its noun: "1 probe", "1,200 probes". The plural ends in "s"."""
    return f"{number:,} {plural.removesuffix('s') if number == 1 else plural}"
