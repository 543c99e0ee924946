"""Session: models, store, limits and budget, opened once for any number of runs in one event loop.

The runs share the connections, rate limits and budget of a model, the store, and identical requests
in flight, which are sent once. Every run has its own observers, which receive only the calls of
that run.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import anyio
import msgspec

from ..cache.cached import AnsweredCall, Cached, KeyedProvider
from ..cache.coalesce import InFlight
from ..cache.disk import open_store
from ..cache.keys import request_key
from ..cache.store import Store
from ..engine.calls.answers import CallFailed
from ..engine.calls.caller import ModelCaller
from ..engine.calls.workers import DEFAULT_WORKERS
from ..engine.errors import InputInvalid
from ..engine.records.observers import Observers
from ..engine.setup.config import Config
from ..engine.setup.models import PlannedModel, Role
from ..engine.setup.plan import Plan
from ..engine.setup.planning import find_model
from ..providers.clock import SystemClock
from ..providers.kinds import model_identity, wants_preflight
from ..providers.limits.budget import Budget, Spent
from ..providers.pool import Pool, open_pool, preflight
from ..providers.statistics import PoolStatistics
from ..providers.tokens import estimate_usage
from ..providers.types import Response
from .plugins import Plugins

CACHE_VARIABLE = "HYDROMETER_CACHE"
PREFLIGHT_TOKENS = 16

Models = Mapping[Role, PlannedModel]


def cache_folder(option: Path | None, configured: str) -> Path:
    """Return the cache folder: from the option, else the environment variable, else the config."""
    chosen = option or os.environ.get(CACHE_VARIABLE) or configured
    return Path(os.path.expandvars(chosen)).expanduser()


class Session:
    """Open models and an open store. Use open_session() to make one."""

    def __init__(self, config: Config, pools: Mapping[str, Pool], store: Store) -> None:
        self._config = config
        self._pools = pools
        self._store = store
        self._flights: dict[str, InFlight[Response]] = defaultdict(InFlight)
        self._preflight_locks: dict[str, anyio.Lock] = defaultdict(anyio.Lock)
        self._preflighted: set[str] = set()

    def caller(
        self, models: Models, failures: Mapping[str, CallFailed], observers: Observers
    ) -> ModelCaller:
        """Return the caller of one run. *observers* receive its calls and attempts.

        *failures* are the calls that failed for good according to the run's events, by key.
        """
        cached: dict[str, KeyedProvider] = {
            name: Cached(
                self._pools[name].watched_by(observers),
                self._store,
                pool=name,
                observer=observers,
                in_flight=self._flights[name],
            )
            for name in {model.name for model in models.values()}
        }
        return ModelCaller({role: cached[model.name] for role, model in models.items()}, failures)

    async def preflight(self, models: Models, observers: Observers) -> None:
        """Send one small request to each model, with the settings of its later calls.

        No request is sent twice in a session. Raises a ProviderError that names the settings to
        check.
        """
        for model in dict.fromkeys(models.values()):
            if not wants_preflight(self._config.models[model.name]):
                continue
            small = _small(model).build_request("Reply with OK.")
            key = request_key(small)
            async with self._preflight_locks[key]:
                if key in self._preflighted:
                    continue
                provider = self._pools[model.name].watched_by(observers)
                response = await preflight(provider, small, f"models.{model.name}")
                self._preflighted.add(key)
                observers.call_ended(
                    AnsweredCall(
                        key=key,
                        pool=model.name,
                        source="preflight",
                        took_s=0.0,
                        response=response,
                        counted=response.usage or estimate_usage(small, response),
                    )
                )

    def workers(self, models: Models) -> int:
        """Return the maximum of units in flight: the number of slots of all *models*."""
        names = {model.name for model in models.values()}
        return sum(self._config.models[name].all_slots for name in names) or DEFAULT_WORKERS

    def abandon(self) -> None:
        """Let cancellation reach the attempts in flight."""
        for pool in self._pools.values():
            pool.abandon()

    def in_flight(self) -> int:
        """Return the number of attempts in flight."""
        return sum(pool.statistics().in_flight for pool in self._pools.values())

    def statistics(self, names: Iterable[str] | None = None) -> dict[str, PoolStatistics]:
        """Return the state of the pools of *names*, or of all pools."""
        wanted = self._pools if names is None else names
        return {name: self._pools[name].statistics() for name in sorted(wanted)}


@asynccontextmanager
async def open_session(
    config: Config,
    names: set[str],
    cache: Path,
    *,
    plugins: Plugins,
    budget: Budget,
    spent: Mapping[str, Spent],
) -> AsyncIterator[Session]:
    """Open the store in *cache*, and a pool for each model of *names*.

    *spent* is earlier spending by model. It counts against the models' own budgets. Raises
    SettingsInvalid, before any request is sent, and CacheUnreadable.
    """
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(cache))
        pools = {}
        for name in sorted(names):
            pools[name] = await stack.enter_async_context(
                open_pool(
                    name,
                    config.models[name],
                    environ=os.environ,
                    clock=clock,
                    budget=budget,
                    spent=spent.get(name),
                    kinds=plugins.kinds,
                )
            )
        yield Session(config, pools, store)


def require_models(config: Config, plan: Plan, plugins: Plugins) -> None:
    """Raise InputInvalid or SettingsInvalid unless *config* has the models of *plan*.

    If a name meant another model in *config*, that model's answers would be recorded as answers of
    the plan's model.
    """
    if reason := plugins.measurements.of(plan).not_replayable(plan):
        raise InputInvalid(f"the run of this plan {reason}: it has nothing to run")
    for role, model in plan.models.items():
        settings = find_model(config, model.name, f"the plan's {role}")
        plugins.kinds.find(settings.provider, f"models.{model.name}")
        if (here := model_identity(settings)) != model.identity:
            raise InputInvalid(
                f"the plan's {role} {model.name} is {model.identity}, and the config's is {here}"
            )


def _small(model: PlannedModel) -> PlannedModel:
    """Return *model* with short replies. If max_tokens is not set, it stays unset."""
    if model.sampling.max_tokens is None:
        return model
    sampling = msgspec.structs.replace(model.sampling, max_tokens=PREFLIGHT_TOKENS)
    return msgspec.structs.replace(model, sampling=sampling)
