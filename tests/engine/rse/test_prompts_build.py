"""Prompt sets from conversations: what is kept, what is left out, and what is said of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from hydrometer.engine.errors import FileInvalid
from hydrometer.engine.rse.prompt_sets import (
    Conversation,
    Finding,
    LoadedPrompts,
    Turn,
    Unit,
    What,
    build_prompts,
)
from hydrometer.strategies.similarity.similarity_types import PromptSet, PromptTurns

SPEAKERS = {"h": "human", "u": "user", "s": "system", "d": "developer", "g": "gpt", "t": "tool"}


def chat(*said: str, id: str = "", stratum: str = "") -> Conversation:  # noqa: A002
    """Return a conversation of turns such as ``h:hello``; its place is given by *build*."""
    turns = (text.split(":", 1) for text in said)
    return Conversation(
        place=0,
        turns=tuple(Turn(speaker=SPEAKERS[speaker], text=text) for speaker, text in turns),
        id=id,
        stratum=stratum,
    )


def build(
    *conversations: Conversation,
    unit: Unit = "line",
    max_chars: int = 100,
    max_turns: int | None = None,
) -> LoadedPrompts:
    placed = (
        Conversation(
            place=place, turns=row.turns, id=row.id, language=row.language, stratum=row.stratum
        )
        for place, row in enumerate(conversations, start=1)
    )
    return build_prompts(
        placed, name="set", where="f", unit=unit, max_chars=max_chars, max_turns=max_turns
    )


def asked(reading: LoadedPrompts) -> list[tuple[str, ...]]:
    return [prompt.turns for prompt in reading.prompts.prompts]


def found(reading: LoadedPrompts) -> dict[What, tuple[int, ...]]:
    return {finding.what: finding.places for finding in reading.findings}


def test_a_reading_without_oddities_is_the_set_alone() -> None:
    reading = build(chat("h:Why?", id="a", stratum="s"), chat("h:为何？", "g:x", "u:So?", id="b"))

    assert reading == LoadedPrompts(
        prompts=PromptSet(
            name="set",
            prompts=(
                PromptTurns(id="a", turns=("Why?",), stratum="s"),
                PromptTurns(id="b", turns=("为何？", "So?"), language="zh"),
            ),
        ),
        rows=2,
        unit="line",
        max_chars=100,
    )
    assert reading.notes() == ()


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (chat(), "no-human-turn"),
        (chat("g:Hello.", "s:Hm."), "no-human-turn"),
        (chat("h:"), "empty"),
        (chat("h: \n\u3000", "g:Yes?", "h:\t"), "empty"),
        (chat("h:" + "x" * 101), "too-long"),
        (chat("h:" + "x" * 50, "g:", "h:" + "x" * 51), "too-long"),
        (chat("h:Why?", "g:another answer"), "duplicate"),
    ],
)
def test_a_row_that_cannot_be_asked_is_left_out_and_named(row: Conversation, what: What) -> None:
    reading = build(chat("h:Why?"), row)

    assert asked(reading) == [("Why?",)]
    assert reading.rows == 2
    assert reading.findings == (Finding(what=what, count=1, places=(2,)),)
    assert reading.count(what) == 1


@pytest.mark.parametrize(
    ("row", "kept", "what"),
    [
        (chat("s:Be kind.", "h:Hi."), ("Hi.",), "system-turn"),
        (chat("d:Be kind.", "h:Hi.", "s:Now.", "h:So?"), ("Hi.", "So?"), "system-turn"),
        (chat("g:Hello!", "h:Hi.", "g:So?"), ("Hi.",), "model-first"),
        (chat("t:42", "h:Hi."), ("Hi.",), "model-first"),
        (chat("h:Hi.", "g:Yes?", "h: ", "g:?", "h:Bye."), ("Hi.", "Bye."), "blank-turn"),
        (chat("h:1", "g:a", "h:2", "g:b", "h:3", "g:c", "h:4"), ("1", "2", "3"), "cut"),
    ],
)
def test_a_row_that_is_asked_in_part_is_kept_and_named(
    row: Conversation, kept: tuple[str, ...], what: What
) -> None:
    reading = build(row, max_turns=3)

    assert asked(reading) == [kept]
    assert found(reading) == {what: (1,)}


def test_human_turns_in_a_row_and_at_the_end_are_turns_of_their_own() -> None:
    reading = build(chat("h:Hi.", "h:Are you there?", "g:Yes.", "h:Good."))

    assert asked(reading) == [("Hi.", "Are you there?", "Good.")]
    assert reading.findings == ()


def test_one_row_can_have_several_oddities() -> None:
    reading = build(chat("s:Be kind.", "g:Hello!", "h:", "h:1", "h:2"), max_turns=1)

    assert found(reading) == {
        "system-turn": (1,),
        "model-first": (1,),
        "blank-turn": (1,),
        "cut": (1,),
    }


def test_what_counts_for_length_and_sameness_is_what_is_asked() -> None:
    long = "h:" + "x" * 99
    reading = build(chat("h:1", long), chat("h:1", "g:x", "h:2"), chat(long, "h:1"), max_turns=1)

    assert asked(reading) == [("1",), ("x" * 99,)]
    assert found(reading) == {"duplicate": (2,), "cut": (1, 2, 3)}


def test_the_limit_on_characters_is_the_last_length_that_is_kept() -> None:
    assert asked(build(chat("h:" + "x" * 60, "h:" + "y" * 40))) == [("x" * 60, "y" * 40)]


def test_other_turns_are_another_prompt() -> None:
    rows = [chat("h:a"), chat("h:a "), chat("h:A"), chat("h:a", "h:b"), chat("h:ab")]

    assert build(*rows).findings == ()


def test_prompts_without_an_id_get_one_of_their_texts_wherever_they_stand() -> None:
    rows = [chat("h:a"), chat("h:b"), chat("h:a", "h:b"), chat('h:a","b')]

    forward, back = build(*rows), build(*reversed(rows))

    assert forward.prompts.prompts == back.prompts.prompts[::-1]
    assert len({prompt.id for prompt in forward.prompts.prompts}) == 4
    assert forward.prompts.prompts[0].id == "37d246a8bcb95db2"


def test_an_id_of_several_prompts_is_made_longer_in_each_of_them() -> None:
    reading = build(chat("h:a", id="x"), chat("h:b", id="y"), chat("h:c", id="x"))
    ids = [prompt.id for prompt in reading.prompts.prompts]

    assert ids[1] == "y"
    assert ids[0].startswith("x-")
    assert ids[2].startswith("x-")
    assert ids[0] != ids[2]
    assert found(reading) == {"repeated-id": (1, 3)}


def test_an_id_of_equal_prompts_stays_as_it_is() -> None:
    reading = build(chat("h:a", id="x"), chat("h:a", id="x"))

    assert [prompt.id for prompt in reading.prompts.prompts] == ["x"]
    assert found(reading) == {"duplicate": (2,)}


@pytest.mark.parametrize(("unit", "said"), [("line", "lines"), ("row", "rows")])
def test_notes_name_the_first_five_places_and_count_all(unit: Unit, said: str) -> None:
    rows: Sequence[Conversation] = [chat("h:a")] * 7 + [chat("h:")]

    assert build(*rows, unit=unit).notes() == (
        f"1 row left out, without text ({unit} 8)",
        f"6 rows left out, with the turns of an earlier prompt ({said} 2, 3, 4, 5, 6, ...)",
    )


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "f holds no prompt"),
        ([chat("h:")], "f holds no prompt: 1 row left out, without text (line 1)"),
        (
            [chat("h:" + "x" * 101), chat("h:")],
            "f holds no prompt: 1 row left out, without text (line 2); "
            "1 row left out, longer than max_chars = 100 (line 1)",
        ),
        (
            [chat("g:x", "t:y"), chat("s:z")],
            "f holds no prompt: 2 rows left out, without a human turn (lines 1, 2); "
            "speakers found: 'gpt', 'system', 'tool'; needs human or user",
        ),
        (
            [chat()],
            "f holds no prompt: 1 row left out, without a human turn (line 1); "
            "speakers found: none; needs human or user",
        ),
    ],
)
def test_it_is_an_error_when_nothing_is_left(rows: list[Conversation], said: str) -> None:
    with pytest.raises(FileInvalid) as raised:
        build(*rows)

    assert str(raised.value) == said
