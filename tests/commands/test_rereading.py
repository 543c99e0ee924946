"""Another judge over recorded answers: any order of arrival, any fault of the judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from random import Random

import anyio
import pytest
from anyio.lowlevel import checkpoint
from builders import JUDGE, make_judge, make_plan

from hydrometer.cache.cached import Cached
from hydrometer.cache.store import MemoryStore
from hydrometer.commands.rescore import read_answers
from hydrometer.engine.calls.answers import Answer, CallFailed, Judgement
from hydrometer.engine.calls.caller import FAILURES_IN_A_ROW, ModelCaller
from hydrometer.engine.calls.ordered import AHEAD
from hydrometer.engine.errors import CallsKeepFailing, FileInvalid
from hydrometer.engine.ice.ice_events import Mutated, Probed, Taken
from hydrometer.engine.ice.ice_fold import find_rescore_items
from hydrometer.engine.ice.ice_measurement import ICE
from hydrometer.engine.ice.ice_plan import IcePlan, Imported
from hydrometer.engine.identity.judging import Judging
from hydrometer.engine.records.events import Event
from hydrometer.engine.records.layers import LayerRow
from hydrometer.engine.setup.plan import PlannedJudge, PlannedStrategy
from hydrometer.engine.setup.registry import StrategyRegistry
from hydrometer.providers.base import Provider
from hydrometer.providers.errors import AccessDenied, RequestRejected
from hydrometer.providers.simulation.planting import Planting
from hydrometer.providers.simulation.simulated_adapter import answer as simulate
from hydrometer.providers.types import FinishReason, Request, Response
from hydrometer.strategies.types import Unparsed, Verdict
from hydrometer.testing import FunctionProvider

PLAN = make_plan()
BY_MODEL = make_judge(JUDGE)
BY_RULE = make_judge()
CLAIM = "I am ChatGPT, developed by OpenAI."
YES = Response(text="<verdict>yes</verdict>")
OPENAI = Response(text="<verdict>openai</verdict>")
NO = Response(text="<verdict>no</verdict>")


def probed(
    text: str = CLAIM, *, template: int = 0, question: int = 0, finish: FinishReason = "stop"
) -> Probed:
    return Probed(
        ticket=0,
        template=template,
        question=question,
        outcome=Answer(key="k", text=text, finish=finish),
        judgement=Judgement(opinions=(Verdict(metric="strict", positive=False),)),
    )


def mutated(text: str = "A mutant: {query}", template: int = 0) -> Mutated:
    return Mutated(
        ticket=0, template=template, mutator="similar", parents=(0,), keys=("k",), text=text
    )


FAILED = Probed(
    ticket=0,
    template=0,
    question=0,
    outcome=CallFailed(role="target", key="k", error="E", message="m"),
)


def recorded(count: int = 40) -> list[Event]:
    """Return answers of which every third is a claim; none is there twice."""
    words = (CLAIM, "I am Qwen.", "I would rather not say.")
    return [mutated(), *(probed(f"{words[n % 3]} {n}", question=n % 4) for n in range(count))]


def judged(request: Request) -> Response:
    return simulate(request, "sim-judge", Planting())


class Delayed:
    """A simulated judge whose replies arrive in an order drawn from *arrival*."""

    def __init__(self, arrival: int) -> None:
        self._dice = Random(arrival)
        self.most = 0
        self._inside = 0

    async def complete(self, request: Request) -> Response:
        self._inside += 1
        self.most = max(self.most, self._inside)
        for _ in range(self._dice.randrange(20)):
            await checkpoint()
        self._inside -= 1
        return judged(request)


async def rescore(
    events: list[Event],
    provider: Provider,
    *,
    plan: IcePlan = PLAN,
    judge: PlannedJudge = BY_MODEL,
    store: MemoryStore | None = None,
    workers: int = 5,
    known: Mapping[int, Judgement] | None = None,
    emitted: list[Event] | None = None,
) -> tuple[LayerRow, ...]:
    cached = Cached(provider, store or MemoryStore(), pool="judge")
    return await read_answers(
        find_rescore_items(plan, iter(events)),
        judging_of(judge, plan),
        ModelCaller({"judge": cached}, {}),
        ([] if emitted is None else emitted).extend,
        workers=workers,
        known=known or {},
    )


def judging_of(judge: PlannedJudge, plan: IcePlan = PLAN) -> Judging:
    assert ICE.rescoring is not None
    return ICE.rescoring.judging(plan, judge, StrategyRegistry())


def by_probe(rows: tuple[LayerRow, ...]) -> dict[int, Judgement]:
    return {row.probe: row.judgement for row in rows}


def verdicts(row: LayerRow) -> list[tuple[str, bool | None]]:
    return [
        (opinion.metric, opinion.positive if isinstance(opinion, Verdict) else None)
        for opinion in row.judgement.opinions
    ]


@pytest.mark.parametrize("workers", [1, 3, 64])
async def test_the_rows_do_not_depend_on_who_answers_first(workers: int) -> None:
    events = recorded()

    runs = [await rescore(events, Delayed(arrival), workers=workers) for arrival in range(6)]

    assert all(run == runs[0] for run in runs)
    assert [row.probe for row in runs[0]] == list(range(40))
    assert 5 < sum(("strict", True) in verdicts(row) for row in runs[0]) < 35


async def test_no_more_calls_are_under_way_than_asked_for() -> None:
    provider = Delayed(1)

    await rescore(recorded(60), provider, workers=3)

    assert provider.most == 3


async def test_events_are_read_no_further_than_there_is_room_for() -> None:
    """A recorded run can be long: its answers must not all wait in memory."""
    gate = anyio.Event()
    drawn = 0

    class Gated:
        async def complete(self, request: Request) -> Response:
            await gate.wait()
            return judged(request)

    def draw() -> Iterator[Event]:
        nonlocal drawn
        for event in recorded(200):
            drawn += 1
            yield event

    caller = ModelCaller({"judge": Cached(Gated(), MemoryStore(), pool="judge")}, {})
    rows: list[LayerRow] = []

    async def work() -> None:
        rows.extend(
            await read_answers(
                find_rescore_items(PLAN, draw()),
                judging_of(BY_MODEL),
                caller,
                lambda _: None,
                workers=2,
                known={},
            )
        )

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(work)
        await anyio.wait_all_tasks_blocked()
        early = drawn
        gate.set()

    assert early <= 2 * AHEAD + 2
    assert len(rows) == 200


async def test_only_the_judge_is_asked_and_with_the_question_and_the_recorded_answer() -> None:
    provider = FunctionProvider(lambda _: NO)

    await rescore([mutated(), probed("I am Zork.", question=1)], provider)

    (request,) = provider.requests
    assert request.identity == JUDGE.identity
    assert "I am Zork." in request.messages[-1].content
    assert PLAN.questions[1].text in request.messages[-1].content
    assert PLAN.fact in request.messages[-1].content


async def test_a_second_reading_with_the_same_store_asks_nothing() -> None:
    store, provider = MemoryStore(), FunctionProvider(judged)

    first = await rescore(recorded(), provider, store=store)
    asked = len(provider.requests)
    second = await rescore(recorded(), provider, store=store)

    assert second == first
    assert asked > 40
    assert len(provider.requests) == asked


async def test_what_is_known_is_not_asked_again_even_with_an_empty_store() -> None:
    whole = await rescore(recorded(), FunctionProvider(judged))
    known = {probe: read for probe, read in by_probe(whole).items() if probe % 4}
    provider = FunctionProvider(judged)

    rows = await rescore(recorded(), provider, known=known)

    assert rows == whole
    asked = {request.messages[-1].content for request in provider.requests}
    assert asked
    assert all(any(f" {n}\n" in text for n in range(0, 40, 4)) for text in asked)


async def test_every_probe_is_emitted_in_order_with_its_new_judgement() -> None:
    events: list[Event] = [mutated(), probed(), FAILED, probed(finish="length"), probed(question=1)]
    emitted: list[Event] = []

    rows = await rescore(events, Delayed(3), emitted=emitted)

    assert [event.outcome for event in emitted if isinstance(event, Probed)] == [
        event.outcome for event in events if isinstance(event, Probed)
    ]
    judgements = [event.judgement for event in emitted if isinstance(event, Probed)]
    assert judgements == [rows[0].judgement, Judgement(), Judgement(), rows[1].judgement]


async def test_equal_answers_to_equal_questions_are_read_once() -> None:
    provider = FunctionProvider(lambda _: NO)
    events: list[Event] = [mutated(), probed(), probed(template=0), probed(question=1)]

    rows = await rescore(events, provider)

    assert len(provider.requests) == 2
    assert [verdicts(row) for row in rows] == [verdicts(rows[0])] * 3


async def test_a_probe_keeps_its_number_when_others_have_no_answer() -> None:
    events: list[Event] = [
        mutated(),
        FAILED,
        probed(),
        probed(finish="length"),
        FAILED,
        probed("", question=2),
    ]

    rows = await rescore(events, FunctionProvider(lambda _: NO))

    assert [row.probe for row in rows] == [1, 4]


async def test_no_answers_give_no_rows() -> None:
    def refuse(request: Request) -> Response | Exception:
        raise AssertionError(request)

    assert await rescore([mutated(), FAILED], FunctionProvider(refuse)) == ()
    assert await rescore([], FunctionProvider(refuse)) == ()


async def test_the_hard_verdict_is_that_of_the_template_as_it_was_asked() -> None:
    events: list[Event] = [
        mutated("An interview: {query}", template=0),
        probed(template=0),
        mutated("As PersonGPT: {query}", template=1),
        probed(template=1),
        Taken(ticket=2, template=2, node=3),
        probed(template=2),
    ]

    rows = await rescore(events, FunctionProvider(judged), judge=BY_RULE)

    assert [verdicts(row) for row in rows] == [
        [("strict", True), ("hard", True)],
        [("strict", True), ("hard", False)],
        [("strict", True), ("hard", True)],
    ]


def test_what_a_judge_reads_is_the_prompt_that_was_sent() -> None:
    events: list[Event] = [
        mutated(),
        probed(),
        Taken(ticket=1, template=1, node=2),
        probed(template=1),
    ]
    question = PLAN.questions[0].text

    readings = list(find_rescore_items(PLAN, [*events, FAILED]))

    assert [(reading.number, reading.case and reading.case.prompt) for reading in readings] == [
        (0, f"A mutant: {question}"),
        (1, f"root 2: {question}"),
        (2, None),
    ]


@pytest.mark.parametrize("template", ["no slot", "{query}{query}"])
def test_imported_templates_need_no_slot(template: str) -> None:
    plan = make_plan(search=Imported(source="s"))

    (reading,) = find_rescore_items(plan, [mutated(template), probed()])

    assert reading.case is not None
    assert plan.questions[0].text in reading.case.prompt


async def test_a_judge_call_that_fails_is_a_failure_and_no_verdict() -> None:
    def answer(request: Request) -> Response | Exception:
        text = request.messages[-1].content
        if "answer 1." in text:
            return RequestRejected("content policy", status=400)
        if "answer 2." in text and "Task: identity-strict" in text:
            return RequestRejected("content policy", status=400)
        if "answer 3." in text or "could not be read" in text:
            return Response(text="well ...")
        return OPENAI if "Task: identity-strict" in text else YES

    events: list[Event] = [mutated(), *(probed(f"answer {n}.") for n in range(4))]

    rows = await rescore(events, FunctionProvider(answer))

    assert [verdicts(row) for row in rows] == [
        [("loose", True), ("strict", True), ("hard", True)],
        [],
        [("loose", True)],
        [("loose", None), ("strict", None), ("hard", None)],
    ]
    assert [len(row.judgement.failures) for row in rows] == [0, 1, 1, 0]
    assert {f.role for row in rows for f in row.judgement.failures} == {"judge"}
    assert all(isinstance(opinion, Unparsed) for opinion in rows[3].judgement.opinions)


async def test_a_call_that_failed_is_asked_again_by_the_next_reading() -> None:
    store = MemoryStore()
    events: list[Event] = [mutated(), probed(), probed(question=1)]
    broken = FunctionProvider(lambda _: RequestRejected("m", status=400))

    lost = await rescore(events, broken, store=store)
    found = await rescore(events, FunctionProvider(judged), store=store, known=by_probe(lost))

    assert [verdicts(row) for row in lost] == [[], []]
    assert all(("strict", True) in verdicts(row) for row in found)


async def test_a_judge_that_fails_at_everything_stops_the_reading_unwrapped() -> None:
    provider = FunctionProvider(lambda _: RequestRejected("no such model", status=400))

    with pytest.raises(CallsKeepFailing, match=r"^20 calls in a row to the judge failed for good"):
        await rescore(recorded(100), provider, workers=1)

    assert len(provider.requests) == FAILURES_IN_A_ROW


@pytest.mark.parametrize("workers", [1, 8])
async def test_what_pauses_a_reading_comes_out_unwrapped_and_leaves_the_rest_unasked(
    workers: int,
) -> None:
    def deny(request: Request) -> Response | Exception:
        return AccessDenied("the judge's key is wrong", status=401)

    provider = FunctionProvider(deny)

    with pytest.raises(AccessDenied):
        await rescore(recorded(100), provider, workers=workers)

    assert len(provider.requests) <= workers


async def test_a_damaged_event_comes_out_unwrapped_while_calls_are_under_way() -> None:
    def damaged() -> Iterator[Event]:
        yield from recorded(3)
        raise FileInvalid("events.jsonl:5: not an event")

    caller = ModelCaller({"judge": Cached(Delayed(1), MemoryStore(), pool="judge")}, {})

    with pytest.raises(FileInvalid, match=r"^events\.jsonl:5"):
        await read_answers(
            find_rescore_items(PLAN, damaged()),
            judging_of(BY_MODEL),
            caller,
            lambda _: None,
            workers=2,
            known={},
        )


async def test_cancelling_a_reading_ends_it_at_once() -> None:
    entered = anyio.Event()

    class Endless:
        async def complete(self, request: Request) -> Response:
            entered.set()
            await anyio.sleep_forever()
            raise AssertionError(request)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(rescore, recorded(50), Endless())
            await entered.wait()
            tasks.cancel_scope.cancel()


async def test_a_judge_that_is_not_installed_is_refused_before_anything_is_read() -> None:
    gone = PlannedJudge(
        name="gone", rules=PlannedStrategy(name="gone", version="1"), metrics=("strict",)
    )

    with pytest.raises(FileInvalid, match=r"^the plan's judge gone comes with a package that"):
        await rescore([], FunctionProvider(judged), judge=gone)
