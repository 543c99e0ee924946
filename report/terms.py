"""Terms: the meanings of metrics, columns and flags as data, and what every score has of them.

An entry's term is the heading in the tables. Its keys are the names of the same figures in JSON and
CSV, where they differ from the term. The terms of one kind of score stand in a file of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ..engine.measurement import Score


class TermEntry(msgspec.Struct, frozen=True):
    """The meaning of one term, in one or two sentences.

    *headings* are other headings of the same column, in a narrower or wider view.
    """

    term: str
    meaning: str
    keys: tuple[str, ...] = ()
    headings: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The term, with the keys under which JSON and CSV have it."""
        terms = ", ".join((self.term, *self.headings))
        return f"{terms} ({', '.join(self.keys)})" if self.keys else terms

    @property
    def fields(self) -> tuple[str, ...]:
        """The keys of JSON and CSV that the entry explains."""
        return self.keys or (self.term,)


class Glossary(msgspec.Struct, frozen=True, kw_only=True):
    """The entries of one kind of score, and its name in the plural."""

    title: str
    metrics: tuple[TermEntry, ...] = ()
    columns: tuple[TermEntry, ...] = ()
    flags: tuple[TermEntry, ...] = ()


EVERY_SCORE = Glossary(
    title="every score",
    columns=(
        TermEntry("run", "The name of the run directory."),
        TermEntry("target", "The model that was measured, by the name that you gave it."),
        TermEntry("kind", "The kind of measurement, such as ice (identity) or rse (similarity)."),
        TermEntry(
            "judge",
            "The model, or the rule, that graded the answers. It is empty where the metric needs "
            "no judge.",
        ),
        TermEntry(
            "prompt",
            "The version of the judge's prompt, or of the metric's formula. Scores of different "
            "versions do not compare.",
            keys=("prompt_version",),
            headings=("version",),
        ),
        TermEntry("metric", "What was measured."),
        TermEntry(
            "flags", "What to know before you trust the number. It is empty where there is nothing."
        ),
    ),
    flags=(
        TermEntry(
            "unfinished",
            "The run was stopped before its end. Resume it, then score again.",
        ),
        TermEntry(
            "changed-model",
            "A model answered under two ids during the run, so the score mixes two models.",
        ),
    ),
)

OTHER_SCORES = Glossary(title="other scores")  # kinds without terms of their own


def meaning(entries: Sequence[TermEntry], term: str) -> str:
    """Return the meaning of *term*. Raises KeyError where *entries* have none."""
    return {entry.term: entry.meaning for entry in entries}[term]


def flags_raised(glossary: Glossary, scores: Sequence[Score]) -> tuple[TermEntry, ...]:
    """Return the flags that occur in *scores* and have a meaning, in the glossary's order."""
    raised = {flag for score in scores for flag in score.flags}
    return tuple(e for e in (*glossary.flags, *EVERY_SCORE.flags) if e.term in raised)


def metrics_measured(glossary: Glossary, scores: Sequence[Score]) -> tuple[TermEntry, ...]:
    """Return the metrics that occur in *scores* and have a meaning, in the glossary's order."""
    measured = {getattr(score, "metric", None) for score in scores}
    return tuple(entry for entry in glossary.metrics if entry.term in measured)
