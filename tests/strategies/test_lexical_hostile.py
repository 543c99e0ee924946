"""Whatever a target answers, the judge answers, and in time that grows with the text alone.

No test here looks at a clock: that no work grows faster is asserted of what bounds it, and the
suite's timeout is the guard.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydrometer.strategies.judging import claims, lexical
from hydrometer.strategies.judging.grammar import build_words
from hydrometer.strategies.judging.lexical import LexicalJudge
from hydrometer.strategies.types import Vendor

LEXICON = tomllib.loads(
    resources.files("hydrometer.data").joinpath("vendors.toml").read_text(encoding="utf-8")
)
VENDORS = tuple(msgspec.convert({"id": key, **value}, Vendor) for key, value in LEXICON.items())
JUDGE = LexicalJudge(vendors=VENDORS, strict_vendors=("openai", "anthropic"), own_vendor="alibaba")
MEGABYTE = 1_000_000

NAMES = [name for vendor in VENDORS for name in (vendor.name, *vendor.aliases, *vendor.products)]
WORDS = sorted(build_words())
MARKS = [
    "\n",
    ". ",
    "? ",
    "!",
    "。",
    "？",
    '"',
    "“",
    "”",
    "「",
    "'",
    "[",
    "]: ",
    "(",
    ":",
    "：",
    "*",
]
ODDITIES = ["<think>", "</think>", "İ", "ı", "\x00", "\ud800", "\u200b", "\ufeff", "𝐈", "ß", "_"]


@pytest.mark.parametrize(
    "unit",
    [
        "I am made by ",
        "GPT ",
        "I am ChatGPT. ",
        '"I am ChatGPT ',
        "<think>GPT",
        "[GPT: ([{",
        "not OpenAI but ",
        "我的公司我是由由由OpenAI",
        "my my part part made made by by by OpenAI ",
        "OpenAI made made made made my my my my x ",
        "a" * 1000,
    ],
)
def test_a_hostile_megabyte_is_judged(unit: str) -> None:
    text = (unit * (MEGABYTE // len(unit) + 1))[:MEGABYTE]

    JUDGE.judge(text, unit)
    JUDGE.claims(text)


def test_no_rule_repeats_without_bound() -> None:
    patterns = [*claims._BY_ANCHOR.values(), claims._CARRIED, claims._BARE, claims._DENIED]

    assert [rules.pattern for rules in patterns if set("*+") & set(rules.pattern)] == []


@pytest.mark.parametrize("filler", ["x", "x ", "。", ". ", "? ", "\n", "GPT", "我"])
def test_a_clause_reaches_a_bounded_way_from_its_name(filler: str) -> None:
    text = filler * 5000

    left, right = lexical._clause_around(text, len(text) // 2, 0)

    assert left <= len(text) // 2 < right
    assert right - left <= 2 * lexical._REACH


def test_clauses_do_not_overlap_and_a_flood_of_names_is_cut() -> None:
    text = "I am ChatGPT and " * 20_000

    found = JUDGE.claims(text)

    assert len(found) < lexical._PLACES_MAX + lexical._REACH
    assert len({claim.start for claim in found}) == len(found)
    assert [claim.start for claim in found] == sorted(claim.start for claim in found)


def check(text: str, question: str) -> None:
    """Assert what holds of every text."""
    for claim in JUDGE.claims(text):
        assert text[claim.start : claim.end] == claim.name
        assert claim.quote in text
        assert len(claim.quote) <= 200
    first = JUDGE.first_claim(text, question)
    verdict = JUDGE.judge(text, question)
    assert verdict.positive == (first is not None)
    if first is not None:
        assert first.vendor in {"openai", "anthropic"}
        assert verdict.vendor == first.vendor
        assert verdict.reason.endswith(f"{first.name} (characters {first.start}-{first.end})")


@given(
    st.lists(
        st.one_of(st.sampled_from(NAMES + WORDS + MARKS + ODDITIES), st.text(max_size=8)),
        max_size=30,
    ).map(" ".join)
)
def test_any_text_gets_claims_that_lie_in_it(text: str) -> None:
    check(text, text[:20])


def fuzz(seed: int, texts: int) -> None:
    rng = Random(f"lexical/{seed}")
    for _ in range(texts):
        pieces = [
            rng.choice(
                rng.choice((NAMES, WORDS, WORDS, MARKS, ODDITIES, [chr(rng.randrange(0x3100))]))
            )
            for _ in range(rng.randrange(60))
        ]
        text = rng.choice(("", " ")).join(pieces)
        check(text, rng.choice(("", "Who made you?", "你是谁？", text[:30])))


def test_three_thousand_fuzzed_texts_raise_nothing() -> None:
    fuzz(seed=1, texts=3000)


@pytest.mark.slow
def test_a_hundred_thousand_fuzzed_texts_raise_nothing() -> None:
    for seed in range(10):
        fuzz(seed=seed, texts=10_000)
