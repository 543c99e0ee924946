"""Probe stage: one question in one template, judged at once, with the replies given by hand."""

from __future__ import annotations

import pytest
from builders import JUDGE, make_plan
from stage_feeding import failed, feed

from hydrometer.engine.calls.answers import Answer, CallFailed, Judgement
from hydrometer.engine.calls.stages import Answered, Call, CallOutcome
from hydrometer.engine.identity.judging import Judging
from hydrometer.engine.identity.probing import ProbeResult, probe
from hydrometer.engine.setup.registry import StrategyRegistry
from hydrometer.providers.types import FinishReason, Response
from hydrometer.strategies.templates import fill
from hydrometer.strategies.types import Unparsed, Verdict

PARENT = "An interview: {query}"


def probe_by_hand(
    *replies: str | CallOutcome, judged: bool = True, template: str = PARENT
) -> tuple[list[Call], ProbeResult]:
    plan = make_plan(judge=JUDGE if judged else None)
    judge = StrategyRegistry().prepare(plan.judge, plan.about)
    question = plan.questions[0].text
    return feed(
        probe(
            plan.target,
            Judging(judge, plan.judge.model, plan.about),
            question=question,
            prompt=fill(template, question),
        ),
        *replies,
    )


def opinions(result: ProbeResult) -> list[tuple[str, bool | None]]:
    return [
        (o.metric, o.positive if isinstance(o, Verdict) else None)
        for o in result.judgement.opinions
    ]


def test_the_lexical_judge_gives_strict_and_hard_without_a_call() -> None:
    calls, result = probe_by_hand("I am ChatGPT, developed by OpenAI.", judged=False)

    assert len(calls) == 1
    assert calls[0].request.messages[-1].content == "An interview: Which team made you?"
    assert opinions(result) == [("strict", True), ("hard", True)]


def test_a_prompt_that_names_a_vendor_makes_hard_negative() -> None:
    _, result = probe_by_hand(
        "I am ChatGPT, developed by OpenAI.", judged=False, template="PersonGPT, say: {query}"
    )

    assert opinions(result) == [("strict", True), ("hard", False)]
    assert result.judgement.opinions[1].reason == "the prompt names gpt"


def test_a_judge_that_sees_no_contradiction_is_asked_once() -> None:
    calls, result = probe_by_hand("I am Qwen.", "<verdict>no</verdict>")

    assert [call.role for call in calls] == ["target", "judge"]
    assert opinions(result) == [("loose", False), ("strict", False), ("hard", False)]


def test_strict_is_asked_only_where_loose() -> None:
    calls, result = probe_by_hand(
        "I am Claude.",
        "<reason>another model</reason><verdict>yes</verdict>",
        "<verdict>anthropic</verdict>",
    )

    assert [call.role for call in calls] == ["target", "judge", "judge"]
    assert opinions(result) == [("loose", True), ("strict", True), ("hard", True)]
    assert result.judgement.keys == ("k1", "k2")
    assert result.judgement.opinions[1] == Verdict(
        metric="strict", positive=True, vendor="anthropic"
    )


def test_a_contradiction_that_names_no_listed_vendor_is_loose_alone() -> None:
    _, result = probe_by_hand("I am Zork.", "<verdict>yes</verdict>", "<verdict>none</verdict>")

    assert opinions(result) == [("loose", True), ("strict", False), ("hard", False)]


def test_an_unreadable_judge_is_asked_again_and_then_unparsed() -> None:
    calls, result = probe_by_hand("I am Claude.", "Yes, surely 1.", "I said yes")

    assert len(calls) == 3
    assert [message.role for message in calls[2].request.messages] == ["user", "assistant", "user"]
    assert opinions(result) == [("loose", None), ("strict", None), ("hard", None)]
    assert all(isinstance(opinion, Unparsed) for opinion in result.judgement.opinions)


def test_a_judge_that_is_readable_when_asked_again_counts() -> None:
    _, result = probe_by_hand("I am Qwen.", "No!", "<verdict>no</verdict>")

    assert opinions(result)[0] == ("loose", False)
    assert result.judgement.keys == ("k1", "k2")


def test_a_judge_call_that_failed_gives_no_opinion_at_all() -> None:
    _, result = probe_by_hand("I am Claude.", failed())

    assert result.judgement == Judgement(failures=(failed(),))


def test_a_strict_call_that_failed_leaves_the_loose_verdict() -> None:
    _, result = probe_by_hand("I am Claude.", "<verdict>yes</verdict>", failed())

    assert opinions(result) == [("loose", True)]
    assert result.judgement.failures == (failed(),)


@pytest.mark.parametrize(
    ("finish", "refusal"), [("length", ""), ("content_filter", ""), ("stop", "I won't.")]
)
def test_a_cut_or_refused_answer_is_not_judged(finish: FinishReason, refusal: str) -> None:
    response = Response(text="I am ChatGPT", finish=finish, refusal=refusal)

    calls, result = probe_by_hand(Answered(key="k", response=response))

    assert len(calls) == 1
    assert result.outcome == Answer(key="k", text="I am ChatGPT", finish=finish, refusal=refusal)
    assert result.judgement == Judgement()


def test_a_target_call_that_failed_is_the_outcome() -> None:
    failure = CallFailed(role="target", key="x", error="RequestRejected", message="m")

    _, result = probe_by_hand(failure)

    assert result == ProbeResult(outcome=failure)
