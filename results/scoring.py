"""Scores of recorded runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from ..engine.measurement import Measurements, Score
from ..engine.records.recorded_run import RecordedRun
from ..engine.records.run_directory import RunDirectory
from ..engine.records.timings import changed_models
from .finding import find_runs


def score_run(run: Path, measurements: Measurements) -> tuple[Score, ...]:
    """Return the scores of one run: first of its own judge, then of each layer or measure.

    Raises InputInvalid for a folder without a run.
    """
    recorded: RecordedRun[Any] = RecordedRun(run, measurements)
    return recorded.measurement.score(recorded)


def score_runs(runs: Sequence[Path], measurements: Measurements) -> tuple[Score, ...]:
    """Return the scores of several runs, in order. A folder of runs means all runs in it."""
    return tuple(
        score
        for run in runs
        for found in find_runs(run)
        for score in score_run(found, measurements)
    )


def write_scores(run: Path, measurements: Measurements) -> tuple[Score, ...]:
    """Write the scores of *run* to its scores.json, and return them."""
    scores = score_run(run, measurements)
    RunDirectory(run).write_text("scores.json", encode_scores(scores))
    return scores


def encode_scores(scores: Sequence[Score]) -> str:
    """Return a JSON list with one object for each score, at full precision."""
    return msgspec.json.format(msgspec.json.encode(scores), indent=2).decode() + "\n"


def find_changes(runs: Sequence[Path], measurements: Measurements) -> tuple[str, ...]:
    """Return a line for every model that answered under more than one model id in one run."""
    found = (inner for run in runs for inner in find_runs(run))
    return tuple(line for run in found for line in _changes(run, measurements))


def _changes(run: Path, measurements: Measurements) -> Iterator[str]:
    yield from changed_models(run).values()
    for layer in RecordedRun(run, measurements).layers().values():
        yield from changed_models(run, layer.head.judge).values()
