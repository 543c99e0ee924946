"""One line of a result: a share of positives with everything it needs to be believed."""

from __future__ import annotations

from typing import Literal

import msgspec
import numpy as np

from ..strategies.types import Metric
from .intervals import cgm_interval, pigeonhole_bootstrap, wilson
from .probe_table import METRICS, Counts, ProbeTable

ScoreKind = Literal["ice", "panel"]
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

FEW = 8  # below this many, percentiles of resampled rows say more about luck than about the model
MISSING_SHARE = 0.05

# Flags under which the resampled interval alone is not to be trusted.
_FRAGILE: frozenset[IdentityFlag] = frozenset(
    {"one-template", "one-question", "few-positives", "few-negatives"}
)


class IdentityScore(msgspec.Struct, frozen=True, kw_only=True):
    """What one judge found in one run for one metric.

    *rate* is positives / judged. *low* and *high* are its 95% interval, resampled over templates
    and questions (the pigeonhole bootstrap). Where a flag says that there is too little to
    resample (few positives or negatives, one template or question), they are widened to hold
    Wilson's interval too, so that they never claim more than independent rows would. *naive* is
    Wilson's interval for independent rows, *analytic* the two-way variance on the logit scale,
    absent where that is not defined.

    *best* and *worst* are the rates over all probes if none, or all, of the missing ones were
    positive. *unread* ones came after a later judge's reading, or were lost from its layer.
    *templates* and *questions* count those with a judged probe. Everything that is a share is None
    when there is nothing to take it of.
    """

    run: str
    target: str
    kind: ScoreKind
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
        """Probes of which nobody can say whether they are positive."""
        return self.failed + self.refused + self.truncated + self.unparsed + self.unread


class _State(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a run beside its rows."""

    finished: bool
    changed: bool


class _Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a score that has to be computed; its fields are named as the score's."""

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
    kind: ScoreKind,
    judge: str,
    prompt_version: str,
    seed: int,
    metrics: tuple[Metric, ...] = (),
    finished: bool = True,
    changed: bool = False,
) -> tuple[IdentityScore, ...]:
    """Return a score for each metric that the table knows, the widest metric first.

    *metrics* names those to score even if no row has an opinion on them: without it, a run of
    which every probe failed would have no scores at all, instead of scores that say so.
    Scores of a run that is not *finished*, or of which a model *changed* its id on the way, are
    flagged. All metrics see the same resampled templates and questions.
    """
    known = {*table.metrics, *metrics}
    state = _State(finished=finished, changed=changed)
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


def _estimate(table: ProbeTable, metric: Metric, seed: int, state: _State) -> _Estimate:
    counts = table.counts(metric)
    positives, judged = table.cells(metric)
    templates = int(np.count_nonzero(judged.any(axis=1)))
    questions = int(np.count_nonzero(judged.any(axis=0)))
    flags = _flags(counts, templates, questions, state)
    main = naive = analytic = None
    if counts.judged:
        naive = wilson(counts.positives, counts.judged)
        # A run's seed may be negative, numpy's may not.
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
    counts: Counts, templates: int, questions: int, state: _State
) -> tuple[IdentityFlag, ...]:
    some = counts.judged > 0
    raised: dict[IdentityFlag, bool] = {
        "nothing-judged": not some,
        "one-template": some and templates == 1,
        "one-question": some and questions == 1,
        "few-positives": some and counts.positives < FEW,
        "few-negatives": some and counts.judged - counts.positives < FEW,
        "missing-data": counts.missing > MISSING_SHARE * counts.probes,
        "partial-layer": counts.unread > 0,
        "unfinished": not state.finished,
        "changed-model": state.changed,
    }
    return tuple(flag for flag, up in raised.items() if up)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
