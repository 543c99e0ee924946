"""Identity scores: the share of positive verdicts, with intervals, counts and flags.

A score contains everything that is needed to judge how far to trust it: how many probes are missing
and why, bounds for the missing ones, and intervals that respect the shared templates and questions.
"""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from ..strategies.types import Metric
from .intervals import cgm_interval, pigeonhole_bootstrap, wilson
from .probe_table import METRICS, Counts, ProbeTable
from .thresholds import FEW_OUTCOMES, MISSING_SHARE, RunState

IdentityFlag = Literal[
    "nothing-judged",
    "one-template",
    "one-question",
    "few-positives",
    "few-negatives",
    "missing-data",
    "partial-layer",
    "unfinished",
    "changed-model",
]

# With one of these flags the resampled interval alone is unreliable.
_FRAGILE: frozenset[IdentityFlag] = frozenset(
    {"one-template", "one-question", "few-positives", "few-negatives"}
)


class IdentityScore(msgspec.Struct, frozen=True, kw_only=True):
    """Result of one judge on one run for one metric.

    *rate* is positives / judged. *low* and *high* are its 95% interval, resampled over templates
    and questions (the pigeonhole bootstrap). If a flag says that there is too little to resample
    (few positives or negatives, one template or question), they are widened to include Wilson's
    interval, so that they are never narrower than for independent rows. *naive* is Wilson's
    interval, which assumes independent rows. *analytic* uses the two-way variance on the logit
    scale; it is None where that variance is not defined.

    *best* and *worst* are the rates over all probes if none, or all, of the missing probes were
    positive. *unread* counts the probes without an entry in the layer of a later judge: probes
    that were added afterwards, and entries that were lost. *templates* and *questions* count those
    with a judged probe. A share is None when it would be a share of nothing.
    """

    run: str
    target: str
    kind: str
    judge: str
    prompt_version: str
    metric: Metric
    positives: int
    judged: int
    failed: int
    refused: int
    truncated: int
    unparsed: int
    unread: int = 0
    rate: float | None
    low: float | None
    high: float | None
    flags: tuple[IdentityFlag, ...]
    naive_low: float | None
    naive_high: float | None
    analytic_low: float | None
    analytic_high: float | None
    best: float | None
    worst: float | None
    templates: int
    questions: int

    @property
    def missing(self) -> int:
        """The number of probes without a readable verdict."""
        return self.failed + self.refused + self.truncated + self.unparsed + self.unread


class _Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """The computed part of a score; its fields have the names of the score's fields."""

    rate: float | None
    low: float | None
    high: float | None
    flags: tuple[IdentityFlag, ...]
    naive_low: float | None
    naive_high: float | None
    analytic_low: float | None
    analytic_high: float | None
    best: float | None
    worst: float | None
    templates: int
    questions: int


def score_table(
    table: ProbeTable,
    *,
    run: str,
    target: str,
    kind: str,
    judge: str,
    prompt_version: str,
    seed: int,
    metrics: tuple[Metric, ...] = (),
    finished: bool = True,
    changed: bool = False,
) -> tuple[IdentityScore, ...]:
    """Return a score for each metric in the table, the broadest metric first.

    *metrics* are scored even if no row has an opinion on them: a run whose probes all failed then
    has scores that say so. Scores are flagged if the run is not *finished*, or if a model *changed*
    its id during the run. All metrics use the same resampled templates and questions.
    """
    known = {*table.metrics, *metrics}
    state = RunState(finished=finished, changed=changed)
    return tuple(
        IdentityScore(
            run=run,
            target=target,
            kind=kind,
            judge=judge,
            prompt_version=prompt_version,
            metric=metric,
            **msgspec.structs.asdict(table.counts(metric)),
            **msgspec.structs.asdict(_estimate(table, metric, seed, state)),
        )
        for metric in METRICS
        if metric in known
    )


def _estimate(table: ProbeTable, metric: Metric, seed: int, state: RunState) -> _Estimate:
    counts = table.counts(metric)
    positives, judged = table.cells(metric)
    templates = int(np.count_nonzero(judged.any(axis=1)))
    questions = int(np.count_nonzero(judged.any(axis=0)))
    flags = _flags(counts, templates, questions, state)
    main = naive = analytic = None
    if counts.judged:
        naive = wilson(counts.positives, counts.judged)
        # The seed of a run may be negative, a seed of numpy may not.
        main = pigeonhole_bootstrap(positives, judged, seed=seed % (1 << 64))
        if not _FRAGILE.isdisjoint(flags):
            main = main.hull(naive)
        analytic = cgm_interval(positives, judged)
    low, high = main or (None, None)
    naive_low, naive_high = naive or (None, None)
    analytic_low, analytic_high = analytic or (None, None)
    return _Estimate(
        rate=_share(counts.positives, counts.judged),
        low=low,
        high=high,
        flags=flags,
        naive_low=naive_low,
        naive_high=naive_high,
        analytic_low=analytic_low,
        analytic_high=analytic_high,
        best=_share(counts.positives, counts.probes),
        worst=_share(counts.positives + counts.missing, counts.probes),
        templates=templates,
        questions=questions,
    )


def _flags(
    counts: Counts, templates: int, questions: int, state: RunState
) -> tuple[IdentityFlag, ...]:
    some = counts.judged > 0
    raised: dict[IdentityFlag, bool] = {
        "nothing-judged": not some,
        "one-template": some and templates == 1,
        "one-question": some and questions == 1,
        "few-positives": some and counts.positives < FEW_OUTCOMES,
        "few-negatives": some and counts.judged - counts.positives < FEW_OUTCOMES,
        "missing-data": counts.missing > MISSING_SHARE * counts.probes,
        "partial-layer": counts.unread > 0,
        "unfinished": not state.finished,
        "changed-model": state.changed,
    }
    return tuple(flag for flag, is_raised in raised.items() if is_raised)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
