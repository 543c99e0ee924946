"""Demo view: measurements of simulated models, beside what was planted in them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from ....results.outcomes import DemoResult
from ...views import group_by_view
from ..console_text import ConsoleText


def demo_view(results: Sequence[DemoResult]) -> RenderableType:
    """Return the results of each kind of score together.

    A kind without a view for the demo shows its scores alone.
    """
    scores = [score for result in results for score in result.scores]
    parts: list[RenderableType] = []
    for view, members in group_by_view(scores):
        types = {type(score) for score in members}
        of_view = [result for result in results if types & {type(s) for s in result.scores}]
        shown = view.demo(of_view) if view.demo else view.terminal(members)
        parts += [Text()] * bool(parts) + [shown]
    return ConsoleText(Group(*parts))
