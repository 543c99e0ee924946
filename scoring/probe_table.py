"""Probe table: the verdicts of one judge on one run, as arrays."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import get_args

import msgspec
import numpy as np
import numpy.typing as npt

from ..strategies.types import Metric, Opinion, ProbeRow, Verdict

IntArray = npt.NDArray[np.int64]

METRICS: tuple[Metric, ...] = get_args(Metric)

# Codes of one byte: the opinion of a row on one metric, and the state of its probe.
_NO_OPINION, _UNPARSED, _NEGATIVE, _POSITIVE = range(4)
_STATES = {"judged": 0, "failed": 1, "refused": 2, "truncated": 3, "unread": 4}


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """Numbers of probes of one run for one metric.

    Every probe is counted in exactly one of the last six fields. *positives* are among the
    *judged*.
    """

    positives: int
    judged: int
    failed: int
    refused: int
    truncated: int
    unparsed: int
    unread: int = 0

    @property
    def missing(self) -> int:
        """The number of probes without a readable verdict."""
        return self.failed + self.refused + self.truncated + self.unparsed + self.unread

    @property
    def probes(self) -> int:
        """The number of all probes."""
        return self.judged + self.missing


class ProbeTable:
    """The rows of a run as arrays; no result depends on the order of the rows.

    A row counts as judged for a metric if it has a readable verdict for that metric. A row in the
    state "judged" without an opinion on the metric counts as failed, because the judge's call
    failed. Raises ValueError for a row with contradictory facts.
    """

    def __init__(self, rows: Iterable[ProbeRow]) -> None:
        templates, questions, states = array("q"), array("q"), bytearray()
        columns = {metric: bytearray() for metric in METRICS}
        for number, row in enumerate(rows):
            templates.append(row.template)
            questions.append(row.question)
            states.append(_STATES[row.state])
            for column in columns.values():
                column.append(_NO_OPINION)
            if row.opinions and row.state != "judged":
                raise ValueError(f"row {number} is {row.state} and has opinions")
            for opinion in row.opinions:
                if columns[opinion.metric][number] != _NO_OPINION:
                    raise ValueError(f"row {number} has two opinions on {opinion.metric}")
                columns[opinion.metric][number] = _code(opinion)
        self._templates = _numbered(templates)
        self._questions = _numbered(questions)
        self._states = np.frombuffer(states, dtype=np.uint8)
        self._columns = {m: np.frombuffer(c, dtype=np.uint8) for m, c in columns.items()}

    def __len__(self) -> int:
        return len(self._states)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Metrics with an opinion in at least one row, in the order loose, strict, hard."""
        return tuple(m for m in METRICS if self._columns[m].any())

    def counts(self, metric: Metric) -> Counts:
        """Return the counts of *metric*; every probe is counted once."""
        no_opinion, unparsed, negatives, positives = _tally(self._columns[metric], 4)
        answered, failed, refused, truncated, unread = _tally(self._states, len(_STATES))
        unasked = no_opinion - (len(self) - answered)
        return Counts(
            positives=positives,
            judged=positives + negatives,
            failed=failed + unasked,
            refused=refused,
            truncated=truncated,
            unparsed=unparsed,
            unread=unread,
        )

    def cells(self, metric: Metric) -> tuple[IntArray, IntArray]:
        """Return two T x Q arrays: positive and judged rows by template and question, by id."""
        column = self._columns[metric]
        return self._cells(column == _POSITIVE), self._cells(column >= _NEGATIVE)

    def _cells(self, chosen: npt.NDArray[np.bool_]) -> IntArray:
        height, width = (int(ids.max(initial=-1)) + 1 for ids in (self._templates, self._questions))
        flat = self._templates[chosen] * width + self._questions[chosen]
        return np.bincount(flat, minlength=height * width).reshape(height, width)


def _code(opinion: Opinion) -> int:
    if not isinstance(opinion, Verdict):
        return _UNPARSED
    return _POSITIVE if opinion.positive else _NEGATIVE


def _numbered(ids: array[int]) -> IntArray:
    """Return the ids renumbered 0, 1, 2 ... in order, so that gaps make no rows of a matrix."""
    return np.unique(np.frombuffer(ids, dtype=np.int64), return_inverse=True)[1].astype(np.int64)


def _tally(codes: npt.NDArray[np.uint8], kinds: int) -> list[int]:
    return [int(count) for count in np.bincount(codes, minlength=kinds)]
