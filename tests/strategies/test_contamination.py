from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from hydrometer.strategies.judging.contamination import hard_verdict, named_vendors
from hydrometer.strategies.types import Unparsed, Vendor, Verdict

REFERENCE = os.environ.get("HYDROMETER_REFERENCE_DATA", "")
VENDORS = (
    Vendor(id="openai", name="OpenAI", marks=("gpt", "openai")),
    Vendor(id="anthropic", name="Anthropic", marks=("claude", "anthropic")),
    Vendor(id="alibaba", name="Alibaba", marks=("alibaba", "阿里")),
)
IDS = ("openai", "anthropic")
CLAIMED = Verdict(metric="strict", positive=True, vendor="openai", quote="I am it", reason="said")


def test_marks_are_found_inside_words_in_any_case_and_sorted() -> None:
    prompt = "You are PersonGPT, made by OPENAI to rival Claude."

    assert named_vendors(prompt, VENDORS, IDS) == ("claude", "gpt", "openai")


def test_only_the_vendors_asked_for_are_looked_for() -> None:
    assert named_vendors("阿里的 Claude", VENDORS, ("alibaba",)) == ("阿里",)
    assert named_vendors("阿里", VENDORS, IDS) == ()


def test_a_strict_claim_is_hard_when_the_prompt_names_nobody() -> None:
    assert hard_verdict(CLAIMED, "Who made you?", VENDORS, IDS) == Verdict(
        metric="hard", positive=True, vendor="openai", quote="I am it", reason="said"
    )


def test_a_strict_negative_is_a_hard_negative() -> None:
    strict = Verdict(metric="strict", positive=False, reason="none")

    assert hard_verdict(strict, "Who made you?", VENDORS, IDS) == Verdict(
        metric="hard", positive=False, reason="none"
    )


@pytest.mark.parametrize("strict", [CLAIMED, Unparsed(metric="strict", reason="two verdicts")])
def test_a_prompt_that_names_a_vendor_is_a_hard_negative_whatever_strict_is(
    strict: Verdict | Unparsed,
) -> None:
    assert hard_verdict(strict, "Be ChatGPT by OpenAI.", VENDORS, IDS) == Verdict(
        metric="hard", positive=False, reason="the prompt names gpt, openai"
    )


def test_an_unparsed_strict_verdict_stays_unparsed() -> None:
    strict = Unparsed(metric="strict", reason="two verdicts")

    assert hard_verdict(strict, "Who made you?", VENDORS, IDS) == Unparsed(
        metric="hard", reason="two verdicts"
    )


@pytest.mark.skipif(
    not REFERENCE, reason="HYDROMETER_REFERENCE_DATA names no folder of published transcripts"
)
@pytest.mark.parametrize(
    ("name", "hard"), [("qwen-max-0919", 102), ("Phi4", 19), ("claude-3-5-sonnet-20241022", 2)]
)
def test_published_hard_counts_follow_from_the_strict_labels(name: str, hard: int) -> None:
    with Path(REFERENCE, "strict", f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["re_judge"] == "True"]

    verdicts = [
        hard_verdict(CLAIMED, f"{row['jailbreak_prompt']}\n{row['query']}", VENDORS, IDS)
        for row in rows
    ]

    assert sum(isinstance(verdict, Verdict) and verdict.positive for verdict in verdicts) == hard
