from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from random import Random

import anyio
import msgspec
import pytest
from builders import EMBEDDER, REFERENCE, make_rse_plan, make_set

from hydrometer.cache.cached import Cached
from hydrometer.cache.replay_only import ReplayOnly
from hydrometer.cache.store import MemoryStore
from hydrometer.engine.calls.answers import Answer, CallFailed
from hydrometer.engine.calls.caller import ModelCaller
from hydrometer.engine.calls.stages import Answered, Call, CallOutcome
from hydrometer.engine.errors import FileInvalid
from hydrometer.engine.records.events import Event, Finished, encode_event
from hydrometer.engine.rse.rse_events import (
    Answers,
    Compared,
    Embedded,
    Graded,
    RseEvent,
    RseStarted,
)
from hydrometer.engine.rse.rse_fold import fold_ceiling, fold_cosines, fold_pairs
from hydrometer.engine.rse.rse_plan import RsePlan
from hydrometer.engine.rse.rse_stages import (
    ComparingStages,
    PromptTicket,
    complete,
    prompt_tickets,
    run_similarity,
    to_judge_reply,
)
from hydrometer.engine.setup.models import Role
from hydrometer.engine.setup.plan import plan_digest
from hydrometer.engine.setup.registry import StrategyRegistry
from hydrometer.providers.base import Provider
from hydrometer.providers.errors import RequestRejected
from hydrometer.providers.simulation.planting import Planting
from hydrometer.providers.simulation.simulated_adapter import answer
from hydrometer.providers.types import Request, Response, TokenLogprob
from hydrometer.scoring.prompt_values import read_gradings
from hydrometer.strategies.similarity.similarity_judge import UNREADABLE
from hydrometer.strategies.similarity.similarity_types import Grades, PromptTurns, Unreadable
from hydrometer.testing import FunctionProvider, run_in_virtual_time

Say = str | Response | CallFailed
Script = Callable[[Call], Say]
Steps = list[list[str]]

GRADED = "<style>4</style><logic>5</logic><content>3</content>"
GRADES = Grades(style=4.0, logic=5.0, content=3.0)
TALK = ("What is rain?", "And hail?", "And snow?")
CUT = Response(text="Rain is", finish="length")
REFUSED = Response(text="", refusal="I won't.")
FILTERED = Response(text="", finish="content_filter")


def failed(role: Role) -> CallFailed:
    return CallFailed(role=role, key="x", error="RequestRejected", message="status 400")


def say(call: Call) -> Say:
    """Answer every human turn, by who is asked which turn as which draw, and grade all alike."""
    if call.role == "judge":
        return GRADED
    turn = call.request.messages[-1].content
    return f"{call.role} {call.request.draw} on: {turn}"


def but(**others: Say) -> Script:
    """Return *say* with another reply in some roles; "again" is the reference's second draw."""

    def script(call: Call) -> Say:
        again = call.role == "reference" and call.request.draw == 1
        return others.get("again" if again else call.role, say(call))

    return script


def compare(
    plan: RsePlan, script: Script = say, turns: tuple[str, ...] = TALK[:1]
) -> tuple[list[tuple[Call, ...]], Compared]:
    """Drive one prompt by hand; returns the calls of each step, and what came of it.

    Keys are numbered in the order in which the calls were made.
    """
    ticket = PromptTicket(number=0, set="general", index=0, prompt=PromptTurns(id="p", turns=turns))
    stage = ComparingStages(plan).compare(ticket)
    steps: list[tuple[Call, ...]] = []
    count = 0
    try:
        asked = next(stage)
        while True:
            steps.append(asked)
            replies = []
            for call in asked:
                replies.append(as_reply(script(call), f"k{count}"))
                count += 1
            asked = stage.send(tuple(replies))
    except StopIteration as done:
        compared: Compared = done.value
        return steps, compared


def as_reply(said: Say, key: str) -> CallOutcome:
    if isinstance(said, CallFailed):
        return said
    return Answered(key=key, response=Response(text=said) if isinstance(said, str) else said)


def roles(steps: list[tuple[Call, ...]]) -> Steps:
    return [[call.role for call in step] for step in steps]


def texts(side: Answers | CallFailed | None) -> list[str]:
    assert isinstance(side, Answers)
    return [found.text for found in side.answers]


def prompts_of(steps: list[tuple[Call, ...]]) -> list[str]:
    return [
        call.request.messages[-1].content for step in steps for call in step if call.role == "judge"
    ]


def test_target_and_reference_are_asked_in_one_step_and_all_gradings_in_another() -> None:
    steps, compared = compare(make_rse_plan())

    assert roles(steps) == [["target", "reference"], ["judge", "judge"]]
    assert compared == Compared(
        ticket=0,
        set="general",
        prompt=0,
        target=Answers(
            answers=(Answer(key="k0", text="target 0 on: What is rain?", finish="stop"),)
        ),
        reference=Answers(
            answers=(Answer(key="k1", text="reference 0 on: What is rain?", finish="stop"),)
        ),
        gradings=(
            Graded(order="reference-first", draw=0, grading=GRADES, keys=("k2",)),
            Graded(order="target-first", draw=0, grading=GRADES, keys=("k3",)),
        ),
    )
    assert msgspec.json.decode(encode_event(compared), type=RseEvent) == compared


def test_the_ceiling_asks_the_reference_twice_and_compares_it_with_itself() -> None:
    steps, compared = compare(make_rse_plan(ceiling=True))

    assert roles(steps) == [["target", "reference", "reference"], ["judge"] * 4]
    assert [call.request.draw for call in steps[0]] == [0, 0, 1]
    assert texts(compared.again) == ["reference 1 on: What is rain?"]
    assert [len(compared.gradings), len(compared.ceiling)] == [2, 2]
    own, ceiling = prompts_of(steps)[:2], prompts_of(steps)[2:]
    assert all("target 0" in prompt and "reference 1" not in prompt for prompt in own)
    assert all("target 0" not in prompt and "reference 1" in prompt for prompt in ceiling)


def test_each_model_has_its_own_answers_in_between() -> None:
    steps, compared = compare(make_rse_plan(ceiling=True), turns=TALK)

    assert roles(steps) == [["target", "reference", "reference"]] * 3 + [["judge"] * 4]
    for place, (name, draw) in enumerate((("target", 0), ("reference", 0), ("reference", 1))):
        last = steps[2][place].request
        assert [message.role for message in last.messages] == ["user", "assistant"] * 2 + ["user"]
        assert [message.content for message in last.messages] == [
            TALK[0], f"{name} {draw} on: {TALK[0]}", TALK[1], f"{name} {draw} on: {TALK[1]}",
            TALK[2],
        ]  # fmt: skip
        assert last.draw == draw
    assert texts(compared.target) == [f"target 0 on: {turn}" for turn in TALK]
    (row,) = fold_pairs([compared])
    assert row.texts == (
        "\n\n".join(texts(compared.reference)),
        "\n\n".join(texts(compared.target)),
    )


def test_both_orders_and_every_draw_are_asked_with_the_sides_in_their_places() -> None:
    steps, compared = compare(make_rse_plan(judge_draws=3))

    assert [(graded.order, graded.draw) for graded in compared.gradings] == [
        (order, draw) for order in ("reference-first", "target-first") for draw in range(3)
    ]
    assert [call.request.draw for call in steps[1]] == [0, 1, 2] * 2
    for number, prompt in enumerate(prompts_of(steps)):
        reference_is_a = prompt.index("reference 0 on") < prompt.index("target 0 on")
        assert reference_is_a == (number < 3)


def test_one_order_asks_half() -> None:
    steps, compared = compare(make_rse_plan(orders=("reference-first",)))

    assert roles(steps) == [["target", "reference"], ["judge"]]
    assert [graded.order for graded in compared.gradings] == ["reference-first"]


def test_a_structured_judge_is_read_as_json_and_tags_are_not() -> None:
    good = '{"analysis": "alike", "content": 3, "logic": 5, "style": 4}'

    _, read = compare(make_rse_plan(structured=True), but(judge=good))
    steps, unread = compare(make_rse_plan(structured=True), but(judge=GRADED))

    assert {graded.grading for graded in read.gradings} == {
        Grades(style=4.0, logic=5.0, content=3.0, reason="alike")
    }
    assert {graded.grading for graded in unread.gradings} == {Unreadable(reason=UNREADABLE)}
    assert all('{"analysis"' in prompt for prompt in prompts_of(steps[:2]))


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (failed("target"), "failed"),
        (REFUSED, "refused"),
        (FILTERED, "refused"),
        (CUT, "truncated"),
        (Response(text="I'd rather", finish="length", refusal="no"), "refused"),
    ],
)
@pytest.mark.parametrize("side", ["target", "reference"])
def test_a_side_without_a_whole_answer_is_not_judged_and_keeps_its_state(
    side: str, reply: Say, state: str
) -> None:
    steps, compared = compare(make_rse_plan(), but(**{side: reply}))

    assert roles(steps) == [["target", "reference"]]
    assert compared.gradings == ()
    (row,) = fold_pairs([compared])
    assert (row.state, row.texts, row.gradings) == (state, None, ())
    assert [reading.outcome for reading in read_gradings([row]).prompts] == [state]
    assert len(compared.failures) == (state == "failed")


def test_a_failed_side_outweighs_a_refused_one_and_that_a_cut_one() -> None:
    pairs = ((failed("target"), REFUSED), (REFUSED, CUT), (CUT, failed("reference")))
    found = [
        compare(make_rse_plan(), but(target=target, reference=reference))[1]
        for target, reference in pairs
    ]

    assert [row.state for row in fold_pairs(found)] == ["failed", "refused", "failed"]


def test_a_target_that_failed_leaves_the_ceiling_and_the_other_way_round() -> None:
    plan = make_rse_plan(ceiling=True)
    steps, without_target = compare(plan, but(target=failed("target")))
    _, without_second = compare(plan, but(again=CUT))
    _, without_reference = compare(plan, but(reference=REFUSED))

    assert roles(steps) == [["target", "reference", "reference"], ["judge", "judge"]]
    assert (len(without_target.gradings), len(without_target.ceiling)) == (0, 2)
    assert (len(without_second.gradings), len(without_second.ceiling)) == (2, 0)
    assert (without_reference.gradings, without_reference.ceiling) == ((), ())
    assert [row.state for row in fold_ceiling([without_target, without_second])] == [
        "compared",
        "truncated",
    ]


def test_a_conversation_ends_at_a_cut_answer_and_the_other_side_goes_on() -> None:
    def script(call: Call) -> Say:
        turns = len(call.request.messages)
        return CUT if call.role == "target" and turns == 3 else say(call)

    steps, compared = compare(make_rse_plan(), script, turns=TALK)

    assert roles(steps) == [["target", "reference"], ["target", "reference"], ["reference"]]
    assert texts(compared.target) == ["target 0 on: What is rain?", "Rain is"]
    assert len(texts(compared.reference)) == 3
    assert not complete(compared.target)
    assert complete(compared.reference)


def test_a_conversation_that_fails_late_is_failed_as_a_whole() -> None:
    def script(call: Call) -> Say:
        late = len(call.request.messages) == 5
        return failed("reference") if call.role == "reference" and late else say(call)

    steps, compared = compare(make_rse_plan(), script, turns=TALK)

    assert roles(steps) == [["target", "reference"]] * 3
    assert compared.reference == failed("reference")
    assert complete(compared.target)


def test_an_empty_answer_is_compared_as_it_stands() -> None:
    steps, compared = compare(make_rse_plan(), but(target=""), turns=TALK[:2])

    assert roles(steps)[-1] == ["judge", "judge"]
    assert texts(compared.target) == ["", ""]
    (row,) = fold_pairs([compared])
    assert row.state == "compared"


def test_a_judge_call_that_failed_gives_no_grading_and_the_others_stay() -> None:
    judged = iter((failed("judge"), GRADED))

    _, compared = compare(
        make_rse_plan(), lambda call: next(judged) if call.role == "judge" else say(call)
    )

    assert compared.gradings == (
        Graded(order="reference-first", draw=0, grading=None, failure=failed("judge")),
        Graded(order="target-first", draw=0, grading=GRADES, keys=("k3",)),
    )
    assert compared.failures == (failed("judge"),)


def test_what_cannot_be_read_is_asked_again_once_with_the_same_draw() -> None:
    judged = iter(("4 of 5.", GRADED))

    steps, compared = compare(
        make_rse_plan(orders=("target-first",)),
        lambda call: next(judged) if call.role == "judge" else say(call),
    )

    assert roles(steps) == [["target", "reference"], ["judge"], ["judge"]]
    first, again = steps[1][0].request, steps[2][0].request
    assert again.messages[: len(first.messages)] == first.messages
    assert [message.role for message in again.messages] == ["user", "assistant", "user"]
    assert again.messages[1].content == "4 of 5."
    assert again.draw == first.draw
    assert compared.gradings == (
        Graded(order="target-first", draw=0, grading=GRADES, keys=("k2", "k3")),
    )


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "I cannot compare them.",
        GRADED.replace("4", "3.5"),
        GRADED.replace("4", "6"),
        GRADED + "<style>1</style>",
        GRADED + " or so",
        "<style>4</style>",
        REFUSED,
        Response(text=GRADED[:-4], finish="length"),
    ],
)
def test_what_is_unreadable_twice_is_unreadable_and_no_low_grade(reply: Say) -> None:
    steps, compared = compare(make_rse_plan(orders=("target-first",)), but(judge=reply))

    assert roles(steps) == [["target", "reference"], ["judge"], ["judge"]]
    (graded,) = compared.gradings
    assert graded.grading == Unreadable(reason=UNREADABLE)
    assert graded.keys == ("k2", "k3")
    assert graded.failure is None


def test_a_repair_that_fails_is_a_failure_and_keeps_the_first_key() -> None:
    judged = iter(("4 of 5.", failed("judge")))

    _, compared = compare(
        make_rse_plan(orders=("target-first",)),
        lambda call: next(judged) if call.role == "judge" else say(call),
    )

    assert compared.gradings == (
        Graded(order="target-first", draw=0, grading=None, keys=("k2",), failure=failed("judge")),
    )


def test_one_slow_grading_that_is_repaired_leaves_the_others_where_they_belong() -> None:
    def script(call: Call) -> Say:
        if call.role != "judge":
            return say(call)
        repaired = len(call.request.messages) > 1
        return GRADED if repaired or call.request.draw != 1 else "hm"

    steps, compared = compare(make_rse_plan(judge_draws=3), script)

    assert roles(steps) == [["target", "reference"], ["judge"] * 6, ["judge"] * 2]
    assert [graded.keys for graded in compared.gradings] == [
        ("k2",), ("k3", "k8"), ("k4",), ("k5",), ("k6", "k9"), ("k7",),
    ]  # fmt: skip


SIX_TENTHS, FOUR_TENTHS = math.log(0.6), math.log(0.4)


def spelled(**alternatives: tuple[tuple[str, float], ...]) -> Response:
    """Return the good reply with its tokens: each grade has six tenths, and 1 the other four."""
    tokens = []
    for aspect, grade in (("style", "4"), ("logic", "5"), ("content", "3")):
        chances = alternatives.get(aspect, ((grade, SIX_TENTHS), ("1", FOUR_TENTHS)))
        tokens += [
            TokenLogprob(token=f"<{aspect}>", logprob=0.0),
            TokenLogprob(token=grade, logprob=SIX_TENTHS, alternatives=chances),
            TokenLogprob(token=f"</{aspect}>", logprob=0.0),
        ]
    return Response(text="".join(token.token for token in tokens), logprobs=tuple(tokens))


def grade_with(reply: Response) -> object:
    _, compared = compare(make_rse_plan(orders=("target-first",)), but(judge=reply))
    (graded,) = compared.gradings
    return graded.grading


def test_grades_are_weighted_by_log_probabilities_where_the_endpoint_tells_them() -> None:
    assert grade_with(spelled()) == Grades(style=2.8, logic=3.4, content=2.2, weighted=True)


@pytest.mark.parametrize(
    "impossible",
    [
        (("2", math.nan),),
        (("2", math.inf),),
        (("2", 700.0),),
        (("2", 0.5),),
        (("2", -math.inf), ("4", -0.1)),
        (("", -0.2), ("2", -0.2), ("1", -0.2)),
    ],
)
def test_impossible_log_probabilities_neither_crash_nor_leave_the_scale(
    impossible: tuple[tuple[str, float], ...],
) -> None:
    found = grade_with(spelled(style=impossible))

    assert isinstance(found, Grades)
    assert 1.0 <= found.style <= 5.0


def test_tokens_of_another_text_are_no_weights() -> None:
    other = spelled()

    found = grade_with(Response(text=GRADED, logprobs=other.logprobs[:3]))

    assert found == GRADES


def test_what_the_judge_s_rules_read_is_text_and_tokens() -> None:
    said = to_judge_reply(spelled())

    assert said.text == GRADED
    assert [token.token for token in said.tokens[:3]] == ["<style>", "4", "</style>"]


VECTORS = {"target": "[0.0, 1.0]", "reference": "[1.0, 1.0]"}


def embed(call: Call) -> Say:
    """Embed by the first word; what is not embedded is said as always."""
    if call.role != "embedder":
        return say(call)
    return VECTORS[call.request.messages[0].content.partition(" ")[0]]


def test_both_sides_are_embedded_with_all_turns_while_they_are_judged() -> None:
    plan = make_rse_plan(embedder=EMBEDDER, ceiling=True)

    steps, compared = compare(plan, embed, turns=TALK[:2])

    assert roles(steps)[2] == [*["judge"] * 4, *["embedder"] * 4]
    reference, target, first, second = steps[2][4:]
    assert target.request.messages[0].content == "\n\n".join(texts(compared.target))
    assert reference.request == first.request  # which a cache asks once
    assert second.request.messages[0].content == "\n\n".join(texts(compared.again))
    assert compared.embedded == Embedded(cosine=round(math.sqrt(0.5), 9), keys=("k10", "k11"))
    assert compared.ceiling_embedded == Embedded(cosine=1.0, keys=("k12", "k13"))
    assert fold_cosines([compared]) == (
        {("general", 0): round(math.sqrt(0.5), 9)},
        {("general", 0): 1.0},
    )


@pytest.mark.parametrize(
    "reply",
    [
        *(failed("embedder"), "", "[]", "{}", "[1.0]", "[0.0, 0.0]"),
        *('["x", "y"]', "[null, 1]", "sorry"),
    ],
)
def test_what_is_no_vector_leaves_no_cosine_and_the_gradings(reply: Say) -> None:
    plan = make_rse_plan(embedder=EMBEDDER)

    _, compared = compare(
        plan,
        lambda call: (
            reply
            if call.role == "embedder" and "target" in call.request.messages[0].content
            else embed(call)
        ),
    )

    assert compared.embedded is not None
    assert compared.embedded.cosine is None
    assert len(compared.failures) == isinstance(reply, CallFailed)
    assert len(compared.gradings) == 2
    assert fold_cosines([compared]) == ({}, {})
    assert msgspec.json.decode(encode_event(compared), type=RseEvent) == compared


def test_a_side_without_a_whole_answer_is_not_embedded() -> None:
    plan = make_rse_plan(embedder=EMBEDDER, ceiling=True)

    steps, compared = compare(plan, lambda call: CUT if call.role == "target" else embed(call))

    assert roles(steps)[1] == ["judge", "judge", "embedder", "embedder"]
    assert compared.embedded is None
    assert compared.ceiling_embedded == Embedded(cosine=1.0, keys=("k5", "k6"))


def test_tickets_are_numbered_over_the_sets_and_prompts_within() -> None:
    plan = make_rse_plan(make_set("a", "1", "2"), make_set("b", "3"))

    found = [(ticket.number, ticket.set, ticket.index) for ticket in prompt_tickets(plan)]

    assert found == [(0, "a", 0), (1, "a", 1), (2, "b", 0)]


MODELS = {
    "fake:target": ("sim-writer-a", Planting(seed=1, family=1, relation="family")),
    "fake:reference": ("sim-writer-b", Planting(family=1)),
    "fake:judge": ("sim-judge", Planting(error=0.3)),
}
SETS = (
    make_set("one", *(f"What is {thing}?" for thing in ("rain", "hail", "snow", "fog", "dew"))),
    make_set("several", ("Hi.", "What is wind?"), ("What is a cloud?", "Why?", "And why that?")),
)


def simulated(request: Request) -> Response:
    return answer(request, *MODELS[request.identity])


class Late:
    """Simulated models whose answers take times drawn from *arrival*."""

    def __init__(self, arrival: int) -> None:
        self._dice = Random(arrival)

    async def complete(self, request: Request) -> Response:
        await anyio.sleep(self._dice.choice((0.01, 0.5, 3.0)))
        return simulated(request)


async def run(
    plan: RsePlan, provider: Provider, store: MemoryStore | None = None, *, workers: int = 3
) -> list[Event]:
    events: list[Event] = []
    cached = Cached(provider, store or MemoryStore(), pool="all")
    parts: tuple[Role, ...] = ("target", "reference", "judge")
    caller = ModelCaller(dict.fromkeys(parts, cached), {})
    await run_similarity(plan, caller, events.extend, StrategyRegistry(), workers)
    return events


def test_latencies_and_workers_do_not_change_the_run() -> None:
    plan = make_rse_plan(*SETS, ceiling=True, judge_draws=2)

    runs = [
        run_in_virtual_time(partial(run, plan, Late(arrival), workers=1 + arrival % 5))
        for arrival in range(4)
    ]

    assert all(events == runs[0] for events in runs)
    assert runs[0][0] == RseStarted(
        plan=plan_digest(plan), target="qwen", reference="gpt", judge="judge", prompts=7
    )
    assert [event.ticket for event in runs[0] if isinstance(event, Compared)] == list(range(7))
    assert runs[0][-1] == Finished(reason="prompts", tickets=7, units=7)


async def test_a_run_replays_from_its_store_alone() -> None:
    plan, store = make_rse_plan(*SETS, ceiling=True), MemoryStore()
    recorded = await run(plan, FunctionProvider(simulated), store)
    replayed: list[Event] = []
    parts: tuple[Role, ...] = ("target", "reference", "judge")
    caller = ModelCaller(dict.fromkeys(parts, ReplayOnly(store, pool="all")), {})

    await run_similarity(plan, caller, replayed.extend, StrategyRegistry(), 64)

    assert replayed == recorded


async def test_no_prompt_waits_for_another() -> None:
    """The second prompt is graded while the first one's reference has not answered."""
    gate = anyio.Event()
    graded = anyio.Event()

    class SlowFirst:
        async def complete(self, request: Request) -> Response:
            text = request.messages[-1].content
            if request.identity == "fake:reference" and "rain" in text:
                await gate.wait()
            if request.identity == "fake:judge" and "hail" in text:
                graded.set()
            return simulated(request)

    events: list[Event] = []
    async with anyio.create_task_group() as tasks:

        async def go() -> None:
            events.extend(await run(make_rse_plan(SETS[0]), SlowFirst()))

        tasks.start_soon(go)
        await graded.wait()
        gate.set()

    assert len(events) == 7


async def test_a_request_that_is_refused_for_its_length_is_a_failed_prompt_and_no_stop() -> None:
    def too_long(request: Request) -> Response | Exception:
        if request.identity == REFERENCE.identity and "hail" in request.messages[0].content:
            return RequestRejected("maximum context length exceeded", status=400)
        return simulated(request)

    events = await run(make_rse_plan(SETS[0], ceiling=True), FunctionProvider(too_long))

    states = [row.state for row in fold_pairs(events)]
    assert states == ["compared", "failed", "compared", "compared", "compared"]
    failures = [failure for event in events for failure in event.failures]
    assert [failure.role for failure in failures] == ["reference", "reference"]


async def test_a_plan_of_another_rubric_is_refused_before_anything_is_sent() -> None:
    provider = FunctionProvider(simulated)

    with pytest.raises(FileInvalid, match=r"judge is of version similarity-0, here it is"):
        await run(make_rse_plan(rubric_version="similarity-0"), provider)

    assert provider.requests == []
