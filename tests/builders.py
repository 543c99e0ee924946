"""Plans and outcomes for tests of the engine."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from hydrometer.engine.calls.answers import Answer, Judgement
from hydrometer.engine.ice.ice_plan import Admit, IcePlan, RefineSearch, SearchSettings, TreeSearch
from hydrometer.engine.ice.mutating import MutationResult
from hydrometer.engine.ice.search import Search, SearchTicket, TicketOutcome
from hydrometer.engine.identity.probing import ProbeResult
from hydrometer.engine.records.events import Event
from hydrometer.engine.rse.rse_plan import RsePlan
from hydrometer.engine.setup.models import PlannedModel
from hydrometer.engine.setup.plan import PlannedJudge, PlannedStrategy
from hydrometer.engine.setup.registry import StrategyRegistry
from hydrometer.providers.types import Sampling
from hydrometer.strategies.mutation import refine
from hydrometer.strategies.similarity.similarity_judge import Similarity
from hydrometer.strategies.similarity.similarity_types import (
    ORDERS,
    Order,
    PromptSet,
    PromptTurns,
    Weights,
)
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
EMBEDDER = PlannedModel(name="embedder", identity="fake:embedder", mode="embedding")
REFERENCE = PlannedModel(
    name="gpt", identity="fake:reference", sampling=Sampling(temperature=0.7), vendor="openai"
)


def make_plan(
    *,
    seed: int = 7,
    window: int = 4,
    probes: int = 40,
    questions_per_visit: int = 2,
    templates: int = 5,
    questions: tuple[Question, ...] = QUESTIONS,
    selector: PlannedStrategy | None = None,
    mutators: tuple[str, ...] = ("similar", "crossover", "expand", "shorten", "rephrase"),
    admit: Admit = "successful",
    judge: PlannedModel | None = None,
    search: SearchSettings | None = None,
) -> IcePlan:
    return IcePlan(
        target=TARGET,
        judge=make_judge(judge),
        fact="I am Qwen, developed by Alibaba.",
        seed=seed,
        window=window,
        probes=probes,
        questions_per_visit=questions_per_visit,
        search=search
        or TreeSearch(
            helper=HELPER,
            selector=selector
            or make_selector("mcts-explore", explore=0.1, prior_visits=1.0, prior_reward=0.2),
            mutators=tuple(
                StrategyRegistry().plan("mutators", name, {}, "test") for name in mutators
            ),
            admit=admit,
        ),
        strict_vendors=("anthropic", "openai"),
        vendors=VENDORS,
        questions=questions,
        templates=tuple(
            Template(id=f"t{number}", text=f"root {number}: {{query}}")
            for number in range(templates)
        ),
    )


def make_selector(name: str, **settings: float) -> PlannedStrategy:
    return StrategyRegistry().plan("selectors", name, settings, "test")


def make_refining(
    selector: PlannedStrategy | None = None, *, admit: Admit = "successful"
) -> RefineSearch:
    return RefineSearch(
        helper=HELPER,
        selector=selector or make_selector("ucb"),
        rewriting_version=refine.VERSION,
        admit=admit,
    )


def make_judge(model: PlannedModel | None = None) -> PlannedJudge:
    """Return the lexical judge, or *model* as one."""
    kind = "lexical" if model is None else "identity"
    rules = StrategyRegistry().plan("judges", kind, {}, "test")
    metrics = StrategyRegistry().judge(rules).metrics
    name = kind if model is None else model.name
    return PlannedJudge(name=name, rules=rules, metrics=metrics, model=model)


def make_outcome(job: SearchTicket, *, rate: float = 0.3, text: str | None = None) -> TicketOutcome:
    """Answer *job* with a new template and planted positives, from the ticket's number alone."""
    dice = Random(f"outcome/{job.number}")
    return TicketOutcome(
        ticket=job.number,
        mutation=_make_mutation(job, text or f"mutant {job.number}: {{query}}"),
        probes=tuple(
            make_probe(positive=dice.random() < rate, key=f"{job.number}/{question}")
            for question in job.visit.questions
        ),
    )


def play_search(
    plan: IcePlan,
    answer: Callable[[SearchTicket], TicketOutcome] = make_outcome,
    *,
    arrival: int = 0,
) -> list[Event]:
    """Run a search whose outcomes arrive in an order drawn from *arrival*."""
    dice = Random(arrival)
    search = Search(plan, StrategyRegistry())
    step = search.start()
    events, flying = list(step.events), list(step.tickets)
    while not search.finished:
        step = search.receive(answer(flying.pop(dice.randrange(len(flying)))))
        events += step.events
        flying += step.tickets
    assert not flying
    return events


def _make_mutation(job: SearchTicket, text: str) -> MutationResult:
    if job.visit.seed_text:
        return MutationResult(text=job.visit.seed_text)
    chosen = job.visit.tries[0]
    return MutationResult(
        text=text,
        mutator=chosen.name,
        parents=chosen.parents,
        keys=(f"key-{job.number}",),
    )


def make_probe(*, positive: bool, key: str = "k") -> ProbeResult:
    verdict = Verdict(metric="strict", positive=positive, vendor="openai" if positive else "")
    return ProbeResult(
        outcome=Answer(key=key, text="answer", finish="stop"),
        judgement=Judgement(opinions=(verdict,)),
    )


def make_set(name: str, *prompts: str | tuple[str, ...]) -> PromptSet:
    """Return a set of prompts, each one human turn or several."""
    turns = [(prompt,) if isinstance(prompt, str) else prompt for prompt in prompts]
    return PromptSet(
        name=name,
        prompts=tuple(PromptTurns(id=f"p{n}", turns=each) for n, each in enumerate(turns)),
    )


def make_rse_plan(
    *sets: PromptSet,
    orders: tuple[Order, ...] = ORDERS,
    judge_draws: int = 1,
    ceiling: bool = False,
    structured: bool = False,
    embedder: PlannedModel | None = None,
    rubric_version: str = Similarity.version,
) -> RsePlan:
    """Return a plan that compares TARGET with REFERENCE, of one prompt unless *sets* are given."""
    return RsePlan(
        target=TARGET,
        reference=REFERENCE,
        judge=JUDGE,
        rubric_version=rubric_version,
        structured=structured,
        seed=7,
        orders=orders,
        judge_draws=judge_draws,
        embedder=embedder,
        ceiling=ceiling,
        weights=Weights(),
        sets=sets or (make_set("general", "What is rain?"),),
    )
