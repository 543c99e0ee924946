"""Spending: the tokens and costs of recorded runs, and the budget that is left for new calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..engine.estimates import find_unpriced
from ..engine.records.timings import PAID, Timing, read_timings
from ..engine.setup.config import Config
from ..engine.setup.models import PlannedModel, Role
from ..engine.setup.plan import PlannedJudge
from ..providers.base import Attempt
from ..providers.errors import SettingsInvalid
from ..providers.limits.budget import Budget, Spent
from ..providers.types import Usage


def spent_in(
    runs: Iterable[Path], config: Config, judge: PlannedJudge | None = None
) -> dict[str, Spent]:
    """Return the spending of each model of *config* in *runs* so far, at the config's prices.

    With a *judge*, only the calls of that later judge are counted. Calls are missing if kill -9
    prevented the writing of their lines.
    """
    spent: dict[str, list[Spent]] = defaultdict(list)
    for run in runs:
        for row in read_timings(run, judge):
            used = _used(row)
            if used is None or row.pool not in config.models:
                continue
            model = config.models[row.pool]
            spent[row.pool].append(
                Spent(
                    calls=1,
                    input_tokens=used.input_tokens,
                    output_tokens=used.output_tokens,
                    cost_usd=model.cost_usd(used.input_tokens, used.output_tokens),
                )
            )
    return {name: add_spent(several) for name, several in spent.items()}


def add_spent(several: Iterable[Spent]) -> Spent:
    """Return the sum of *several*."""
    total = Spent()
    for spent in several:
        total = Spent(
            calls=total.calls + spent.calls,
            input_tokens=total.input_tokens + spent.input_tokens,
            output_tokens=total.output_tokens + spent.output_tokens,
            cost_usd=total.cost_usd + spent.cost_usd,
        )
    return total


def build_budget(config: Config, spent: Mapping[str, Spent]) -> Budget:
    """Return the budget of one command. *spent* is the earlier spending of its models, by name."""
    limits = config.run.budget
    return Budget(
        calls=limits.calls,
        tokens=limits.tokens,
        cost_usd=limits.cost_usd,
        spent=add_spent(spent.values()),
        path="run.budget",
    )


def require_prices(config: Config, names: set[str]) -> None:
    """Raise SettingsInvalid if there is a budget in money, and a model of *names* has no price."""
    if unpriced := find_unpriced(config, names):
        raise SettingsInvalid(
            f"run.budget.cost_usd cannot be enforced: {' and '.join(unpriced)} "
            f"{'is' if len(unpriced) == 1 else 'are'} not set "
            "(a free model has price = { input_per_mtok = 0, output_per_mtok = 0 })"
        )


def has_price(config: Config, models: Mapping[Role, PlannedModel]) -> bool:
    """Return whether calls to one of *models* cost money, at the prices of *config*."""
    return any(config.models[model.name].cost_usd(1, 1) > 0 for model in models.values())


def _used(row: Timing | Attempt) -> Usage | None:
    """Return the tokens that budgets count for *row*, or None for a call that was not sent."""
    if isinstance(row, Attempt):
        return Usage(input_tokens=row.input_tokens, output_tokens=row.output_tokens)
    if row.source not in PAID:
        return None
    return row.counted or row.usage or Usage()
