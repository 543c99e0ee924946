"""What timings.jsonl tells afterwards: who really answered, and what was spent.

It is no part of the truth, so a line that cannot be read is passed over: a run that was killed
leaves half of one.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from ..engine.config import Config
from ..engine.files import TIMINGS
from ..providers.budget import Spent
from ..providers.types import Usage
from .session import add_spent

PAID = ("sent", "preflight")  # sources of a call that was sent in this run


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """One line: a call that was answered has a *source*, an attempt that failed an *error*."""

    pool: str
    source: str = ""
    error: str = ""
    model: str = ""
    usage: Usage | None = None


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


def spent_in(runs: Iterable[Path], config: Config) -> dict[str, Spent]:
    """Return what the models of *config* spent in *runs* so far, at its prices, by name.

    Calls whose lines a kill -9 kept from the disk are not in it.
    """
    spent: dict[str, list[Spent]] = defaultdict(list)
    for run in runs:
        for timing in read_timings(run):
            if timing.pool not in config.models or not (timing.error or timing.source in PAID):
                continue
            used = timing.usage or Usage()
            price = config.models[timing.pool].price
            spent[timing.pool].append(
                Spent(
                    calls=1,
                    input_tokens=used.input_tokens,
                    output_tokens=used.output_tokens,
                    cost_usd=price.cost_usd(used.input_tokens, used.output_tokens),
                )
            )
    return {name: add_spent(several) for name, several in spent.items()}


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
