"""Mutation stage: tries, repairs and rejections, with the helper's replies given by hand."""

from __future__ import annotations

from builders import HELPER
from stage_feeding import failed, feed

from hydrometer.engine.ice.mutating import Try, mutate
from hydrometer.strategies.mutation.rewrite import Rewrite

PARENT = "An interview: {query}"
RADIO = "On the radio: {query}"


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
