"""Plans and outcomes for tests of the engine."""

from __future__ import annotations

from random import Random

from hydrometer.engine.events import Answer, Judgement
from hydrometer.engine.models import PlannedModel
from hydrometer.engine.plan import Admit, Plan, SelectorSettings
from hydrometer.engine.search import Job, Outcome
from hydrometer.engine.stages import MutationResult, ProbeResult
from hydrometer.providers.types import Sampling
from hydrometer.strategies.mcts import MctsExplore
from hydrometer.strategies.mutation import MutatorName
from hydrometer.strategies.types import Question, Template, Vendor, Verdict

QUESTIONS = tuple(
    Question(id=f"{category}-{language}", text=text, language=language, category=category)
    for language, category, text in (
        ("en", "team", "Which team made you?"),
        ("en", "geography", "Where is your maker's head office?"),
        ("zh", "team", "您是由哪个团队开发的？"),
        ("zh", "geography", "您的公司总部在哪里？"),
    )
)
VENDORS = (
    Vendor(
        id="openai",
        name="OpenAI",
        aliases=("OpenAI",),
        products=("ChatGPT", "GPT-4"),
        marks=("gpt", "openai"),
    ),
    Vendor(
        id="anthropic",
        name="Anthropic",
        aliases=("Anthropic",),
        products=("Claude",),
        marks=("anthropic", "claude"),
    ),
    Vendor(id="alibaba", name="Alibaba", aliases=("Alibaba",), products=("Qwen",), marks=("qwen",)),
)
TARGET = PlannedModel(name="qwen", identity="fake:target", vendor="alibaba")
HELPER = PlannedModel(name="helper", identity="fake:helper", sampling=Sampling(temperature=1.0))
JUDGE = PlannedModel(name="judge", identity="fake:judge")


def make_plan(
    *,
    seed: int = 7,
    window: int = 4,
    probes: int = 40,
    questions_per_visit: int = 2,
    templates: int = 5,
    questions: tuple[Question, ...] = QUESTIONS,
    selector: SelectorSettings | None = None,
    mutators: tuple[MutatorName, ...] = ("similar", "crossover", "expand", "shorten", "rephrase"),
    admit: Admit = "successful",
    judge: PlannedModel | None = None,
) -> Plan:
    return Plan(
        target=TARGET,
        helper=HELPER,
        judge=judge,
        judge_version="test-1",
        mutation_version="test-1",
        fact="I am Qwen, developed by Alibaba.",
        seed=seed,
        window=window,
        probes=probes,
        questions_per_visit=questions_per_visit,
        selector=selector or MctsExplore(explore=0.1, prior_visits=1.0, prior_reward=0.2),
        mutators=mutators,
        admit=admit,
        strict_vendors=("anthropic", "openai"),
        vendors=VENDORS,
        questions=questions,
        templates=tuple(
            Template(id=f"t{number}", text=f"root {number}: {{query}}")
            for number in range(templates)
        ),
    )


def make_outcome(job: Job, *, rate: float = 0.3, text: str | None = None) -> Outcome:
    """Answer *job* with a new template and planted positives, from the ticket's number alone."""
    dice = Random(f"outcome/{job.ticket}")
    chosen = job.tries[0]
    return Outcome(
        ticket=job.ticket,
        mutation=MutationResult(
            text=text or f"mutant {job.ticket}: {{query}}",
            mutator=chosen.mutator.name,
            parents=chosen.parents,
            keys=(f"key-{job.ticket}",),
        ),
        probes=tuple(
            make_probe(positive=dice.random() < rate, key=f"{job.ticket}/{question}")
            for question in job.questions
        ),
    )


def make_probe(*, positive: bool, key: str = "k") -> ProbeResult:
    verdict = Verdict(metric="strict", positive=positive, vendor="openai" if positive else "")
    return ProbeResult(
        outcome=Answer(key=key, text="answer", finish="stop"),
        judgement=Judgement(opinions=(verdict,)),
    )
