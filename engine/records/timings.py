"""Timings: the rows of timings.jsonl, and the facts about a run that can be read from them.

Timings are not part of a run's result. A line that cannot be decoded is skipped, because kill -9
may leave half a line. The writer (observers.py) and the readers share the types of this file.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ...providers.base import Attempt
from ...providers.statistics import PoolStatistics
from ...providers.types import Usage
from ..setup.plan import PlannedJudge
from .run_directory import RunDirectory

PAID = ("sent", "preflight")  # the sources of calls that were sent, and so paid for, in this run


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """An answered call: its source ("cache", "sent", "shared", "preflight"), duration and usage.

    *counted* is the usage that budgets count: the reported usage, or an estimate if the endpoint
    reported none.
    """

    key: str = ""
    pool: str
    source: str
    took_s: float = 0.0
    model: str = ""
    fingerprint: str = ""
    endpoint: str = ""
    usage: Usage | None = None
    counted: Usage | None = None


class PoolRow(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a pool at the end of a session."""

    pool: str
    statistics: PoolStatistics


_CALLS = msgspec.json.Decoder(Timing)
_ATTEMPTS = msgspec.json.Decoder(Attempt)


def read_timings(run: Path, judge: PlannedJudge | None = None) -> Iterator[Timing | Attempt]:
    """Yield the answered calls and failed attempts of a run, or those of the later *judge*."""
    path = RunDirectory(run).timings_of(judge)
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            for decoder in (_CALLS, _ATTEMPTS):  # calls first: nearly all rows are calls
                try:
                    yield decoder.decode(line)
                except (msgspec.MsgspecError, UnicodeDecodeError):
                    continue
                break


def returned_ids(run: Path, judge: PlannedJudge | None = None) -> dict[str, Counter[str]]:
    """Return the number of answers for each model id, by the user's name of the model.

    With *judge*, only the calls of that later judge are counted, else those of the run.
    """
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in read_timings(run, judge):
        if isinstance(row, Timing) and row.model:
            found[row.pool][row.model] += 1
    return dict(found)


def changed_models(run: Path, judge: PlannedJudge | None = None) -> dict[str, str]:
    """Return the models that answered under more than one model id, with a line on each.

    With *judge*, only the calls of that later judge are counted, else those of the run.
    """
    where = f"{run}" if judge is None else f"{run}, rescored by {judge.name}"
    return {
        name: f"{where}: {name} answered under {len(ids)} ids: "
        + ", ".join(f"{known} ({count:,})" for known, count in ids.most_common())
        for name, ids in returned_ids(run, judge).items()
        if len(ids) > 1
    }
