"""Views of scores: the closed list that says how each kind of score is shown.

A new kind of score needs one entry here. A kind without an entry is shown by a generic view, in
every format. The terminal views are imported when one is asked for: tables need no terminal
library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..engine.measurement import Score
from ..results.outcomes import DemoResult
from ..scoring.identity_scores import IdentityScore
from ..scoring.pairwise import Kinship
from ..scoring.similarity_scores import SimilarityScore
from .identity_terms import IDENTITY
from .similarity_terms import SIMILARITY
from .tables.csv_cells import Cell, score_cells, similarity_cells
from .tables.generic_table import generic_table
from .tables.identity_table import identity_table
from .tables.score_table import ScoreTable
from .tables.similarity_table import similarity_table
from .terms import OTHER_SCORES, Glossary

if TYPE_CHECKING:
    from rich.console import RenderableType

S = TypeVar("S")


@dataclass(frozen=True, kw_only=True)
class ScoreView(Generic[S]):
    """One kind of score in every format.

    *demo* shows results of the demo beside what was planted; without one, their scores are shown.
    """

    score_type: type[S]
    glossary: Glossary
    table: Callable[[Sequence[S]], ScoreTable]
    terminal: Callable[[Sequence[S]], RenderableType]
    csv_cells: Callable[[Any], Mapping[str, Cell]] = score_cells
    demo: Callable[[Sequence[DemoResult]], RenderableType] | None = None


@dataclass(frozen=True, kw_only=True)
class SummaryView(Generic[S]):
    """One kind of summary of several runs."""

    summary_type: type[S]
    terminal: Callable[[S], RenderableType]


def view_of(score: Score) -> ScoreView[Any]:
    """Return the view of *score*."""
    return next((view for view in VIEWS if isinstance(score, view.score_type)), GENERIC)


def group_by_view(scores: Sequence[Score]) -> Iterator[tuple[ScoreView[Any], list[Score]]]:
    """Yield each view with its scores, in the order of the list; unknown types come last.

    Without scores, the first view is asked to say so.
    """
    if not scores:
        yield VIEWS[0], []
    for view in VIEWS:
        if members := [score for score in scores if view_of(score) is view]:
            yield view, members
    unknown: dict[type, list[Score]] = {}
    for score in scores:
        if view_of(score) is GENERIC:
            unknown.setdefault(type(score), []).append(score)
    for members in unknown.values():
        yield GENERIC, members


def _identity_scores(scores: Sequence[IdentityScore]) -> RenderableType:
    from .terminal.scores.identity_view import identity_view  # noqa: PLC0415

    return identity_view(scores)


def _identity_demo(results: Sequence[DemoResult]) -> RenderableType:
    from .terminal.scores.identity_demo import identity_demo  # noqa: PLC0415

    return identity_demo(results)


def _similarity_scores(scores: Sequence[SimilarityScore]) -> RenderableType:
    from .terminal.scores.similarity_view import similarity_view  # noqa: PLC0415

    return similarity_view(scores)


def _similarity_demo(results: Sequence[DemoResult]) -> RenderableType:
    from .terminal.scores.similarity_demo import similarity_demo  # noqa: PLC0415

    return similarity_demo(results)


def _generic_scores(scores: Sequence[Score]) -> RenderableType:
    from .terminal.scores.generic_view import generic_view  # noqa: PLC0415

    return generic_view(scores)


def _kinship(kinship: Kinship) -> RenderableType:
    from .terminal.scores.pairwise_view import kinship_view  # noqa: PLC0415

    return kinship_view(kinship)


GENERIC: ScoreView[Any] = ScoreView(
    score_type=object,
    glossary=OTHER_SCORES,
    table=generic_table,
    terminal=_generic_scores,
)

VIEWS: tuple[ScoreView[Any], ...] = (
    ScoreView(
        score_type=IdentityScore,
        glossary=IDENTITY,
        table=identity_table,
        terminal=_identity_scores,
        demo=_identity_demo,
    ),
    ScoreView(
        score_type=SimilarityScore,
        glossary=SIMILARITY,
        table=similarity_table,
        csv_cells=similarity_cells,
        terminal=_similarity_scores,
        demo=_similarity_demo,
    ),
)

SUMMARIES: tuple[SummaryView[Any], ...] = (SummaryView(summary_type=Kinship, terminal=_kinship),)
