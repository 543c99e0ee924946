"""``hydrometer plan``: what a run would send, cost and take, without sending anything."""

from __future__ import annotations

from pathlib import Path

import anyio
import msgspec

from ..cache.disk import holds_store
from ..cache.errors import CacheMiss
from ..cache.reader import open_reader
from ..cache.store import MemoryStore, Store
from ..engine.catalogue import Catalogue
from ..engine.config import Config, RunTable
from ..engine.execute import run_plan
from ..engine.files import RunDirectory
from ..engine.models import Role
from ..engine.plan import AnyPlan, Imported, Plan, RefineSearch, TreeSearch, planned_models
from ..engine.runner import Asker
from ..engine.sinks import Observers, Tally
from ..providers.settings import ModelSettings
from ..strategies import identity
from ..strategies.refine import EXCERPT, Refine
from ..strategies.templates import fill
from .plugins import Plugins
from .replay import replay_providers
from .session import cache_folder

CHARS_PER_TOKEN = 3.5  # of mixed English and Chinese; a guess until usage comes back
REPLY_TOKENS = {"target": 300, "helper": 250, "judge": 60}  # where max_tokens sets no bound
CALL_S = 2.0  # how long a call takes, where nothing is known
EXTRA_HELPER = 1.2  # rejected mutants are asked for again
EXTRA_JUDGE = 1.3  # a strict question follows each contradiction


class RoleEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """What one role would send if nothing were cached; tokens are estimates."""

    role: Role
    model: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    seconds: float


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """A plan in figures."""

    target: str
    probes: int
    tickets: int
    roles: tuple[RoleEstimate, ...]
    cached_probes: int  # applied in order before the first answer that is missing
    cached_calls: int
    complete: bool  # the cache covers the whole run


async def preview_run(
    config: Config, plan: Plan, cache: Path, plugins: Plugins | None = None
) -> Preview:
    """Return what *plan* would send, and how far the cache can answer it already."""
    catalogue = (plugins or Plugins()).catalogue
    if await anyio.to_thread.run_sync(holds_store, cache):
        with open_reader(cache) as store:
            tally, miss = await follow(plan, store, catalogue)
    else:
        tally, miss = await follow(plan, MemoryStore(), catalogue)
    tickets = -(-plan.probes // plan.questions_per_visit)
    return Preview(
        target=plan.target.name,
        probes=plan.probes,
        tickets=tickets,
        roles=tuple(
            _estimate(plan, role, config.models[model.name], tickets, catalogue)
            for role, model in planned_models(plan).items()
        ),
        cached_probes=tally.probes,
        cached_calls=tally.calls["cache"],
        complete=miss is None,
    )


async def follow(
    plan: AnyPlan, store: Store, catalogue: Catalogue
) -> tuple[Tally, CacheMiss | None]:
    """Walk the search through *store*; return what it had, and the first answer that it lacks."""
    tally = Tally()
    try:
        providers = replay_providers(plan, store, Observers(tally))
        await run_plan(plan, Asker(providers, {}), tally.write, catalogue=catalogue)
    except CacheMiss as miss:
        return tally, miss
    return tally, None


async def explain_coverage(run: Path, cache: Path | None, plugins: Plugins) -> str:
    """Return what of a run is in its cache, and why the first call that is not there is not.

    Raises InputInvalid for a folder that holds no run, CacheError for an unusable cache.
    """
    directory = RunDirectory(run)
    plan = directory.read_plan()
    if isinstance(plan, Plan) and isinstance(plan.search, Imported):
        return f"{run} was imported: it made no call"
    folder = cache or Path(directory.read_status().cache or cache_folder(None, RunTable().cache))
    with open_reader(folder) as store:
        tally, miss = await follow(plan, store, plugins.catalogue)
    found = f"{tally.calls['cache']:,} calls of {tally.probes} probes are in {folder}"
    if miss is None:
        return f"{found}: the whole run"
    return f"{found}; the first that is missing: {miss}"


def _estimate(
    plan: Plan, role: Role, settings: ModelSettings, tickets: int, catalogue: Catalogue
) -> RoleEstimate:
    calls = {
        "target": plan.probes,
        "helper": round(tickets * EXTRA_HELPER),
        "judge": round(plan.probes * EXTRA_JUDGE),
    }[role]
    model = planned_models(plan)[role]
    reply = min(REPLY_TOKENS[role], model.sampling.max_tokens or REPLY_TOKENS[role])
    input_tokens = calls * round(_mean_prompt(plan, role, catalogue) / CHARS_PER_TOKEN)
    output_tokens = calls * reply
    return RoleEstimate(
        role=role,
        model=model.name,
        calls=calls,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=settings.price.cost_usd(input_tokens, output_tokens),
        seconds=_seconds(plan, settings, calls, input_tokens + output_tokens),
    )


def _mean_prompt(plan: Plan, role: Role, catalogue: Catalogue) -> float:
    """Return the mean length of a prompt in characters, over seed templates and questions."""
    question = plan.questions[0].text
    template = sum(len(t.text) for t in plan.templates) / len(plan.templates)
    if role == "helper":
        return template + _mean_instruction(plan, catalogue)
    if role == "judge":
        answer = "x" * round(REPLY_TOKENS["target"] * CHARS_PER_TOKEN)
        return len(identity.build_loose(fact=plan.fact, question=question, response=answer))
    return template + len(plan.target.system) + len(fill("{query}", question))


def _mean_instruction(plan: Plan, catalogue: Catalogue) -> float:
    """Return the mean length of what the helper is told besides the template."""
    if isinstance(plan.search, RefineSearch):
        return len(Refine().build_prompt(("",))) + 2 * EXCERPT
    if not isinstance(plan.search, TreeSearch):
        return 0.0
    mutators = [catalogue.mutator(planned) for planned in plan.search.mutators]
    prompts = [m.build_prompt(("",) * m.parents) for m in mutators]
    return sum(map(len, prompts)) / len(prompts)


def _seconds(plan: Plan, settings: ModelSettings, calls: int, tokens: int) -> float:
    """Return how long so many calls take at the set limits."""
    at_once = min(settings.slots, plan.window * plan.questions_per_visit)
    limits = [calls * CALL_S / at_once]
    if settings.rpm:
        limits.append(calls / settings.rpm * 60)
    if settings.tpm:
        limits.append(tokens / settings.tpm * 60)
    return max(limits)
