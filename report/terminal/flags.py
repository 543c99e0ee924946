"""What the flags of comparisons mean, and who has them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...scoring.means import OVER_SETS
from ...scoring.similarity_scores import SimilarityFlag, SimilarityScore
from ...scoring.thresholds import FEW_PROMPTS, MISSING_SHARE

_NAMED = 6  # of those that have a flag; more are counted

_FLAGS: dict[SimilarityFlag, str] = {
    "nothing-compared": "no prompt of a set has a value, so there is no mean over the sets",
    "few-prompts": f"fewer than {FEW_PROMPTS} prompts in a set: the interval is rough",
    "missing-data": f"more than {MISSING_SHARE:.0%} of the prompts, or of the gradings, are lost",
    "unfinished": "the run was stopped before its end; resume it, then score again",
    "changed-model": "one model answered under two ids",
    "same-vendor": "the judge is a model that it compares, or of its vendor, and may prefer it",
    "order-effect": "the judge grades one presentation order higher; both are in the mean",
    "one-order": "one presentation order only: the judge's preference is in the mean",
}


def flag_notes(
    scores: Sequence[SimilarityScore], name_of: Callable[[SimilarityScore], str]
) -> Iterator[tuple[str, str]]:
    """Yield each flag that was raised, with who has it and what it means."""
    subjects: dict[str, list[SimilarityScore]] = {}
    for score in scores:
        subjects.setdefault(name_of(score), []).append(score)
    for flag, meaning in _FLAGS.items():
        where = {
            name: _where(flag, own)
            for name, own in subjects.items()
            if any(flag in score.flags for score in own)
        }
        named = [name + place for name, place in where.items()]
        if len(where) == len(subjects) > 2 and len(set(where.values())) == 1:
            named = [f"all {len(subjects)}{next(iter(where.values()))}"]
        elif len(named) > _NAMED:
            named[_NAMED:] = [f"{len(named) - _NAMED} more"]
        if named:
            yield flag, f"{', '.join(named)}: {meaning}"


def _where(flag: SimilarityFlag, scores: Sequence[SimilarityScore]) -> str:
    """Return in which metrics and sets *flag* was raised, where it was not in all of them.

    What the overall score has is not told apart by aspect.
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
