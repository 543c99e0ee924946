"""Opens what a run needs, in the order of the layers: store, pools, cached providers."""

from __future__ import annotations

import gc
import os
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from ..cache.cached import Cached, KeyedProvider
from ..cache.store import Store
from ..engine.errors import InputInvalid
from ..engine.records.event_log import Observers
from ..engine.setup.config import Config
from ..engine.setup.models import Role
from ..engine.setup.plan import AnyPlan, IcePlan, Imported, planned_models
from ..engine.setup.planning import find_model
from ..providers.clock import SystemClock
from ..providers.errors import SettingsInvalid
from ..providers.kinds import ProviderKinds, has_known_price, model_identity
from ..providers.limits.budget import Budget, Spent
from ..providers.pool import Pool, open_pool
from ..providers.statistics import PoolStatistics
from ..report.terminal.pool_text import state_lines
from .plugins import Plugins

CACHE_VARIABLE = "HYDROMETER_CACHE"


def cache_folder(option: Path | None, configured: str) -> Path:
    """Return where the cache is: the option, else the variable, else the config's."""
    chosen = option or os.environ.get(CACHE_VARIABLE) or configured
    return Path(os.path.expandvars(chosen)).expanduser()


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Have the garbage collector look less often inside the block, and not at what is there now.

    A call makes a few hundred short-lived objects, which reference counts free. Looking through
    plan, lexicon and compiled patterns for cycles every 700 of them costs a seventh of a live call.
    """
    thresholds = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def build_budget(config: Config, spent: Mapping[str, Spent] | None = None) -> Budget:
    """Return the budget of one command; *spent* is what its models spent before, by name."""
    limits = config.run.budget
    return Budget(
        calls=limits.calls,
        tokens=limits.tokens,
        cost_usd=limits.cost_usd,
        spent=add_spent((spent or {}).values()),
        path="run.budget",
    )


def require_prices(config: Config, names: Iterable[str]) -> None:
    """Raise SettingsInvalid when a budget in money counts a model of *names* without a price."""
    if unpriced := find_unpriced(config, names):
        raise SettingsInvalid(
            f"run.budget.cost_usd cannot be held without {' and '.join(unpriced)} "
            "(a free model has price = { input_per_mtok = 0, output_per_mtok = 0 })"
        )


def find_unpriced(config: Config, names: Iterable[str]) -> list[str]:
    """Return which settings the run's budget in money misses: prices of models of *names*."""
    if config.run.budget.cost_usd is None:
        return []
    return [f"models.{n}.price" for n in sorted(names) if not has_known_price(config.models[n])]


def require_models(config: Config, plan: AnyPlan, plugins: Plugins) -> None:
    """Raise InputInvalid or SettingsInvalid unless *config* has the models that *plan* was made of.

    Another model under the same name would answer, and its answers be kept as those of the plan's.
    """
    if isinstance(plan, IcePlan) and isinstance(plan.search, Imported):
        raise InputInvalid("the plan is that of an imported run, which makes no call")
    for role, model in planned_models(plan).items():
        settings = find_model(config, model.name, f"the plan's {role}")
        ProviderKinds(plugins.providers).find(settings.provider, f"models.{model.name}")
        if (here := model_identity(settings)) != model.identity:
            raise InputInvalid(
                f"the plan's {role} {model.name} is {model.identity}, and the config's is {here}"
            )


def add_spent(several: Iterable[Spent]) -> Spent:
    """Return the sum."""
    total = Spent()
    for spent in several:
        total = Spent(
            calls=total.calls + spent.calls,
            input_tokens=total.input_tokens + spent.input_tokens,
            output_tokens=total.output_tokens + spent.output_tokens,
            cost_usd=total.cost_usd + spent.cost_usd,
        )
    return total


class Pools(dict[str, Pool]):
    """The pools of one run, by name of their models, and what is asked of all of them."""

    def abandon(self) -> None:
        """Let cancellation reach the attempts that are under way."""
        for pool in self.values():
            pool.abandon()

    def in_flight(self) -> int:
        """Return how many attempts are under way."""
        return sum(pool.statistics().in_flight for pool in self.values())

    def statistics(self) -> dict[str, PoolStatistics]:
        """Return the state of every pool."""
        return {name: pool.statistics() for name, pool in self.items()}

    def state(self) -> list[str]:
        """Return the same as lines for a person."""
        return state_lines(self.statistics())


@asynccontextmanager
async def open_pools(
    config: Config,
    names: set[str],
    *,
    budget: Budget,
    spent: Mapping[str, Spent] | None = None,
    plugins: Plugins | None = None,
) -> AsyncIterator[Pools]:
    """Open one pool for each model of *names*. Raises SettingsInvalid before anything is sent."""
    require_prices(config, names)
    clock = SystemClock()
    kinds = ProviderKinds((plugins or Plugins()).providers)
    async with AsyncExitStack() as stack:
        pools = Pools()
        for name in sorted(names):
            pools[name] = await stack.enter_async_context(
                open_pool(
                    name,
                    config.models[name],
                    environ=os.environ,
                    clock=clock,
                    budget=budget,
                    spent=(spent or {}).get(name),
                    kinds=kinds,
                )
            )
        yield pools


def cached_providers(
    plan: AnyPlan, pools: Mapping[str, Pool], store: Store, observers: Observers
) -> dict[Role, KeyedProvider]:
    """Return the provider of each role; roles of one model share its pool and its flights."""
    cached = {
        name: Cached(pool.watched_by(observers), store, pool=name, observer=observers)
        for name, pool in pools.items()
    }
    return {role: cached[model.name] for role, model in planned_models(plan).items()}
