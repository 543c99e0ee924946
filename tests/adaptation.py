"""A target whose weak spots are known, to see whether a search finds them.

Seed templates carry a word that says whether they work; the simulated helper keeps that word in
nine mutants of ten, and the simulated target claims to be somebody else's with the probability
planted for it. Everything else is the engine as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from statistics import mean, stdev

import msgspec
from builders import make_plan

from hydrometer.cache.cached import Cached
from hydrometer.cache.store import MemoryStore
from hydrometer.engine.calls.caller import ModelCaller
from hydrometer.engine.calls.workers import DEFAULT_WORKERS
from hydrometer.engine.ice.ice_events import Probed
from hydrometer.engine.ice.ice_plan import (
    IcePlan,
    RefineSearch,
    SearchSettings,
    StaticSearch,
    TreeSearch,
)
from hydrometer.engine.ice.ice_planning import DEFAULT_MUTATORS, PRESETS
from hydrometer.engine.ice.search_runner import run_search
from hydrometer.engine.identity.texts import parse_questions
from hydrometer.engine.records.events import Event
from hydrometer.engine.setup.files import builtin_text
from hydrometer.engine.setup.models import PlannedModel, Role
from hydrometer.engine.setup.plan import PlannedStrategy
from hydrometer.engine.setup.registry import StrategyRegistry
from hydrometer.providers.simulation.planting import Planting
from hydrometer.providers.simulation.simulated_adapter import answer
from hydrometer.providers.types import Sampling
from hydrometer.scoring.student import t_quantile
from hydrometer.strategies.mutation import refine
from hydrometer.strategies.types import Template, Verdict
from hydrometer.testing import FunctionProvider

WEAK, STRONG = "radio", "ledger"  # the words that tell templates that work from the others
KEEP = 0.9
HELPER = PlannedModel(name="helper", identity="sim:helper", sampling=Sampling(temperature=1.0))


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """How many of 40 seed templates work, and how well."""

    weak: int = 6
    rate: float = 0.6
    otherwise: float = 0.05
    templates: int = 40
    probes: int = 1000


class Method(msgspec.Struct, frozen=True, kw_only=True):
    """One way to search: what a config would say."""

    search: SearchSettings
    questions_per_visit: int
    window: int


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Positives over seeds, with the 95% interval of their mean (Student's t)."""

    mean: float
    low: float
    high: float


def tree(
    selector: str, settings: Mapping[str, float] | None = None, *, visit: int, window: int
) -> Method:
    """Return a tree search."""
    registry = StrategyRegistry()
    return Method(
        search=TreeSearch(
            helper=HELPER,
            selector=registry.plan("selectors", selector, settings or {}, "study"),
            mutators=tuple(
                registry.plan("mutators", name, {}, "study") for name in DEFAULT_MUTATORS
            ),
            admit="successful",
        ),
        questions_per_visit=visit,
        window=window,
    )


def standard(*, visit: int | None = None, window: int | None = None, **changed: float) -> Method:
    """Return the preset *standard*, or one that differs from it."""
    preset = PRESETS["standard"]
    return tree(
        preset.selector,
        {**preset.selector_settings, **changed},
        visit=visit or preset.questions_per_visit,
        window=window or preset.window,
    )


def refining() -> Method:
    """Return refine with standard's selector and visits."""
    preset = PRESETS["standard"]
    selector: PlannedStrategy = StrategyRegistry().plan(
        "selectors", preset.selector, preset.selector_settings, "study"
    )
    return Method(
        search=RefineSearch(
            helper=HELPER,
            selector=selector,
            rewriting_version=refine.VERSION,
            admit="successful",
        ),
        questions_per_visit=preset.questions_per_visit,
        window=preset.window,
    )


METHODS: dict[str, Callable[[], Method]] = {
    "round-robin, whole question sets": lambda: tree("round-robin", visit=50, window=1),
    "the published rule (paper)": lambda: tree("mcts-explore", visit=50, window=1),
    "static, 10 questions a visit": lambda: Method(
        search=StaticSearch(), questions_per_visit=10, window=4
    ),
    "round-robin, 10 questions a visit": lambda: tree("round-robin", visit=10, window=4),
    "random, 10 questions a visit": lambda: tree("random", visit=10, window=4),
    "exp3, 10 questions a visit": lambda: tree("exp3", visit=10, window=4),
    "ucb, 10 questions a visit": lambda: tree("ucb", visit=10, window=4),
    "refine": refining,
    "standard": standard,
}

ABLATIONS: dict[str, Callable[[], Method]] = {
    "standard": standard,
    "without a prior": lambda: standard(prior_visits=0.0),
    "with half a prior visit": lambda: standard(prior_visits=0.5),
    "prior reward 0": lambda: standard(prior_reward=0.0),
    "prior reward 0.5": lambda: standard(prior_reward=0.5),
    "explore 0.5 (published)": lambda: standard(explore=0.5),
    "stop_early 0.1 (published)": lambda: standard(stop_early=0.1),
    "5 questions a visit": lambda: standard(visit=5),
    "25 questions a visit": lambda: standard(visit=25),
    "50 questions a visit": lambda: standard(visit=50),
    "window 1": lambda: standard(window=1),
    "window 16": lambda: standard(window=16),
}


async def positives(method: Method, setting: Setting, seed: int) -> int:
    """Return how many claims one search drew."""
    plan = _plan(method, setting, seed)
    traits = {WEAK: setting.rate, STRONG: setting.otherwise}
    planting = Planting(
        seed=seed, rate=setting.otherwise, traits=traits, forget=1 - KEEP, claims={"openai": 1.0}
    )
    store = MemoryStore()
    providers = {
        role: Cached(
            FunctionProvider(partial(answer, model=model, planting=planting)), store, pool=role
        )
        for role, model in _MODELS.items()
    }
    found = 0

    def count(events: Sequence[Event]) -> None:
        nonlocal found
        found += sum(
            opinion.metric == "strict" and opinion.positive
            for event in events
            if isinstance(event, Probed)
            for opinion in event.judgement.opinions
            if isinstance(opinion, Verdict)
        )

    await run_search(plan, ModelCaller(providers, {}), count, StrategyRegistry(), DEFAULT_WORKERS)
    return found


def compare(counts: list[int]) -> Comparison:
    """Return the mean of *counts* with its interval."""
    middle = mean(counts)
    reach = t_quantile(0.975, len(counts) - 1) * stdev(counts) / len(counts) ** 0.5
    return Comparison(mean=middle, low=middle - reach, high=middle + reach)


_MODELS: dict[Role, str] = {"target": "sim-target", "helper": "sim-helper"}


def _plan(method: Method, setting: Setting, seed: int) -> IcePlan:
    weak = set(Random(f"weak/{seed}").sample(range(setting.templates), setting.weak))
    templates = tuple(
        Template(
            id=f"t{number}",
            text=f"A {WEAK if number in weak else STRONG} on shelf {number} asks: {{query}}",
        )
        for number in range(setting.templates)
    )
    base = make_plan(
        seed=seed,
        window=method.window,
        probes=setting.probes,
        questions=parse_questions(builtin_text("questions.csv"), "questions.csv"),
        questions_per_visit=method.questions_per_visit,
        search=method.search,
    )
    return msgspec.structs.replace(base, templates=templates)
