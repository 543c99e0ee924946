"""A toy measurement: asks the target to repeat words, and measures how often a word comes back.

It is added from outside, in a list that is handed in. Run as a script, it is the command line with
one more command, ``toy``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

import hydrometer
from hydrometer.cli import build_app
from hydrometer.engine.calls.answers import Answer, CallFailed
from hydrometer.engine.calls.caller import ModelCaller
from hydrometer.engine.calls.ordered import map_in_order
from hydrometer.engine.calls.stages import Call, Stage
from hydrometer.engine.measurement import CallEstimate, Emit, Measurement, NamedPlan, PlanRequest
from hydrometer.engine.records.events import Event, Finished
from hydrometer.engine.records.recorded_run import RecordedRun
from hydrometer.engine.setup.models import PlannedModel
from hydrometer.engine.setup.plan import PLAN_VERSION, Plan
from hydrometer.engine.setup.planning import find_model, plan_model
from hydrometer.engine.setup.registry import StrategyRegistry
from hydrometer.providers.settings import SamplingTable


class ToyTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[toy]``"""

    targets: tuple[str, ...] = ()
    words: int = 12


class ToyPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    version: int = PLAN_VERSION
    kind: str = "toy"
    target: PlannedModel
    seed: int
    words: tuple[str, ...]

    @property
    def models(self) -> dict[str, PlannedModel]:
        return {"target": self.target}

    @property
    def size(self) -> int:
        return len(self.words)


class Repeated(Event, frozen=True, kw_only=True, tag="repeated"):
    word: str
    outcome: Answer | CallFailed

    @property
    def failures(self) -> tuple[CallFailed, ...]:
        return (self.outcome,) if isinstance(self.outcome, CallFailed) else ()


class ToyScore(msgspec.Struct, frozen=True, kw_only=True):
    run: str
    target: str
    kind: str
    repeated: int
    asked: int
    rate: float | None
    flags: tuple[str, ...] = ()


class ToyCounts:
    def __init__(self) -> None:
        self.units = 0
        self.states: Counter[str] = Counter()

    def add(self, event: Event) -> None:
        self.units += isinstance(event, Repeated)

    def headline(self) -> str:
        return f"{self.units} words"


def build_plans(request: PlanRequest) -> tuple[NamedPlan[ToyPlan], ...]:
    table = request.config.table(ToyTable)
    words = tuple(f"word{number}" for number in range(table.words))
    return tuple(
        NamedPlan(name=name, plan=ToyPlan(target=target, seed=request.config.run.seed, words=words))
        for name in request.targets or table.targets
        for settings in (find_model(request.config, name, "toy.targets"),)
        for target in (plan_model(name, settings, SamplingTable(), None),)
    )


def repeat(plan: ToyPlan, word: str) -> Stage[Repeated]:
    request = plan.target.build_request(f"Repeat this word: {word}")
    (outcome,) = yield (Call(role="target", request=request),)
    answer = outcome if isinstance(outcome, CallFailed) else outcome.to_answer()
    return Repeated(word=word, outcome=answer)


async def run(
    plan: ToyPlan, caller: ModelCaller, emit: Emit, registry: StrategyRegistry, workers: int
) -> None:
    async def work(word: str) -> Repeated:
        return await caller.drive(repeat(plan, word))

    await map_in_order(plan.words, work, lambda event: emit((event,)), workers=workers)
    emit((Finished(reason="words", tickets=plan.size, units=plan.size),))


def score(recorded: RecordedRun[ToyPlan]) -> tuple[ToyScore, ...]:
    asked = [event for event in recorded.events() if isinstance(event, Repeated)]
    answers = [(event.word, event.outcome) for event in asked if not event.failures]
    found = sum(isinstance(said, Answer) and word in said.text for word, said in answers)
    name, target = recorded.name, recorded.plan.target.name
    rate = found / len(asked) if asked else None
    return (
        ToyScore(run=name, target=target, kind="toy", repeated=found, asked=len(asked), rate=rate),
    )


def estimate(
    plan: ToyPlan, role: str, registry: StrategyRegistry, before: Sequence[Plan]
) -> CallEstimate:
    return CallEstimate(calls=plan.size, characters=24.0, reply_tokens=20, alone=plan.size)


TOY = Measurement(
    kind="toy",
    unit="words",
    help="Count how many words a model repeats.\n\nExample: hydrometer toy toy.toml",
    table=ToyTable,
    plan=ToyPlan,
    events=Repeated | Finished,
    build_plans=build_plans,
    run=run,
    score=score,
    title=lambda plan: f"{plan.target.name}: {plan.size} words",
    estimate=estimate,
    counts=lambda plan: ToyCounts(),
)

if __name__ == "__main__":
    build_app(hydrometer.Plugins(measurements=(TOY,)))()
