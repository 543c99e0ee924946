"""Plans: their file, their digest, and what a message says of two that differ."""

from __future__ import annotations

import msgspec
import pytest
from builders import HELPER, JUDGE, make_judge, make_plan, make_refining, make_rse_plan, make_set
from coin_toss import COIN, CoinPlan

from hydrometer.engine.errors import FileInvalid
from hydrometer.engine.measurement import Measurements
from hydrometer.engine.measurements import BUILT_IN
from hydrometer.engine.setup.plan import (
    PLAN_VERSION,
    Plan,
    decode_plan,
    describe_difference,
    encode_plan,
    first_difference,
    plan_digest,
)
from hydrometer.providers.types import Sampling

MADE = make_plan(judge=JUDGE)


def refusal(data: bytes) -> str:
    with pytest.raises(FileInvalid) as raised:
        decode_plan(data, "r/plan.json", BUILT_IN)
    said = str(raised.value)
    assert "\n" not in said
    return said


def test_a_plan_is_read_with_the_type_of_its_kind() -> None:
    plan = CoinPlan(target=MADE.target, tosses=3)

    assert decode_plan(encode_plan(plan), "p", Measurements((*BUILT_IN, COIN))) == plan


def test_an_unknown_kind_is_refused_by_name() -> None:
    assert refusal(encode_plan(CoinPlan(target=MADE.target))) == (
        "r/plan.json is of kind 'coin', which is unknown here; known: ice, rse"
    )


@pytest.mark.parametrize("version", [0, 1, PLAN_VERSION + 1])
def test_another_version_is_refused_before_anything_else_is_read(version: int) -> None:
    data = msgspec.json.encode({"version": version, "kind": "unheard of", "new": True})

    assert refusal(data) == f"r/plan.json has plan version {version}, this is {PLAN_VERSION}"


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"version": 2}',
        b'{"version": 2, "kind": "ice"}',
        encode_plan(MADE)[:-5],
        encode_plan(MADE).replace(b'"window": 4', b'"window": "4"'),
        encode_plan(MADE).replace(b'"window": 4', b'"window": 4, "extra": 1'),
        encode_plan(MADE).replace(b'"temperature": 1.0', b'"temperature": -1.0'),
    ],
)
def test_what_is_no_plan_is_refused_with_its_file(damaged: bytes) -> None:
    assert damaged != encode_plan(MADE)
    assert refusal(damaged).startswith("r/plan.json is not a plan of this version: ")


def test_a_plan_that_asks_nothing_is_refused() -> None:
    replace = msgspec.structs.replace

    for empty in (replace(MADE, questions=()), replace(MADE, templates=())):
        assert refusal(encode_plan(empty)) == "r/plan.json has no questions or no templates"
    assert refusal(encode_plan(replace(make_rse_plan(), sets=()))) == "r/plan.json has no prompts"


def test_the_same_plan_has_the_same_bytes_and_digest_and_another_has_others() -> None:
    again, other = make_plan(judge=JUDGE), make_plan(judge=JUDGE, seed=8)

    assert encode_plan(again) == encode_plan(MADE)
    assert encode_plan(MADE).endswith(b"}\n")
    assert plan_digest(again) == plan_digest(MADE)
    assert plan_digest(other) != plan_digest(MADE)
    assert len(plan_digest(MADE)) == 32


WARMER = msgspec.structs.replace(HELPER, sampling=Sampling(temperature=1.5))
LONG = msgspec.structs.replace(JUDGE, system="x" * 200)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (make_plan(judge=JUDGE, seed=8), "seed is 7 there and 8 here"),
        (make_plan(judge=JUDGE, window=1, probes=9), "window is 4 there and 1 here"),
        (
            make_plan(judge=WARMER),
            'judge.name is "judge" there and "helper" here',
        ),
        (
            make_plan(),
            'judge.name is "judge" there and "lexical" here',
        ),
        (
            make_plan(judge=LONG),
            f'judge.model.system is "" there and "{"x" * 76}... here',
        ),
        (make_rse_plan(), "kind is ice there and rse here"),
    ],
)
def test_the_first_difference_is_a_setting_with_both_values(wanted: Plan, said: str) -> None:
    assert first_difference(MADE, wanted) == said


def test_texts_that_differ_are_counted_and_told_apart() -> None:
    fewer = msgspec.structs.replace(MADE, questions=MADE.questions[1:])
    turned = msgspec.structs.replace(MADE, questions=MADE.questions[::-1])

    for other, count in ((fewer, 3), (turned, 4)):
        there, here = (
            first_difference(MADE, other).removeprefix("questions is ").split(" there and ")
        )
        assert there.startswith("4 entries (")
        assert here.startswith(f"{count} entries (")
        assert there != here.removesuffix(" here")


def test_searches_of_two_kinds_are_shown_as_they_are() -> None:
    said = first_difference(MADE, make_plan(judge=JUDGE, search=make_refining()))

    assert said.startswith('search is {"kind":"mcts",')
    assert ' there and {"kind":"refine",' in said


def test_a_difference_can_start_at_any_path() -> None:
    one, other = make_judge(JUDGE), make_judge(msgspec.structs.replace(JUDGE, identity="fake:x"))

    assert describe_difference("judge", one, other) == (
        'judge.model.identity is "fake:judge" there and "fake:x" here'
    )


def test_the_words_of_a_measurement_come_before_those_of_the_first_difference() -> None:
    one, other = make_rse_plan(make_set("a", "1")), make_rse_plan(make_set("a", "1", "2"))
    rse = BUILT_IN.of(one)

    assert rse.difference(one, other) == (
        "the set a of rse.prompts has changed: 1 prompts there, 2 here"
    )
    assert rse.difference(one, make_rse_plan(make_set("a", "1"), judge_draws=2)) == ""
