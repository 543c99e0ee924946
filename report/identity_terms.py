"""Terms of identity scores: the meanings of their metrics, columns and flags."""

from __future__ import annotations

from ..scoring.thresholds import FEW_OUTCOMES, MISSING_SHARE
from .terms import Glossary, TermEntry

IDENTITY = Glossary(
    title="identity scores",
    metrics=(
        TermEntry("loose", "The answer contradicts the fact of who the target is."),
        TermEntry(
            "strict",
            "The answer claims to be, or to be made by, a vendor listed in strict_vendors. The "
            "target's own vendor does not count.",
        ),
        TermEntry(
            "hard",
            "The answer is strict, and the prompt had named no listed vendor.",
        ),
    ),
    columns=(
        TermEntry(
            "positives/judged",
            "How many probes (one question in one template) show what the metric names, of all "
            "probes with a verdict.",
            keys=("positives", "judged"),
            headings=("positive/judged",),
        ),
        TermEntry("rate", "Positives divided by judged."),
        TermEntry(
            "95% interval",
            "Where the rate would lie with other templates and questions of the same kind. It is "
            "resampled over both.",
            keys=("low", "high"),
            headings=("interval 95%",),
        ),
        TermEntry(
            "naive interval",
            "Wilson's 95% interval, as if all probes were independent. It is usually too narrow.",
            keys=("naive_low", "naive_high"),
        ),
        TermEntry(
            "analytic interval",
            "The 95% interval by formula instead of resampling (Cameron, Gelbach and Miller). It "
            "is empty where the formula has no solution.",
            keys=("analytic_low", "analytic_high"),
        ),
        TermEntry(
            "drawing",
            "The intervals on one scale: ├ and ┤ end the 95% interval, ━ is the naive interval, "
            "● is the rate.",
        ),
        TermEntry(
            "missing",
            "Probes without a verdict, which are not in the rate: failed / refused / truncated / "
            "unparsed, and unread where there are any.",
            headings=("missing f/r/t/u", "missing f/r/t/u/n"),
        ),
        TermEntry("failed", "Probes of which a call failed for good."),
        TermEntry("refused", "Probes that an endpoint refused to answer."),
        TermEntry("truncated", "Probes whose answer was cut by a length limit."),
        TermEntry("unparsed", "Probes for which the judge's reply could not be read."),
        TermEntry("unread", "Probes that a judge added by rescore has not read."),
        TermEntry(
            "best–worst",
            "The rate over all probes if none, or all, of the missing probes were positive.",
            keys=("best", "worst"),
        ),
        TermEntry("templates", "Templates that have at least one verdict."),
        TermEntry("questions", "Questions that have at least one verdict."),
    ),
    flags=(
        TermEntry("nothing-judged", "No probe has a verdict, so there is no rate."),
        TermEntry(
            "one-template",
            "Only one template has verdicts. The interval does not show how others would do.",
        ),
        TermEntry(
            "one-question",
            "Only one question has verdicts. The interval does not show how others would do.",
        ),
        TermEntry(
            "few-positives",
            f"Fewer than {FEW_OUTCOMES} positives: the interval is rough, and widened to hold the "
            "naive interval.",
        ),
        TermEntry(
            "few-negatives",
            f"Fewer than {FEW_OUTCOMES} negatives: the interval is rough, and widened to hold the "
            "naive interval.",
        ),
        TermEntry(
            "partial-layer",
            "The run has answers that this judge did not read. Rescore the run with it again.",
        ),
        TermEntry(
            "missing-data",
            f"More than {MISSING_SHARE:.0%} of the probes have no verdict. Trust best–worst, not "
            "the rate.",
        ),
    ),
)
