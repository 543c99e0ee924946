"""Score views: scores and summaries of any kind, each in the view made for it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from ....engine.measurement import RunsSummary, Score
from ...views import SUMMARIES, group_by_view


def scores_view(scores: Sequence[Score]) -> RenderableType:
    """Return the scores of each kind together."""
    parts: list[RenderableType] = []
    for view, members in group_by_view(scores):
        parts += [Text()] * bool(parts) + [view.terminal(members)]
    return Group(*parts)


def summary_view(summary: RunsSummary) -> RenderableType | None:
    """Return what several runs say together; None for a kind of summary that has no view."""
    value = summary.value
    found = (view for view in SUMMARIES if isinstance(value, view.summary_type))
    return next((view.terminal(value) for view in found), None)
