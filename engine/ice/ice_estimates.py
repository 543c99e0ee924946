"""ICE estimates: the number and the mean prompt length of the calls that a plan makes in a role."""

from __future__ import annotations

from collections.abc import Sequence

from ...strategies.mutation.refine import EXCERPT, Refine
from ...strategies.templates import fill
from ...strategies.types import SLOT, Case
from ..measurement import CallEstimate
from ..setup.models import Role
from ..setup.plan import Plan
from ..setup.registry import StrategyRegistry
from ..setup.token_figures import ANSWER_TOKENS, CHARS_PER_TOKEN
from .ice_plan import IcePlan, RefineSearch, TreeSearch

EXTRA_HELPER = 1.2  # calls per mutant: the helper is called again after a rejected mutant
EXTRA_JUDGE = 1.3  # calls per probe: a strict question follows each contradiction
HELPER_TOKENS, VERDICT_TOKENS = 250, 60  # tokens of one reply, if max_tokens is not set


def estimate_ice(
    plan: IcePlan, role: Role, registry: StrategyRegistry, before: Sequence[Plan]
) -> CallEstimate:
    """Return the estimate for *role*.

    Two plans have different targets, so they share no calls, and *before* is not used.
    """
    calls, characters, reply = _calls(plan, role, registry)
    return CallEstimate(
        calls=calls,
        characters=characters,
        reply_tokens=reply,
        alone=calls,
        at_once=plan.window * plan.questions_per_visit,
    )


def count_templates(plan: IcePlan) -> int:
    """Return the number of templates that *plan* visits."""
    return -(-plan.probes // plan.questions_per_visit)


def _calls(plan: IcePlan, role: Role, registry: StrategyRegistry) -> tuple[int, float, int]:
    question = plan.questions[0].text
    template = sum(len(t.text) for t in plan.templates) / len(plan.templates)
    if role == "helper":
        calls = round(count_templates(plan) * EXTRA_HELPER)
        return calls, template + _mean_instruction(plan, registry), HELPER_TOKENS
    if role == "judge":
        calls = round(plan.probes * EXTRA_JUDGE)
        return calls, _judge_prompt(plan, question, registry), VERDICT_TOKENS
    sent = template + len(plan.target.system) + len(fill(SLOT, question))
    return plan.probes, sent, ANSWER_TOKENS


def _judge_prompt(plan: IcePlan, question: str, registry: StrategyRegistry) -> float:
    """Return the length of the first prompt of the plan's judge about a typical answer."""
    answer = "x" * round(ANSWER_TOKENS * CHARS_PER_TOKEN)
    judge = registry.prepare(plan.judge, plan.about)
    dialogue = judge.read(Case(question=question, prompt=question, response=answer))
    turns = next(dialogue, ())
    dialogue.close()
    return sum(map(len, turns))


def _mean_instruction(plan: IcePlan, registry: StrategyRegistry) -> float:
    """Return the mean length of the instructions that the helper gets besides the template."""
    if isinstance(plan.search, RefineSearch):
        return len(Refine().build_prompt(("",))) + 2 * EXCERPT
    if not isinstance(plan.search, TreeSearch):
        return 0.0
    mutators = [registry.mutator(planned) for planned in plan.search.mutators]
    prompts = [m.build_prompt((SLOT,) * m.parents) for m in mutators]
    return sum(map(len, prompts)) / len(prompts)
