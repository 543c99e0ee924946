"""Sentences of lexical_sentences.jsonl, each with the verdict that a careful reader gives it."""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from hydrometer.strategies.judging.lexical import LexicalJudge
from hydrometer.strategies.judging.patterns import compile_by_anchor
from hydrometer.strategies.judging.rules import RULES
from hydrometer.strategies.types import Vendor


class Sentence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of lexical_sentences.jsonl; *vendor* is whose claim it is."""

    kind: Literal["claim", "no claim", "missed claim"]
    language: Literal["en", "zh"]
    text: str
    vendor: str = ""


SENTENCES = msgspec.json.Decoder(Sentence).decode_lines(
    Path(__file__).with_name("lexical_sentences.jsonl").read_bytes()
)


def build_judge() -> LexicalJudge:
    lexicon = tomllib.loads(
        resources.files("hydrometer.data").joinpath("vendors.toml").read_text(encoding="utf-8")
    )
    vendors = tuple(msgspec.convert({"id": key, **value}, Vendor) for key, value in lexicon.items())
    every = tuple(vendor.id for vendor in vendors)
    return LexicalJudge(vendors=vendors, strict_vendors=every, own_vendor="alibaba")


JUDGE = build_judge()


def texts(kind: str) -> list[str]:
    return [sentence.text for sentence in SENTENCES if sentence.kind == kind]


def claims(kind: str) -> list[tuple[str, str]]:
    return [(sentence.vendor, sentence.text) for sentence in SENTENCES if sentence.kind == kind]


@pytest.mark.parametrize(("vendor", "text"), claims("claim"))
def test_a_claim_is_read_as_its_vendors(vendor: str, text: str) -> None:
    claim = JUDGE.first_claim(text)

    assert claim is not None
    assert claim.vendor == vendor


@pytest.mark.parametrize("text", texts("no claim"))
def test_what_is_no_claim_is_read_as_none(text: str) -> None:
    assert JUDGE.first_claim(text) is None


@pytest.mark.xfail(strict=True, reason="needs what the rules do not know: reference, or a metaphor")
@pytest.mark.parametrize(("vendor", "text"), claims("missed claim"))
def test_a_claim_by_reference_or_metaphor_is_missed(vendor: str, text: str) -> None:
    claim = JUDGE.first_claim(text)

    assert claim is not None
    assert claim.vendor == vendor


@pytest.mark.parametrize("row", [row for rows in RULES.values() for row in rows])
def test_every_rule_is_of_use_in_some_sentence(row: str) -> None:
    rules = compile_by_anchor([row])
    lexicon = JUDGE._lexicon

    codes = (
        lexicon.codes(lexicon.words(text, text.lower(), 0, len(text))) for text in texts("claim")
    )

    assert any(
        rules[code].match(clause, at + 1)
        for clause in codes
        for at, code in enumerate(clause)
        if code in rules
    )
