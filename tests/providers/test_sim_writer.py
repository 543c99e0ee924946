from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydrometer.providers.simulation.planting import Relation
from hydrometer.providers.simulation.simulated_writer import RELATIONS, write_answer
from hydrometer.providers.simulation.writer_words import CHINESE, ENGLISH, WriterWords

PROMPTS = (
    *(f"How do {thing} work?" for thing in ("bridges", "glaciers", "vaccines", "tides")),
    *(f"请介绍{thing}的原理。" for thing in ("桥梁", "冰川", "疫苗", "潮汐")),
)


def written(
    *,
    family: int = 4,
    relation: Relation = "copy",
    model: int = 0,
    draw: int = 0,
    heat: float = 0.0,
) -> tuple[str, ...]:
    return tuple(
        write_answer(
            prompt, family=family, relation=relation, model=model, draw=draw, temperature=heat
        )
        for prompt in PROMPTS
    )


def shared_words(first: tuple[str, ...], second: tuple[str, ...]) -> float:
    """Share of the words (Chinese: pairs of characters) of two sets of answers that both have."""

    def words(texts: tuple[str, ...]) -> set[tuple[int, str]]:
        return {
            (number, word)
            for number, text in enumerate(texts)
            for word in [
                *text.split(),
                *(text[i : i + 2] for i in range(len(text)) if text[i] > "一"),
            ]
        }

    ours, theirs = words(first), words(second)
    return len(ours & theirs) / len(ours | theirs)


@pytest.mark.parametrize("relation", RELATIONS)
def test_the_same_arguments_give_the_same_text(relation: Relation) -> None:
    found = written(relation=relation, model=2, draw=3, heat=0.7)

    assert found == written(relation=relation, model=2, draw=3, heat=0.7)


def test_a_text_is_the_same_in_another_process() -> None:
    program = (
        "from hydrometer.providers.simulation.simulated_writer import write_answer;"
        "print(ascii(write_answer('How do tides work?', family=4, relation='family', model=1,"
        " draw=2, temperature=0.5)))"
    )

    found = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONHASHSEED": "123"},
        capture_output=True,
        text=True,
        check=True,
    )

    expected = write_answer(
        "How do tides work?", family=4, relation="family", model=1, draw=2, temperature=0.5
    )
    assert found.stdout.strip() == ascii(expected)


def test_a_pinned_text() -> None:
    """Recorded runs replay only while simulated models write what they wrote."""
    assert write_answer("How do tides work?", family=0, relation="paraphrase") == (
        "For tides that means: one sizeable record requires fitness, and 23 others follow. "
        "For tides that means: one rapid staff reveals speech, and 51 others follow. "
        "What supplants our health most is this important decision, say 12 people who tried. "
        "For tides that means: one widespread routine betters moisture, and 90 others follow.\n\n"
        "The crucial principle nourishes the speed by about 97 percent. "
        "What hinders our crop most is this initial tutor, say 7 people who tried."
    )


def test_copies_write_what_the_first_model_writes() -> None:
    assert written(model=5, draw=1, heat=0.7) == written(draw=1, heat=0.7)


def test_draws_are_all_one_at_temperature_0() -> None:
    for relation in RELATIONS:
        assert written(relation=relation, draw=0) == written(relation=relation, draw=9)


def test_a_second_draw_differs_less_than_a_paraphrase_and_so_on() -> None:
    first = written(heat=0.7)

    found = [
        shared_words(first, written(heat=0.7)),
        shared_words(first, written(draw=1, heat=0.7)),
        shared_words(first, written(relation="paraphrase", heat=0.7)),
        shared_words(first, written(relation="family", heat=0.7)),
        shared_words(first, written(relation="unrelated", heat=0.7)),
    ]

    assert found[0] == 1.0
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 5


@pytest.mark.parametrize("relation", ["paraphrase", "family", "unrelated"])
def test_models_of_one_relation_are_told_apart(relation: Relation) -> None:
    assert written(relation=relation, model=1) != written(relation=relation, model=2)


def test_a_sibling_keeps_the_facts() -> None:
    mine, siblings = (
        [set(re.findall(r"\d+", text)) for text in written(family=0, relation=relation)]
        for relation in ("copy", "family")
    )

    assert all(theirs <= ours for theirs, ours in zip(siblings, mine, strict=True))
    assert sum(map(len, siblings)) > 0.6 * sum(map(len, mine))


@pytest.mark.parametrize("family", range(8))
def test_families_next_to_each_other_are_laid_out_otherwise(family: int) -> None:
    def shape(text: str) -> set[str]:
        return {line.split()[0] for line in text.splitlines() if line} & {"##", "-", "1.", "|"}

    ours, theirs = (write_answer("How do tides work?", family=f) for f in (family, family + 1))

    assert shape(ours) != shape(theirs)


def test_the_answer_has_the_language_and_a_word_of_the_prompt() -> None:
    english, chinese = written(family=3)[0], written(family=3)[-1]

    assert "bridges" in english
    assert english.isascii()
    assert "潮汐" in chinese


@given(
    prompt=st.text(max_size=40),
    family=st.integers(-5, 10**9),
    relation=st.sampled_from(RELATIONS),
    temperature=st.floats(0, 10),
)
def test_any_prompt_gets_an_answer(
    prompt: str, family: int, relation: Relation, temperature: float
) -> None:
    found = write_answer(prompt, family=family, relation=relation, temperature=temperature)

    assert found.strip()
    assert "{" not in found


@pytest.mark.parametrize("lexicon", [ENGLISH, CHINESE], ids=["english", "chinese"])
def test_every_word_has_synonyms_and_every_frame_uses_its_slots(lexicon: WriterWords) -> None:
    for kind in lexicon.words:
        flat = [word for meaning in kind for word in meaning]
        assert all(len(meaning) >= 3 for meaning in kind)
        assert len(flat) == len(set(flat))
    for frame in lexicon.frames:
        assert all(slot in frame for slot in ("{0}", "{1}", "{2}", "{3}", "{number}"))
