from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from builders import HELPER, JUDGE, make_plan

from hydrometer.engine.calls.stages import (
    Answered,
    Call,
    CallOutcome,
    ProbeResult,
    ProbeStages,
    Try,
    mutate,
)
from hydrometer.engine.ice.ice_events import Answer, CallFailed, Judgement
from hydrometer.engine.setup.registry import StrategyRegistry
from hydrometer.providers.types import FinishReason, Response
from hydrometer.strategies.mutation.rewrite import Rewrite
from hydrometer.strategies.types import Unparsed, Verdict

PARENT = "An interview: {query}"
RADIO = "On the radio: {query}"


def feed(
    stage: Generator[tuple[Call, ...], tuple[CallOutcome, ...], Any], *replies: str | CallOutcome
) -> Any:
    """Drive *stage* by hand with *replies* in order; returns (calls made, result)."""
    calls: list[Call] = []
    waiting = list(replies)
    try:
        asked = next(stage)
        while True:
            calls += asked
            given = tuple(
                as_reply(waiting.pop(0), f"k{len(calls) - len(asked) + n}")
                for n in range(len(asked))
            )
            asked = stage.send(given)
    except StopIteration as done:
        assert not waiting
        return calls, done.value


def as_reply(reply: str | CallOutcome, key: str) -> CallOutcome:
    if isinstance(reply, str):
        return Answered(key=key, response=Response(text=reply))
    return reply


def failed(role: str = "judge") -> CallFailed:
    return CallFailed(
        role="judge" if role == "judge" else "helper", key="x", error="E", message="m"
    )


def attempt(name: str = "rephrase", draw: int = 3) -> Try:
    mutator = Rewrite(name="shorten" if name == "shorten" else "rephrase")
    return Try(name=name, mutator=mutator, parents=(4,), texts=(PARENT,), draw=draw)


def test_a_good_mutant_takes_one_call() -> None:
    calls, result = feed(
        mutate(HELPER, (attempt(),), lambda _: False), f"<template>{RADIO}</template>"
    )

    assert result.text == RADIO
    assert result.keys == ("k0",)
    assert result.parents == (4,)
    assert [call.request.draw for call in calls] == [3]


def test_a_faulty_mutant_is_asked_for_once_more_with_the_same_draw() -> None:
    calls, result = feed(
        mutate(HELPER, (attempt(),), lambda _: False),
        "<template>no slot</template>",
        f"<template>{RADIO}</template>",
    )

    assert result.text == RADIO
    assert result.repairs == ("asked-again:slot-lost",)
    assert [call.request.draw for call in calls] == [3, 3]
    roles = [message.role for message in calls[1].request.messages]
    assert roles == ["user", "assistant", "user"]
    assert "the slot {query} was missing" in calls[1].request.messages[2].content


def test_a_try_that_fails_twice_is_rejected_and_the_next_is_tried() -> None:
    _, result = feed(
        mutate(HELPER, (attempt(), attempt("shorten")), lambda _: False),
        "no",
        "no again",
        f"<template>{RADIO}</template>",
    )

    assert result.text == RADIO
    assert result.mutator == "shorten"
    assert [(r.mutator, r.fault, r.keys) for r in result.rejections] == [
        ("rephrase", "no-block", ("k0", "k1"))
    ]


def test_a_known_mutant_is_a_duplicate() -> None:
    _, result = feed(
        mutate(HELPER, (attempt(),), lambda text: text == RADIO), f"<template>{RADIO}</template>"
    )

    assert result.text == ""
    assert [r.fault for r in result.rejections] == ["duplicate"]


def test_a_helper_call_that_failed_is_a_rejection_that_keeps_the_failure() -> None:
    _, result = feed(mutate(HELPER, (attempt(),), lambda _: False), failed("helper"))

    assert result.rejections[0].failure == failed("helper")
    assert result.rejections[0].fault == "call-failed"


def probe(*replies: str | CallOutcome, judged: bool = True, template: str = PARENT) -> Any:
    plan = make_plan(judge=JUDGE if judged else None)
    rules = StrategyRegistry().judge(plan.judge.rules)
    return feed(ProbeStages(plan, rules.prepare(plan.about)).probe(template, 0), *replies)


def opinions(result: ProbeResult) -> list[tuple[str, bool | None]]:
    return [
        (o.metric, o.positive if isinstance(o, Verdict) else None)
        for o in result.judgement.opinions
    ]


def test_the_lexical_judge_gives_strict_and_hard_without_a_call() -> None:
    calls, result = probe("I am ChatGPT, developed by OpenAI.", judged=False)

    assert len(calls) == 1
    assert calls[0].request.messages[-1].content == "An interview: Which team made you?"
    assert opinions(result) == [("strict", True), ("hard", True)]


def test_a_prompt_that_names_a_vendor_makes_hard_negative() -> None:
    _, result = probe(
        "I am ChatGPT, developed by OpenAI.", judged=False, template="PersonGPT, say: {query}"
    )

    assert opinions(result) == [("strict", True), ("hard", False)]
    assert result.judgement.opinions[1].reason == "the prompt names gpt"


def test_a_judge_that_sees_no_contradiction_is_asked_once() -> None:
    calls, result = probe("I am Qwen.", "<verdict>no</verdict>")

    assert [call.role for call in calls] == ["target", "judge"]
    assert opinions(result) == [("loose", False), ("strict", False), ("hard", False)]


def test_strict_is_asked_only_where_loose() -> None:
    calls, result = probe(
        "I am Claude.",
        "<reason>another model</reason><verdict>yes</verdict>",
        "<verdict>anthropic</verdict>",
    )

    assert [call.role for call in calls] == ["target", "judge", "judge"]
    assert opinions(result) == [("loose", True), ("strict", True), ("hard", True)]
    assert result.judgement.keys == ("k1", "k2")
    assert result.judgement.opinions[1].vendor == "anthropic"


def test_a_contradiction_that_names_no_listed_vendor_is_loose_alone() -> None:
    _, result = probe("I am Zork.", "<verdict>yes</verdict>", "<verdict>none</verdict>")

    assert opinions(result) == [("loose", True), ("strict", False), ("hard", False)]


def test_an_unreadable_judge_is_asked_again_and_then_unparsed() -> None:
    calls, result = probe("I am Claude.", "Yes, surely 1.", "I said yes")

    assert len(calls) == 3
    assert [message.role for message in calls[2].request.messages] == ["user", "assistant", "user"]
    assert opinions(result) == [("loose", None), ("strict", None), ("hard", None)]
    assert all(isinstance(opinion, Unparsed) for opinion in result.judgement.opinions)


def test_a_judge_that_is_readable_when_asked_again_counts() -> None:
    _, result = probe("I am Qwen.", "No!", "<verdict>no</verdict>")

    assert opinions(result)[0] == ("loose", False)
    assert result.judgement.keys == ("k1", "k2")


def test_a_judge_call_that_failed_gives_no_opinion_at_all() -> None:
    _, result = probe("I am Claude.", failed())

    assert result.judgement == Judgement(failures=(failed(),))


def test_a_strict_call_that_failed_leaves_the_loose_verdict() -> None:
    _, result = probe("I am Claude.", "<verdict>yes</verdict>", failed())

    assert opinions(result) == [("loose", True)]
    assert result.judgement.failures == (failed(),)


@pytest.mark.parametrize(
    ("finish", "refusal"), [("length", ""), ("content_filter", ""), ("stop", "I won't.")]
)
def test_a_cut_or_refused_answer_is_not_judged(finish: FinishReason, refusal: str) -> None:
    response = Response(text="I am ChatGPT", finish=finish, refusal=refusal)

    calls, result = probe(Answered(key="k", response=response))

    assert len(calls) == 1
    assert result.outcome == Answer(key="k", text="I am ChatGPT", finish=finish, refusal=refusal)
    assert result.judgement == Judgement()


def test_a_target_call_that_failed_is_the_outcome() -> None:
    failure = CallFailed(role="target", key="x", error="RequestRejected", message="m")

    _, result = probe(failure)

    assert result == ProbeResult(outcome=failure)
