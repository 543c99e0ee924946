"""Terms of similarity scores: the meanings of their metrics, columns and flags."""

from __future__ import annotations

from ..scoring.thresholds import FEW_PROMPTS, MISSING_SHARE
from .terms import Glossary, TermEntry

SIMILARITY = Glossary(
    title="similarity scores",
    metrics=(
        TermEntry(
            "style",
            "How similar tone, formality and wording are, from 1 (very different) to 5 (very "
            "similar).",
        ),
        TermEntry("logic", "How similar the structure of the answers is, from 1 to 5."),
        TermEntry("content", "How similar what the answers say is, from 1 to 5."),
        TermEntry(
            "overall",
            "The weighted mean of style, logic and content, from 1 (very different) to 5 (very "
            "similar).",
        ),
        TermEntry(
            "chars",
            "The overlap of both answers in runs of 3 to 5 characters (chrF), from 0 to 1.",
        ),
        TermEntry("rouge-l", "The longest common subsequence of words (ROUGE-L), from 0 to 1."),
        TermEntry("length", "How similar the lengths of both answers are, from 0 to 1."),
        TermEntry("markdown", "How similar the layout of both answers is, from 0 to 1."),
        TermEntry("embedding", "The cosine of both answers' embedding vectors, from -1 to 1."),
    ),
    columns=(
        TermEntry(
            "reference", "The model that the target is compared with, by the name that you gave it."
        ),
        TermEntry(
            "weights",
            "The weights of style, logic and content in the overall score. Scores of different "
            "weights do not compare.",
        ),
        TermEntry(
            "prompts",
            "A digest of all prompts that were asked. Scores of different prompts do not compare.",
            keys=("prompts_digest",),
        ),
        TermEntry(
            "set",
            'The set of prompts. Under "mean" is the mean over the sets, which weigh the same.',
        ),
        TermEntry(
            "n",
            "Prompts that have a value. With several sets, the second line has the number of each.",
        ),
        TermEntry("mean", "The mean value of these prompts."),
        TermEntry(
            "95% interval",
            "Where the mean would lie with other prompts of the same kind. It is resampled over "
            "prompts.",
            keys=("low", "high"),
            headings=("2nd line",),
        ),
        TermEntry(
            "order effect",
            "How much higher the judge grades when it sees the target's answer first. Its second "
            "line has the value of each set.",
            keys=("order_effect",),
            headings=("order",),
        ),
        TermEntry(
            "order 95%",
            "The 95% interval of the order effect.",
            keys=("order_low", "order_high"),
        ),
        TermEntry(
            "own 2nd draw",
            "The score of a second answer of the reference itself. No other model can be expected "
            "to score higher.",
            keys=("ceiling", "ceiling_low", "ceiling_high"),
        ),
        TermEntry(
            "mean over sets",
            "The mean over the sets of prompts, which weigh the same, for each metric.",
        ),
        TermEntry(
            "without a judge",
            "What two answers share, from 0 to 1, by a formula. No judge is asked.",
        ),
        TermEntry(
            "prompts lost",
            "Prompts without a value, which are not in the mean: failed / refused / truncated / "
            "unparsed.",
            headings=("lost",),
        ),
        TermEntry("failed", "Prompts of which a call failed for good."),
        TermEntry("refused", "Prompts that an endpoint refused to answer."),
        TermEntry("truncated", "Prompts for which an answer was cut by a length limit."),
        TermEntry("unparsed", "Prompts for which no grading could be read."),
        TermEntry(
            "gradings",
            "Gradings that could be read, of all that the judge was asked for. In JSON and CSV, "
            "lost counts those that could not be read.",
            keys=("gradings", "lost"),
        ),
        TermEntry(
            "baseline",
            "The mean score of unrelated models on the same prompts, where some were measured.",
        ),
        TermEntry(
            "excess",
            "How much higher the target scores than the unrelated models, with its 95% interval.",
            keys=("excess", "excess_low", "excess_high"),
        ),
        TermEntry("paired", "Prompts on which target and unrelated models both have a value."),
    ),
    flags=(
        TermEntry(
            "nothing-compared",
            "No prompt of a set has a value, so there is no mean over the sets.",
        ),
        TermEntry(
            "few-prompts",
            f"A set has fewer than {FEW_PROMPTS} prompts with a value, so its interval is rough.",
        ),
        TermEntry(
            "missing-data",
            f"More than {MISSING_SHARE:.0%} of the prompts, or of the gradings, are lost.",
        ),
        TermEntry(
            "same-vendor",
            "The judge is one of the two models, or of the same vendor, and may prefer it.",
        ),
        TermEntry(
            "order-effect",
            "The judge grades one presentation order higher. The mean is over both orders.",
        ),
        TermEntry(
            "one-order",
            "The judge saw one presentation order only. A preference for it is in the mean.",
        ),
    ),
)

# Words of the matrix of all pairs, which is no table of scores.
MATRIX = (
    TermEntry("±", "How far the 95% interval reaches. It is resampled over prompts."),
    TermEntry("diagonal", "A model's own second draw: the highest score to expect."),
    TermEntry("no tree", "A tree needs a value for every pair."),
)
