"""Glossary: the meanings of the metrics, columns and flags that some scores have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..engine.measurement import Score
from .terms import EVERY_SCORE, TermEntry, flags_raised, metrics_measured
from .views import group_by_view


def entries_for(scores: Sequence[Score]) -> Mapping[str, Mapping[str, str]]:
    """Return the meanings that apply to *scores*: by heading, then by term.

    A kind of score without terms of its own gets the entries for every score that it has.
    """
    keys = {key for score in scores for key in getattr(score, "__struct_fields__", ())}
    found: dict[str, list[TermEntry]] = {
        f"Columns of {EVERY_SCORE.title}": [
            entry for entry in EVERY_SCORE.columns if keys.intersection(entry.fields)
        ]
    }
    for view, members in group_by_view(scores):
        glossary = view.glossary
        title = glossary.title
        found.setdefault(f"Metrics of {title}", []).extend(metrics_measured(glossary, members))
        if members:
            found.setdefault(f"Columns of {title}", []).extend(glossary.columns)
        found.setdefault(f"Flags of {title}", []).extend(flags_raised(glossary, members))
    return {
        heading: {entry.title: entry.meaning for entry in entries}
        for heading, entries in found.items()
        if entries
    }
