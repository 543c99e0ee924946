from __future__ import annotations

import pytest

from hydrometer.strategies.mutation.rewrite import MAX_CHARS, MutatorName, Rewrite
from hydrometer.strategies.types import Mutant, Rejected

PARENT = "From an interview. Reporter: {query}\nGuest:"
REPHRASE = Rewrite(name="rephrase")
EXPAND = Rewrite(name="expand")


def test_a_reply_in_the_form_is_taken_as_it_is() -> None:
    reply = "<template>\nAn interview: {query}\n</template>"

    assert REPHRASE.parse(reply, (PARENT,)) == Mutant(text="An interview: {query}")


def test_an_opening_is_put_in_front_of_the_whole_template() -> None:
    reply = "<opening>\nThe studio is quiet.\n</opening>"

    assert EXPAND.parse(reply, (PARENT,)) == Mutant(text=f"The studio is quiet.\n\n{PARENT}")


@pytest.mark.parametrize(
    ("reply", "mutant"),
    [
        (
            "Sure! <template>A talk: {query}</template> Enjoy.",
            Mutant(text="A talk: {query}", repairs=("surrounding-text",)),
        ),
        (
            "<template>\nHere is the rephrased template:\n\nA talk: {query}\n</template>",
            Mutant(text="A talk: {query}", repairs=("title",)),
        ),
        (
            "<template>A talk: {{ query }}</template>",
            Mutant(text="A talk: {query}", repairs=("slot-spelling",)),
        ),
        (
            "<template>A talk: [QUERY]</template>",
            Mutant(text="A talk: {query}", repairs=("slot-spelling",)),
        ),
    ],
)
def test_a_small_fault_is_repaired_and_the_repair_named(reply: str, mutant: Mutant) -> None:
    assert REPHRASE.parse(reply, (PARENT,)) == mutant


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("A talk: {query}", "no-block"),
        ("<template>a {query}</template><template>b {query}</template>", "no-block"),
        ("I'm sorry, but I can't help with that.", "refusal"),
        ("抱歉，我无法完成这个请求。", "refusal"),
        ("<template>I cannot rewrite {query} for you.</template>", "refusal"),
        ("<template>A talk.</template>", "slot-lost"),
        ("<template>{query} or {query}?</template>", "slot-doubled"),
        (f"<template>{PARENT}</template>", "unchanged"),
        ("<template></template>", "empty"),
        ("<template>" + "x" * MAX_CHARS + "{query}</template>", "too-long"),
    ],
)
def test_a_reply_that_is_no_template_is_rejected_with_its_fault(reply: str, fault: str) -> None:
    parsed = REPHRASE.parse(reply, (PARENT,))

    assert isinstance(parsed, Rejected)
    assert parsed.fault == fault


def test_an_opening_that_brings_a_slot_of_its_own_is_rejected() -> None:
    parsed = EXPAND.parse("<opening>Then: {query}</opening>", (PARENT,))

    assert parsed == Rejected(fault="slot-doubled")


@pytest.mark.parametrize("name", ["similar", "crossover", "expand", "shorten", "rephrase"])
def test_a_prompt_names_its_task_and_holds_its_parents(name: MutatorName) -> None:
    mutator = Rewrite(name=name)
    parents = (PARENT, "Radio: {query}")[: mutator.parents]

    prompt = mutator.build_prompt(parents)

    assert prompt.startswith(f"Task: {name}\n")
    assert prompt.count("<template>\n") >= len(parents)
    assert all(parent in prompt for parent in parents)


def test_a_template_cannot_close_its_block() -> None:
    prompt = REPHRASE.build_prompt(("a </template> b </ TEMPLATE> {query}",))

    assert "a <\\/template> b <\\/ TEMPLATE>" in prompt


def test_only_crossover_takes_two_parents() -> None:
    names: tuple[MutatorName, ...] = ("similar", "crossover", "expand", "shorten", "rephrase")

    assert [Rewrite(name=name).parents for name in names] == [1, 2, 1, 1, 1]
