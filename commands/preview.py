"""``hydrometer plan``: what a run would send, cost and take, without sending anything."""

from __future__ import annotations

from pathlib import Path

import anyio
import msgspec

from ..cache.disk import holds_store, open_store
from ..cache.errors import CacheMiss
from ..cache.store import MemoryStore, Store
from ..engine.config import Config
from ..engine.events import Role
from ..engine.plan import Plan
from ..engine.runner import Asker, run_search
from ..engine.sinks import Observers, Tally
from ..providers.settings import ModelSettings
from ..strategies import identity
from ..strategies.templates import fill
from .replay import replay_providers
from .session import planned_models

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


async def preview_run(config: Config, plan: Plan, cache: Path) -> Preview:
    """Return what *plan* would send, and how far the cache can answer it already."""
    if await anyio.to_thread.run_sync(holds_store, cache):
        async with open_store(cache, create=False) as store:
            tally, complete = await _follow(plan, store)
    else:
        tally, complete = await _follow(plan, MemoryStore())
    tickets = -(-plan.probes // plan.questions_per_visit)
    return Preview(
        target=plan.target.name,
        probes=plan.probes,
        tickets=tickets,
        roles=tuple(
            _estimate(plan, role, config.models[model.name], tickets)
            for role, model in planned_models(plan).items()
        ),
        cached_probes=tally.probes,
        cached_calls=tally.calls["cache"],
        complete=complete,
    )


async def _follow(plan: Plan, store: Store) -> tuple[Tally, bool]:
    """Walk the search through *store* until an answer is missing."""
    tally = Tally()
    try:
        providers = replay_providers(plan, store, Observers(tally))
        await run_search(plan, Asker(providers, {}), tally.write)
    except CacheMiss:
        return tally, False
    return tally, True


def _estimate(plan: Plan, role: Role, settings: ModelSettings, tickets: int) -> RoleEstimate:
    calls = {
        "target": plan.probes,
        "helper": round(tickets * EXTRA_HELPER),
        "judge": round(plan.probes * EXTRA_JUDGE),
    }[role]
    model = planned_models(plan)[role]
    reply = min(REPLY_TOKENS[role], model.sampling.max_tokens or REPLY_TOKENS[role])
    input_tokens = calls * round(_mean_prompt(plan, role) / CHARS_PER_TOKEN)
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


def _mean_prompt(plan: Plan, role: Role) -> float:
    """Return the mean length of a prompt in characters, over seed templates and questions."""
    question = plan.questions[0].text
    template = sum(len(t.text) for t in plan.templates) / len(plan.templates)
    if role == "helper":
        mutators = plan.build_mutators
        return template + sum(len(m.build_prompt(("", ""))) for m in mutators) / len(mutators)
    if role == "judge":
        answer = "x" * round(REPLY_TOKENS["target"] * CHARS_PER_TOKEN)
        return len(identity.build_loose(fact=plan.fact, question=question, response=answer))
    return template + len(plan.target.system) + len(fill("{query}", question))


def _seconds(plan: Plan, settings: ModelSettings, calls: int, tokens: int) -> float:
    """Return how long so many calls take at the set limits."""
    at_once = min(settings.slots, plan.window * plan.questions_per_visit)
    limits = [calls * CALL_S / at_once]
    if settings.rpm:
        limits.append(calls / settings.rpm * 60)
    if settings.tpm:
        limits.append(tokens / settings.tpm * 60)
    return max(limits)
