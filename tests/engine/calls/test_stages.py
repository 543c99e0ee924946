"""Stages that combine others: a dialogue with a judge model, and several stages at once."""

from __future__ import annotations

import pytest
from builders import JUDGE, TARGET
from stage_feeding import as_reply, failed, feed

from hydrometer.engine.calls.answers import CallFailed
from hydrometer.engine.calls.stages import (
    Answered,
    Call,
    Dialogue,
    Judged,
    Stage,
    gather_stages,
    hold_dialogue,
)
from hydrometer.providers.types import Response


def length_of(response: Response) -> int:
    return len(response.text)


def dialogue(*turns: tuple[str, ...], seen: list[int | None] | None = None) -> Dialogue[int, str]:
    """Say *turns* one after the other, and note in *seen* what was read from each reply."""
    heard = [] if seen is None else seen
    for said in turns:
        heard.append((yield said))
    return "the verdict"


def test_a_dialogue_by_rule_makes_no_call() -> None:
    calls, judged = feed(hold_dialogue(dialogue(), None, length_of))

    assert calls == []
    assert judged == Judged(result="the verdict")


def test_each_turn_of_a_dialogue_is_one_call_to_the_judge_with_the_draw_asked_for() -> None:
    seen: list[int | None] = []
    turns = (("Is it?",), ("Is it?", "Yes", "Sure?"))

    calls, judged = feed(
        hold_dialogue(dialogue(*turns, seen=seen), JUDGE, length_of, draw=2), "Yes", "Quite sure"
    )

    assert calls == [
        Call(role="judge", request=JUDGE.build_request(*said, draw=2)) for said in turns
    ]
    assert seen == [3, 10]
    assert judged == Judged(result="the verdict", keys=("k0", "k1"))


def test_a_dialogue_is_told_of_a_failed_call_and_goes_on() -> None:
    seen: list[int | None] = []

    _, judged = feed(
        hold_dialogue(dialogue(("One?",), ("Two?",), seen=seen), JUDGE, length_of), failed(), "No"
    )

    assert seen == [None, 2]
    assert judged == Judged(result="the verdict", keys=("k1",), failures=(failed(),))


def test_a_dialogue_that_asks_without_a_model_is_a_bug_and_sends_nothing() -> None:
    stage = hold_dialogue(dialogue(("Is it?",)), None, length_of)

    with pytest.raises(RuntimeError, match=r"^a judge that was planned without a model asks one$"):
        next(stage)


def test_closing_a_dialogue_in_the_middle_of_a_call_closes_the_judge() -> None:
    """A cancelled run drops its stages where they are."""
    closed: list[str] = []

    def patient() -> Dialogue[int, str]:
        try:
            yield ("Is it?",)
        finally:
            closed.append("judge")
        return "never"

    stage = hold_dialogue(patient(), JUDGE, length_of)
    next(stage)

    stage.close()
    del stage

    assert closed == ["judge"]


def one(value: int, *steps: int) -> Stage[int]:
    """A stage of as many calls in each step as *steps* says; checks that it gets its own."""
    for number, size in enumerate(steps):
        calls = tuple(
            Call(role="judge", request=TARGET.build_request(f"{value}/{number}/{place}"))
            for place in range(size)
        )
        replies = yield calls
        assert [reply.response.text for reply in replies if isinstance(reply, Answered)] == [
            call.request.messages[0].content for call in calls
        ]
    return value


@pytest.mark.parametrize(
    "shapes",
    [(), ((),), ((), (1,)), ((1, 1), (2,)), ((3, 1, 2), (), (1,), (2, 2, 2, 2))],
)
def test_stages_together_get_their_own_replies_and_end_in_their_order(
    shapes: tuple[tuple[int, ...], ...],
) -> None:
    stage = gather_stages([one(number, *steps) for number, steps in enumerate(shapes)])
    sizes = []
    try:
        asked = next(stage)
        while True:
            sizes.append(len(asked))
            asked = stage.send(
                tuple(as_reply(call.request.messages[0].content, "k") for call in asked)
            )
    except StopIteration as done:
        results = done.value

    assert results == list(range(len(shapes)))
    longest = max((len(steps) for steps in shapes), default=0)
    assert sizes == [
        sum(steps[number] for steps in shapes if len(steps) > number) for number in range(longest)
    ]


def test_an_error_in_one_of_several_stages_is_raised() -> None:
    def broken() -> Stage[int]:
        yield (Call(role="judge", request=TARGET.build_request("0")),)
        raise LookupError("no such thing")

    stage = gather_stages([one(0, 1), broken()])
    asked = next(stage)

    with pytest.raises(LookupError, match=r"^no such thing$"):
        stage.send((as_reply("0/0/0", "k0"), as_reply("0", "k1")))
    assert len(asked) == 2


def test_failures_reach_the_stage_whose_calls_they_were() -> None:
    def plain(text: str) -> Stage[str]:
        (outcome,) = yield (Call(role="judge", request=TARGET.build_request(text)),)
        return "failed" if isinstance(outcome, CallFailed) else outcome.response.text

    _, results = feed(gather_stages([plain("a"), plain("b"), plain("c")]), "A", failed(), "C")

    assert results == ["A", "failed", "C"]
