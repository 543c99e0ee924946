"""Grades weighted by what else the judge might have said, with numbers worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydrometer.providers.types import TokenLogprob
from hydrometer.strategies.similarity.similarity_judge import Form, Similarity, parse
from hydrometer.strategies.similarity.similarity_types import (
    Grades,
    JudgeReply,
    Pairing,
)

FORMS: tuple[Form, ...] = get_args(Form)
PLAIN = Grades(style=4.0, logic=2.0, content=5.0)


def token(text: str, chances: Mapping[str, float] | None = None) -> TokenLogprob:
    """Return the token *text*, chosen among others with these probabilities."""
    chances = chances or {}
    return TokenLogprob(
        token=text,
        logprob=math.log(chances.get(text, 0.9)),
        alternatives=tuple((other, math.log(chance)) for other, chance in chances.items()),
    )


STYLE = {"4": 0.6, "5": 0.3, "3": 0.1}  # 2.4 + 1.5 + 0.3 = 4.2
LOGIC = {"2": 0.5, "1": 0.2, "{": 0.2}  # (1.0 + 0.2) / 0.7 = 1.714286
CONTENT = {"5": 0.8, "4": 0.1, "1": 0.1}  # 4.0 + 0.4 + 0.1 = 4.5
WEIGHTED = Grades(style=4.2, logic=1.714286, content=4.5, weighted=True)

JSON = (
    token('{"'), token("style"), token('":'), token("4", STYLE), token(","),
    token('"logic":'), token("2", LOGIC), token(',"content":'), token("5", CONTENT), token("}"),
)  # fmt: skip
TAGS = (
    token("<"), token("style"), token(">"), token("4", STYLE), token("</"), token("style>\n"),
    token("<logic>"), token("2", LOGIC), token("</logic>\n<content>"), token("5", CONTENT),
    token("</content>"),
)  # fmt: skip


def spelled(*tokens: TokenLogprob) -> JudgeReply:
    return JudgeReply(text="".join(choice.token for choice in tokens), tokens=tokens)


@pytest.mark.parametrize(("form", "tokens"), [("json", JSON), ("tags", TAGS)])
def test_each_grade_is_its_expectation(form: Form, tokens: tuple[TokenLogprob, ...]) -> None:
    assert parse(spelled(*tokens), form) == WEIGHTED


def test_each_aspect_takes_the_chances_of_its_own_place() -> None:
    said = spelled(
        token('{"content":'), token("5", CONTENT), token(',"logic":'), token("2", LOGIC),
        token(',"style":'), token("4", STYLE), token("}"),
    )  # fmt: skip

    assert parse(said, "json") == WEIGHTED


def test_a_grade_may_share_its_token_with_spaces_and_signs() -> None:
    style = {' 4,"': 0.6, ' 5,"': 0.3, ' 3,"': 0.1, "4": 0.4}
    logic = {":2": 0.5, ":1": 0.2, "2": 0.2}
    content = {"5}": 0.8, "4}": 0.1, "1}": 0.1, "1": 0.2, "15}": 0.1, "5} ": 0.1}

    said = spelled(
        token('{"style":'), token(' 4,"', style), token('logic"'), token(":2", logic),
        token(',"content":'), token("5}", content),
    )  # fmt: skip

    assert parse(said, "json") == WEIGHTED


def test_the_chosen_token_counts_also_where_the_alternatives_leave_it_out() -> None:
    style = TokenLogprob(
        token="4",
        logprob=math.log(0.6),
        alternatives=(("5", math.log(0.3)), ("3", math.log(0.1))),
    )

    assert parse(spelled(*JSON[:3], style, *JSON[4:]), "json") == WEIGHTED


def test_a_token_told_twice_counts_once() -> None:
    twice = TokenLogprob(token="4", logprob=JSON[3].logprob, alternatives=JSON[3].alternatives * 2)

    assert parse(spelled(*JSON[:3], twice, *JSON[4:]), "json") == WEIGHTED


def test_thinking_before_the_reply_and_an_end_token_behind_it_do_not_shift_the_places() -> None:
    unsure = token("4", {"4": 0.5, "1": 0.5})
    draft = (token("<think>"), *JSON[:3], unsure, *JSON[4:], token("</think>\n"))
    tokens = (*draft, *JSON, token("\n"), token("<|end|>"))
    text = "".join(choice.token for choice in JSON)

    assert parse(JudgeReply(text=text, tokens=tokens), "json") == WEIGHTED


def test_characters_split_over_tokens_in_the_reason_do_not_shift_the_places() -> None:
    said = JudgeReply(
        text='<analysis>雪雪</analysis>\n' + spelled(*TAGS).text,
        tokens=(token("<analysis>"), token("\\xe9\\x9b"), token("\\xaa"), token("\ufffd"),
                token("</analysis>\n"), *TAGS),
    )  # fmt: skip

    assert parse(said, "tags") == Grades(
        style=4.2, logic=1.714286, content=4.5, weighted=True, reason="雪雪"
    )


def test_a_fence_does_not_shift_the_places() -> None:
    said = spelled(token("```"), token("json\n"), *JSON, token("\n"), token("```"))

    assert parse(said, "json") == WEIGHTED


def test_surrounding_space_that_was_stripped_from_the_text_does_no_harm() -> None:
    text = "".join(choice.token for choice in TAGS)

    assert (
        parse(JudgeReply(text=text, tokens=(token("\n\n"), *TAGS, token(" \n"))), "tags")
        == WEIGHTED
    )
    assert parse(JudgeReply(text=f"{text}\n", tokens=TAGS), "tags") == WEIGHTED


def without(at: int, *instead: TokenLogprob) -> JudgeReply:
    return spelled(*JSON[:at], *instead, *JSON[at + 1 :])


FALLBACKS = {
    "no tokens": JudgeReply(text=spelled(*JSON).text),
    "tokens of another text": JudgeReply(text=spelled(*JSON).text, tokens=TAGS),
    "a part of the tokens": JudgeReply(text=spelled(*JSON).text, tokens=JSON[:-1]),
    "the text in one token": spelled(token(spelled(*JSON).text, {spelled(*JSON).text: 0.5})),
    "two grades in one token": spelled(
        token('{"style":'), token('4,"logic":2', {'4,"logic":2': 0.9, '5,"logic":2': 0.1}),
        *JSON[7:],
    ),
    "no alternatives": without(3, token("4")),
    "no other alternatives": without(3, token("4", {"4": 0.9})),
    "little on grades": without(3, token("4", {"4": 0.3, "5": 0.19, "{": 0.5})),
    "little on grades of this form": without(3, token("4", {"4": 0.3, " 4": 0.3, " 5": 0.4})),
    "more than everything": without(3, token("4", {"4": 0.9, "5": 0.8})),
    "a probability above one": without(
        3, TokenLogprob(token="4", logprob=0.5, alternatives=(("5", -1.0),))
    ),
    "an enormous number": without(
        3, TokenLogprob(token="4", logprob=-0.1, alternatives=(("5", 1e308),))
    ),
    "no number": without(
        3, TokenLogprob(token="4", logprob=-0.1, alternatives=(("5", math.nan),))
    ),
    "nothing certain at all": without(
        3, TokenLogprob(token="4", logprob=-math.inf, alternatives=(("5", -math.inf),))
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", sorted(FALLBACKS))
def test_without_trustworthy_chances_all_three_grades_are_plain(case: str) -> None:
    assert parse(FALLBACKS[case], "json") == PLAIN


def test_half_of_the_probability_is_enough() -> None:
    said = without(3, token("4", {"4": 0.375, "2": 0.125, "x": 0.5}))  # (1.5 + 0.25) / 0.5

    assert parse(said, "json") == Grades(style=3.5, logic=1.714286, content=4.5, weighted=True)


def test_likely_tokens_do_not_make_an_unreadable_reply_readable() -> None:
    assert parse(without(3, token("4.5", {"4.5": 0.5, "4": 0.5})), "json") is None


def test_a_judge_at_work_returns_weighted_grades_also_after_a_repair() -> None:
    pairing = Pairing(turns=("q",), reference=("a",), target=("b",))
    comparison = Similarity(form="tags").read(pairing, "target-first")
    next(comparison)
    comparison.send(spelled(*JSON))

    with pytest.raises(StopIteration) as done:
        comparison.send(spelled(*TAGS))

    assert done.value.value == WEIGHTED


numbers = st.floats() | st.floats(-10, 0)
pieces = st.sampled_from([*(choice.token for choice in (*JSON, *TAGS)), "", " ", "1", "</style>"])
choices = st.builds(
    TokenLogprob,
    token=pieces,
    logprob=numbers,
    alternatives=st.lists(st.tuples(pieces, numbers), max_size=4).map(tuple),
)


@given(st.lists(choices, max_size=14), st.sampled_from([JSON, TAGS]), st.sampled_from(FORMS))
def test_no_tokens_make_the_reading_fail(
    tokens: list[TokenLogprob], text: tuple[TokenLogprob, ...], form: Form
) -> None:
    parse(JudgeReply(text=spelled(*text).text, tokens=tuple(tokens)), form)
    parse(spelled(*tokens), form)


@given(st.lists(numbers, min_size=18, max_size=18), st.sampled_from(FORMS))
def test_whatever_the_chances_grades_stay_grades(logprobs: list[float], form: Form) -> None:
    tokens = [
        TokenLogprob(
            token=choice.token,
            logprob=logprobs[at],
            alternatives=tuple(zip("12345", logprobs[at : at + 5], strict=False)),
        )
        for at, choice in enumerate(JSON if form == "json" else TAGS)
    ]

    read = parse(spelled(*tokens), form)

    assert read is not None
    assert read.weighted or read == PLAIN
