"""What timings.jsonl tells afterwards: who really answered, and what was spent.

It is no part of the truth, so a line that cannot be read is passed over: a run that was killed
leaves half of one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ..engine.files import TIMINGS
from ..providers.types import Usage


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """One line: a call that was answered has a *source*, an attempt that failed an *error*."""

    pool: str
    source: str = ""
    error: str = ""
    model: str = ""
    usage: Usage | None = None
    input_tokens: int = 0
    output_tokens: int = 0


_DECODER = msgspec.json.Decoder(Timing)


def read_timings(run: Path) -> Iterator[Timing]:
    """Yield the lines of a run's timings that can be read."""
    path = run / TIMINGS
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                yield _DECODER.decode(line)
            except msgspec.MsgspecError:
                continue


def returned_ids(run: Path) -> dict[str, Counter[str]]:
    """Return how many answers each model of the run gave under which id, by the user's name."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for timing in read_timings(run):
        if timing.source and timing.model:
            found[timing.pool][timing.model] += 1
    return dict(found)


def changed_models(run: Path) -> dict[str, str]:
    """Return which models of the run answered under more than one id, and a line on each."""
    return {
        name: f"{run}: {name} answered under {len(ids)} ids: "
        + ", ".join(f"{known} ({count:,})" for known, count in ids.most_common())
        for name, ids in returned_ids(run).items()
        if len(ids) > 1
    }
