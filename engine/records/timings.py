"""What timings tell afterwards, of a run or a later judge: who answered, and what was spent.

It is no part of the truth, so a line that cannot be read is passed over: a run that was killed
leaves half of one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from ...commands.session import add_spent
from ...providers.limits.budget import Spent
from ...providers.types import Usage
from ..setup.config import Config
from ..setup.plan import PlannedJudge
from .run_directory import ASIDE, RunDirectory

PAID = ("sent", "preflight")  # sources of a call that was sent in this run


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """One line: a call that was answered has a *source*, an attempt that failed an *error*."""

    pool: str
    source: str = ""
    error: str = ""
    model: str = ""
    usage: Usage | None = None  # as the endpoint reported it
    counted: Usage | None = None  # the same, or what budgets counted where it reported none
    input_tokens: int = 0  # of an attempt that failed and was charged all the same
    output_tokens: int = 0


_DECODER = msgspec.json.Decoder(Timing)


def read_timings(run: Path, judge: PlannedJudge | None = None) -> Iterator[Timing]:
    """Yield the lines that can be read of a run's timings, or of *judge*'s later readings."""
    path = RunDirectory(run).timings_of(judge)
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                yield _DECODER.decode(line)
            except msgspec.MsgspecError:
                continue


def spent_in(
    runs: Iterable[Path], config: Config, judge: PlannedJudge | None = None
) -> dict[str, Spent]:
    """Return what the models of *config* spent in *runs* so far, at its prices, by name.

    With a *judge*, that is what its later readings of them spent, and nothing else.
    Calls whose lines a kill -9 kept from the disk are not in it.
    """
    spent: dict[str, list[Spent]] = defaultdict(list)
    for run in runs:
        for timing in read_timings(run, judge):
            if timing.pool not in config.models or not (timing.error or timing.source in PAID):
                continue
            used = timing.counted or timing.usage or _charged(timing)
            model = config.models[timing.pool]
            spent[timing.pool].append(
                Spent(
                    calls=1,
                    input_tokens=used.input_tokens,
                    output_tokens=used.output_tokens,
                    cost_usd=model.cost_usd(used.input_tokens, used.output_tokens),
                )
            )
    return {name: add_spent(several) for name, several in spent.items()}


def _charged(timing: Timing) -> Usage:
    return Usage(input_tokens=timing.input_tokens, output_tokens=timing.output_tokens)


def runs_at(base: Path) -> list[Path]:
    """Return the run in *base*, those in its folders, and those that --retry-failed set aside."""
    whole = base.resolve()
    inside = whole.iterdir() if whole.is_dir() else ()
    beside = whole.parent.iterdir() if whole.parent.is_dir() else ()
    aside = (path for path in beside if path.name.startswith(f"{whole.name}{ASIDE}"))
    return sorted(path for path in (whole, *inside, *aside) if RunDirectory(path).exists())


def returned_ids(run: Path, judge: PlannedJudge | None = None) -> dict[str, Counter[str]]:
    """Return how many answers each model gave under which id, by the user's name.

    They are those of the run, or of *judge*'s later readings.
    """
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for timing in read_timings(run, judge):
        if timing.source and timing.model:
            found[timing.pool][timing.model] += 1
    return dict(found)


def changed_models(run: Path, judge: PlannedJudge | None = None) -> dict[str, str]:
    """Return which models answered under more than one id, and a line on each.

    They are asked by the run, or by *judge*'s later readings.
    """
    where = f"{run}" if judge is None else f"{run}, rescored by {judge.name}"
    return {
        name: f"{where}: {name} answered under {len(ids)} ids: "
        + ", ".join(f"{known} ({count:,})" for known, count in ids.most_common())
        for name, ids in returned_ids(run, judge).items()
        if len(ids) > 1
    }
