"""``hydrometer plan``: what a run would send, cost and take, without sending anything."""

from __future__ import annotations

from collections.abc import Sequence
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
from ..engine.models import PlannedModel, Role
from ..engine.plan import AnyPlan, Imported, Plan, RefineSearch, RsePlan, TreeSearch, planned_models
from ..engine.runner import Asker
from ..engine.sinks import Observers, Tally
from ..providers.settings import EndpointSettings, ModelSettings
from ..strategies import identity
from ..strategies.refine import EXCERPT, Refine
from ..strategies.similarity import RUBRIC
from ..strategies.templates import fill
from .plugins import Plugins
from .replay import replay_providers
from .session import cache_folder

CHARS_PER_TOKEN = 3.5  # of mixed English and Chinese; a guess until usage comes back
REPLY_TOKENS = {
    "target": 300,
    "reference": 300,
    "helper": 250,
    "judge": 60,
}  # where max_tokens sets no bound
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

    title: str
    unit: str  # what *cached_probes* counts
    roles: tuple[RoleEstimate, ...]
    cached_probes: int  # applied in order before the first answer that is missing
    cached_calls: int
    complete: bool  # the cache covers the whole run


async def preview_run(
    config: Config,
    plan: AnyPlan,
    cache: Path,
    plugins: Plugins | None = None,
    *,
    after: Sequence[AnyPlan] = (),
) -> Preview:
    """Return what *plan* would send, and how far the cache can answer it already.

    What the plans *after* which it runs ask of the same models is not asked again.
    """
    catalogue = (plugins or Plugins()).catalogue
    if await anyio.to_thread.run_sync(holds_store, cache):
        with open_reader(cache) as store:
            tally, miss = await follow(plan, store, catalogue)
    else:
        tally, miss = await follow(plan, MemoryStore(), catalogue)
    if isinstance(plan, RsePlan):
        title = (
            f"{plan.target.name} against {plan.reference.name}: {plan.prompts} prompts in "
            f"{len(plan.sets)} sets"
        )
    else:
        title = f"{plan.target.name}: {plan.probes} probes, {_tickets(plan)} templates"
    return Preview(
        title=title,
        unit="prompts" if isinstance(plan, RsePlan) else "probes",
        roles=tuple(
            _estimate(plan, role, config.models[model.name], catalogue, known=_answered(after))
            for role, model in planned_models(plan).items()
        ),
        cached_probes=tally.probes,
        cached_calls=tally.calls["cache"],
        complete=miss is None,
    )


def budget_lines(config: Config, previews: Sequence[Preview]) -> list[str]:
    """Return a line for each budget that the estimates reach: there the run would pause."""
    roles = [role for preview in previews for role in preview.roles]
    budgets = [("run.budget", config.run.budget, roles)]
    for name, settings in config.models.items():
        own = [role for role in roles if role.model == name]
        budgets.append((f"models.{name}.budget", settings.budget, own))
    lines = []
    for path, limits, counted in budgets:
        estimates = (
            ("calls", limits.calls, sum(role.calls for role in counted)),
            (
                "tokens",
                limits.tokens,
                sum(role.input_tokens + role.output_tokens for role in counted),
            ),
            ("cost_usd", limits.cost_usd, sum(role.cost_usd for role in counted)),
        )
        for name, limit, needed in estimates:
            if limit is not None and needed > limit:
                lines.append(
                    f"{path} {name} = {limit:,} is less than the {needed:,.6g} estimated: the run "
                    "would pause there"
                )
    return lines


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
    unit = "prompts" if isinstance(plan, RsePlan) else "probes"
    found = f"{tally.calls['cache']:,} calls of {tally.probes} {unit} are in {folder}"
    if miss is None:
        return f"{found}: the whole run"
    return f"{found}; the first that is missing: {miss}"


def _tickets(plan: Plan) -> int:
    return -(-plan.probes // plan.questions_per_visit)


def _answered(plans: Sequence[AnyPlan]) -> set[tuple[PlannedModel, int]]:
    """Return which models will have answered all prompts of a comparison, and as which draw."""
    known = set()
    for plan in plans:
        if isinstance(plan, RsePlan):
            known |= {(plan.target, 0), (plan.reference, 0)}
            known |= {(plan.reference, 1)} if plan.ceiling else set()
    return known


def _estimate(
    plan: AnyPlan,
    role: Role,
    settings: ModelSettings,
    catalogue: Catalogue,
    *,
    known: set[tuple[PlannedModel, int]],
) -> RoleEstimate:
    model = planned_models(plan)[role]
    reply = min(REPLY_TOKENS[role], model.sampling.max_tokens or REPLY_TOKENS[role])
    if isinstance(plan, RsePlan):
        calls, characters = _comparing(plan, role, known)
        at_once = settings.all_slots
    else:
        calls, characters = _searching(plan, role, catalogue)
        at_once = min(settings.all_slots, plan.window * plan.questions_per_visit)
    input_tokens = calls * round(characters / CHARS_PER_TOKEN)
    output_tokens = calls * reply
    return RoleEstimate(
        role=role,
        model=model.name,
        calls=calls,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=settings.price.cost_usd(input_tokens, output_tokens),
        seconds=_seconds(settings, calls, input_tokens + output_tokens, at_once=at_once),
    )


def _searching(plan: Plan, role: Role, catalogue: Catalogue) -> tuple[int, float]:
    """Return how many calls a role makes, and the mean length of a prompt in characters."""
    question = plan.questions[0].text
    template = sum(len(t.text) for t in plan.templates) / len(plan.templates)
    if role == "helper":
        calls = round(_tickets(plan) * EXTRA_HELPER)
        return calls, template + _mean_instruction(plan, catalogue)
    if role == "judge":
        answer = "x" * round(REPLY_TOKENS["target"] * CHARS_PER_TOKEN)
        prompt = identity.build_loose(fact=plan.fact, question=question, response=answer)
        return round(plan.probes * EXTRA_JUDGE), len(prompt)
    return plan.probes, template + len(plan.target.system) + len(fill("{query}", question))


def _comparing(
    plan: RsePlan, role: Role, known: set[tuple[PlannedModel, int]]
) -> tuple[int, float]:
    """Return the same for a comparison; each turn is sent with all that was said before it."""
    answer = REPLY_TOKENS["target"] * CHARS_PER_TOKEN
    prompts = [prompt for prompts in plan.sets for prompt in prompts.prompts]
    own = plan.ceiling and (plan.reference, 1) not in known  # the ceiling is still to be found
    if role == "judge":
        pairs = 2 if own else 1
        calls = len(prompts) * len(plan.orders) * plan.judge_draws * pairs
        turns = sum(len(prompt.turns) for prompt in prompts) / len(prompts)
        asked = sum(len(turn) for prompt in prompts for turn in prompt.turns) / len(prompts)
        return calls, len(RUBRIC) + asked + 2 * answer * turns
    if role == "embedder":
        return len(prompts) * (3 if own else 2), answer
    model = plan.target if role == "target" else plan.reference
    talks = ((model, 0) not in known) + (role == "reference" and own)
    sent = [
        sum(map(len, prompt.turns[:number])) + (number - 1) * answer
        for prompt in prompts
        for number in range(1, len(prompt.turns) + 1)
    ]
    return len(sent) * talks, sum(sent) / len(sent)


def _mean_instruction(plan: Plan, catalogue: Catalogue) -> float:
    """Return the mean length of what the helper is told besides the template."""
    if isinstance(plan.search, RefineSearch):
        return len(Refine().build_prompt(("",))) + 2 * EXCERPT
    if not isinstance(plan.search, TreeSearch):
        return 0.0
    mutators = [catalogue.mutator(planned) for planned in plan.search.mutators]
    prompts = [m.build_prompt(("",) * m.parents) for m in mutators]
    return sum(map(len, prompts)) / len(prompts)


def _seconds(settings: ModelSettings, calls: int, tokens: int, *, at_once: int) -> float:
    """Return how long so many calls take at the set limits, of all endpoints together."""
    places = settings.endpoints or (EndpointSettings(base_url=""),)
    rates = [place.rpm or settings.rpm for place in places]
    volumes = [place.tpm or settings.tpm for place in places]
    limits = [calls * CALL_S / at_once]
    if known := [rate for rate in rates if rate]:
        limits.append(calls / sum(known) * 60)
    if known := [volume for volume in volumes if volume]:
        limits.append(tokens / sum(known) * 60)
    return max(limits)
