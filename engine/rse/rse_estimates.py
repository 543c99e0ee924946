"""RSE estimates: the number and the mean prompt length of the calls that a plan makes in a role."""

from __future__ import annotations

from collections.abc import Sequence

from ...strategies.similarity.similarity_judge import RUBRIC
from ..measurement import CallEstimate
from ..setup.models import PlannedModel, Role
from ..setup.plan import Plan
from ..setup.registry import StrategyRegistry
from ..setup.token_figures import ANSWER_TOKENS, CHARS_PER_TOKEN
from .rse_plan import RsePlan

GRADES_TOKENS = 60  # tokens of a judge's reply, if max_tokens is not set

Side = tuple[PlannedModel, int]  # a model that answers all prompts, and its draw


def estimate_rse(
    plan: RsePlan, role: Role, registry: StrategyRegistry, before: Sequence[Plan]
) -> CallEstimate:
    """Return the estimate for *role*.

    The answers of a model that an earlier plan in *before* also needs are not counted again. So the
    answers of a reference are counted once for all its targets.
    """
    known = {side for other in before if isinstance(other, RsePlan) for side in _sides(other)}
    calls, characters = _calls(plan, role, known)
    alone, _ = _calls(plan, role, set())
    replies = {"judge": GRADES_TOKENS, "embedder": 0}  # a vector has no tokens
    return CallEstimate(
        calls=calls,
        characters=characters,
        reply_tokens=replies.get(role, ANSWER_TOKENS),
        alone=alone,
    )


def _sides(plan: RsePlan) -> set[Side]:
    ceiling = {(plan.reference, 1)} if plan.ceiling else set()
    return {(plan.target, 0), (plan.reference, 0)} | ceiling


def _calls(plan: RsePlan, role: Role, known: set[Side]) -> tuple[int, float]:
    """Return the number of calls, and the mean characters of a prompt.

    Each turn is sent together with all turns and answers before it.
    """
    answer = ANSWER_TOKENS * CHARS_PER_TOKEN
    prompts = [prompt for prompts in plan.sets for prompt in prompts.prompts]
    ceiling = plan.ceiling and (plan.reference, 1) not in known  # its calls are not counted yet
    turns = sum(len(prompt.turns) for prompt in prompts) / len(prompts)
    if role == "judge":
        pairs = 2 if ceiling else 1
        calls = len(prompts) * len(plan.orders) * plan.judge_draws * pairs
        asked = sum(len(turn) for prompt in prompts for turn in prompt.turns) / len(prompts)
        return calls, len(RUBRIC) + asked + 2 * answer * turns
    if role == "embedder":
        return len(prompts) * len(_sides(plan) - known), answer * turns
    model = plan.target if role == "target" else plan.reference
    conversations = ((model, 0) not in known) + (role == "reference" and ceiling)
    sent = [
        sum(map(len, prompt.turns[:number])) + (number - 1) * answer
        for prompt in prompts
        for number in range(1, len(prompt.turns) + 1)
    ]
    return len(sent) * conversations, sum(sent) / len(sent)
