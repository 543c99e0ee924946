"""What a plan would send, cost and take, in figures; the cache is not looked at here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

import msgspec

from ..engine.setup.config import Config
from ..engine.setup.models import PlannedModel, Role
from ..engine.setup.plan import AnyPlan, IcePlan, RefineSearch, RsePlan, TreeSearch, planned_models
from ..engine.setup.registry import StrategyRegistry
from ..providers.kinds import has_known_price
from ..providers.settings import EndpointSettings, ModelSettings
from ..strategies.judging import identity
from ..strategies.mutation.refine import EXCERPT, Refine
from ..strategies.similarity.similarity_judge import RUBRIC
from ..strategies.templates import fill
from ..strategies.types import SLOT
from .session import find_unpriced

CHARS_PER_TOKEN = 3.5  # of mixed English and Chinese; a guess until usage comes back
ANSWER_TOKENS = 300  # of a model that is measured, where max_tokens sets no bound
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
    cost_usd: float | None  # None without a price
    seconds: float
    left: int  # the calls that the cache does not cover


def estimate(
    plan: AnyPlan,
    role: Role,
    settings: ModelSettings,
    catalogue: StrategyRegistry,
    *,
    known: set[tuple[PlannedModel, int]],
    found: int | None,
) -> RoleEstimate:
    """Return what *role* would send; *found* answers are cached, None where all are."""
    model = planned_models(plan)[role]
    usual = _reply_tokens(role)
    reply = min(usual, model.sampling.max_tokens or usual)
    if isinstance(plan, RsePlan):
        calls, characters = _comparing(plan, role, known)
        alone, _ = _comparing(plan, role, set())  # what is *known* may be among what was found
        at_once = settings.all_slots
    else:
        calls, characters = _searching(plan, role, catalogue)
        alone = calls
        at_once = min(settings.all_slots, plan.window * plan.questions_per_visit)
    input_tokens = calls * round(characters / CHARS_PER_TOKEN)
    output_tokens = calls * reply
    return RoleEstimate(
        role=role,
        model=model.name,
        calls=calls,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cost_usd=(
            settings.cost_usd(input_tokens, output_tokens) if has_known_price(settings) else None
        ),
        seconds=_seconds(settings, calls, input_tokens + output_tokens, at_once=at_once),
        left=0 if found is None else max(0, min(calls, alone - found)),
    )


def budget_lines(config: Config, roles: Sequence[RoleEstimate]) -> list[str]:
    """Return a line for each budget that what is not cached would reach: the run pauses there.

    What a run directory has spent of it is not known here.
    """
    budgets = [("run.budget", config.run.budget, roles)]
    for name, settings in config.models.items():
        own = [role for role in roles if role.model == name]
        budgets.append((f"models.{name}.budget", settings.budget, own))
    unpriced = find_unpriced(config, {role.model for role in roles})
    lines = [f"run.budget.cost_usd needs {name}: the run would not start" for name in unpriced]
    for path, limits, counted in budgets:
        shares = [(role, role.left / max(1, role.calls)) for role in counted]
        tokens = sum((role.input_tokens + role.output_tokens) * left for role, left in shares)
        estimates = (
            ("calls", limits.calls, sum(role.left for role in counted)),
            ("tokens", limits.tokens, round(tokens)),
            (
                "cost_usd",
                limits.cost_usd,
                sum((role.cost_usd or 0.0) * left for role, left in shares),
            ),
        )
        whole = all(role.left == role.calls for role in counted)
        estimated = "estimated" if whole else "estimated beyond the cache"
        lines += [
            f"{path} {name} = {limit:,} is less than the {needed:,.6g} {estimated}: the run would "
            "pause there"
            for name, limit, needed in estimates
            if limit is not None and needed > limit
        ]
    return lines


def answered_by(plans: Sequence[AnyPlan]) -> set[tuple[PlannedModel, int]]:
    """Return which models will have answered all prompts of a comparison, and as which draw."""
    return {side for plan in plans if isinstance(plan, RsePlan) for side in _sides(plan)}


def count_tickets(plan: IcePlan) -> int:
    """Return how many templates *plan* visits."""
    return -(-plan.probes // plan.questions_per_visit)


def _sides(plan: RsePlan) -> set[tuple[PlannedModel, int]]:
    """Return which models answer all prompts of *plan*, and as which draw."""
    own = {(plan.reference, 1)} if plan.ceiling else set()
    return {(plan.target, 0), (plan.reference, 0)} | own


def _reply_tokens(role: Role) -> int:
    """Return how long a reply is, where max_tokens sets no bound."""
    match role:
        case "target" | "reference":
            return ANSWER_TOKENS
        case "helper":
            return 250
        case "judge":
            return 60
        case "embedder":
            return 0  # a vector has none
        case _:
            assert_never(role)


def _searching(plan: IcePlan, role: Role, catalogue: StrategyRegistry) -> tuple[int, float]:
    """Return how many calls a role makes, and the mean length of a prompt in characters."""
    question = plan.questions[0].text
    template = sum(len(t.text) for t in plan.templates) / len(plan.templates)
    if role == "helper":
        calls = round(count_tickets(plan) * EXTRA_HELPER)
        return calls, template + _mean_instruction(plan, catalogue)
    if role == "judge":
        answer = "x" * round(ANSWER_TOKENS * CHARS_PER_TOKEN)
        prompt = identity.build_loose(fact=plan.fact, question=question, response=answer)
        return round(plan.probes * EXTRA_JUDGE), len(prompt)
    return plan.probes, template + len(plan.target.system) + len(fill("{query}", question))


def _comparing(
    plan: RsePlan, role: Role, known: set[tuple[PlannedModel, int]]
) -> tuple[int, float]:
    """Return the same for a comparison; each turn is sent with all that was said before it."""
    answer = ANSWER_TOKENS * CHARS_PER_TOKEN
    prompts = [prompt for prompts in plan.sets for prompt in prompts.prompts]
    own = plan.ceiling and (plan.reference, 1) not in known  # the ceiling is still to be found
    turns = sum(len(prompt.turns) for prompt in prompts) / len(prompts)
    if role == "judge":
        pairs = 2 if own else 1
        calls = len(prompts) * len(plan.orders) * plan.judge_draws * pairs
        asked = sum(len(turn) for prompt in prompts for turn in prompt.turns) / len(prompts)
        return calls, len(RUBRIC) + asked + 2 * answer * turns
    if role == "embedder":
        return len(prompts) * len(_sides(plan) - known), answer * turns
    model = plan.target if role == "target" else plan.reference
    talks = ((model, 0) not in known) + (role == "reference" and own)
    sent = [
        sum(map(len, prompt.turns[:number])) + (number - 1) * answer
        for prompt in prompts
        for number in range(1, len(prompt.turns) + 1)
    ]
    return len(sent) * talks, sum(sent) / len(sent)


def _mean_instruction(plan: IcePlan, catalogue: StrategyRegistry) -> float:
    """Return the mean length of what the helper is told besides the template."""
    if isinstance(plan.search, RefineSearch):
        return len(Refine().build_prompt(("",))) + 2 * EXCERPT
    if not isinstance(plan.search, TreeSearch):
        return 0.0
    mutators = [catalogue.mutator(planned) for planned in plan.search.mutators]
    prompts = [m.build_prompt((SLOT,) * m.parents) for m in mutators]
    return sum(map(len, prompts)) / len(prompts)


def _seconds(settings: ModelSettings, calls: int, tokens: int, *, at_once: int) -> float:
    """Return how long so many calls take at the set limits, of all endpoints together."""
    places = settings.endpoints or (EndpointSettings(base_url=""),)
    pace = sum(_pace(settings, place, tokens / max(1, calls)) for place in places)
    return calls / min(pace, at_once / CALL_S)


def _pace(settings: ModelSettings, place: EndpointSettings, tokens: float) -> float:
    """Return how many calls of so many *tokens* one endpoint takes in a second."""
    rpm, tpm = place.rpm or settings.rpm, place.tpm or settings.tpm
    paces = [(place.slots or settings.slots) / CALL_S]
    if rpm:
        paces.append(rpm / 60)
    if tpm and tokens:
        paces.append(tpm / 60 / tokens)
    return min(paces)
