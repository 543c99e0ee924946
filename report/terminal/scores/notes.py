"""Notes: what the words under a table mean, a line each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.table import Table
from rich.text import Text

from ....scoring.means import OVER_SETS
from ....scoring.similarity_scores import SimilarityScore
from ...similarity_terms import SIMILARITY
from ...terms import TermEntry, flags_raised

_NAMED = 6  # subjects that a note names; more are counted

Note = tuple[str, str]  # a term, and what it means


def note_table(notes: Iterable[Note], flags: Iterable[Note] = ()) -> Table:
    """Return a grid of *notes*, then of *flags*."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for term, meaning in notes:
        table.add_row(Text(term, "dim"), Text(meaning, "dim"))
    for flag, meaning in flags:
        table.add_row(Text(flag, "yellow"), Text(meaning, "dim"))
    return table


def notes_of(entries: Iterable[TermEntry]) -> list[Note]:
    """Return a note for each of *entries*."""
    return [(entry.term, entry.meaning) for entry in entries]


def similarity_flags(
    scores: Sequence[SimilarityScore], name_of: Callable[[SimilarityScore], str], plural: str
) -> Iterator[Note]:
    """Yield each flag that was raised, with the subjects that have it and its meaning.

    *name_of* names the subject of a score: a target, or a pair of models. *plural* is the noun for
    several of them.
    """
    subjects: dict[str, list[SimilarityScore]] = {}
    for score in scores:
        subjects.setdefault(name_of(score), []).append(score)
    for entry in flags_raised(SIMILARITY, scores):
        yield entry.term, f"{_subjects_with(entry.term, subjects, plural)}: {entry.meaning}"


def _subjects_with(flag: str, subjects: dict[str, list[SimilarityScore]], plural: str) -> str:
    where = {
        name: _where(flag, scores)
        for name, scores in subjects.items()
        if any(flag in score.flags for score in scores)
    }
    if len(where) == len(subjects) > 2 and len(set(where.values())) == 1:
        return f"all {len(subjects)} {plural}{next(iter(where.values()))}"
    named = [name + place for name, place in where.items()]
    if len(named) > _NAMED:
        named[_NAMED:] = [f"{len(named) - _NAMED} more"]
    return ", ".join(named)


def _where(flag: str, scores: Sequence[SimilarityScore]) -> str:
    """Return the metrics and sets in which *flag* was raised, unless it is in all of them.

    A flag of the overall score is not listed by aspect.
    """
    raised = [score for score in scores if flag in score.flags]
    metrics = list(dict.fromkeys(score.metric for score in raised))
    sets = [name for name in dict.fromkeys(score.set for score in raised) if name != OVER_SETS]
    everywhere = {score.set for score in scores} - {OVER_SETS}
    only = [
        *([] if "overall" in metrics else metrics),
        *(sets if len(sets) < len(everywhere) else []),
    ]
    return f" ({', '.join(only)})" if only else ""
