"""Layers: one file a judge, whole or refused."""

from __future__ import annotations

import msgspec
import pytest
from builders import JUDGE, make_judge, make_plan

from hydrometer.engine.calls.answers import Answer, CallFailed, Judgement
from hydrometer.engine.errors import FileInvalid
from hydrometer.engine.ice.ice_events import Probed, Taken
from hydrometer.engine.ice.ice_fold import find_rescore_items, fold_layer
from hydrometer.engine.records.events import Event, Finished
from hydrometer.engine.records.layers import (
    Layer,
    LayerHead,
    LayerRow,
    decode_layer,
    encode_layer,
    layer_file,
    reading_file,
)
from hydrometer.engine.setup.plan import PlannedJudge, PlannedStrategy
from hydrometer.providers.types import FinishReason
from hydrometer.scoring.probe_table import Counts, ProbeTable
from hydrometer.strategies.types import Unparsed, Verdict

HEAD = LayerHead(judge=make_judge(), plan="0123")
YES = Judgement(opinions=(Verdict(metric="strict", positive=True, vendor="openai"),), keys=("k",))
NO = Judgement(opinions=(Verdict(metric="strict", positive=False),))
LABELLED = LayerHead(
    judge=PlannedJudge(
        name="labels", rules=PlannedStrategy(name="labels", version="1"), metrics=("strict",)
    ),
    plan="0123",
)
LOST = Judgement(failures=(CallFailed(role="judge", key="x", error="E", message="m"),))
UNREAD = Judgement(opinions=(Unparsed(metric="strict", reason="?"),))


def lines(*rows: LayerRow, head: LayerHead = HEAD) -> list[bytes]:
    return list(encode_layer(head, rows))


def probed(
    outcome: Answer | CallFailed | None = None, *, question: int = 0, judgement: Judgement = NO
) -> Probed:
    return Probed(
        ticket=0,
        template=0,
        question=question,
        outcome=outcome or Answer(key="k", text="t", finish="stop"),
        judgement=judgement,
    )


def answer(finish: FinishReason = "stop", refusal: str = "") -> Answer:
    return Answer(key="k", text="t", finish=finish, refusal=refusal)


FAILED = CallFailed(role="target", key="k", error="E", message="m")


def test_a_layer_comes_back_as_it_was_written() -> None:
    rows = [LayerRow(probe=0, judgement=YES), LayerRow(probe=7, judgement=LOST)]

    layer = decode_layer(lines(*rows), "f")

    assert layer.head == HEAD
    assert layer.judgements == {0: YES, 7: LOST}


def test_a_layer_may_have_judged_nothing() -> None:
    assert decode_layer(lines(), "f").judgements == {}


GOOD = lines(LayerRow(probe=0, judgement=YES), LayerRow(probe=1, judgement=NO))


@pytest.mark.parametrize(
    ("damaged", "said"),
    [
        ([], "f is empty"),
        ([GOOD[1]], "f:1: a layer has one head, on its first line"),
        ([GOOD[0], GOOD[1], GOOD[0]], "f:3: a layer has one head, on its first line"),
        ([GOOD[0], GOOD[1][:-5]], "f:2: not a line of a layer: "),
        ([GOOD[0], b"\n"], "f:2: not a line of a layer: "),
        ([GOOD[0], b'{"type":"probed"}\n'], "f:2: not a line of a layer: "),
        ([GOOD[0], GOOD[1].replace(b"openai", b"open\xff")], "f:2: not a line of a layer: "),
        ([GOOD[0].replace(b'"strict"', b'"sincere"')], "f:1: not a line of a layer: "),
        ([*GOOD, GOOD[1]], "f:4: probe 0 was judged on a line before"),
        ([*GOOD, GOOD[1].replace(b":0", b":-1")], "f:4: not a line of a layer: "),
    ],
)
def test_a_damaged_layer_is_named_by_its_line(damaged: list[bytes], said: str) -> None:
    with pytest.raises(FileInvalid) as raised:
        decode_layer(damaged, "f")

    assert str(raised.value).startswith(said)


@pytest.mark.parametrize(("head", "unread"), [(HEAD, 1), (LABELLED, 0)])
def test_an_answer_without_a_verdict_is_unread_unless_people_were_to_label_it(
    head: LayerHead, unread: int
) -> None:
    events: list[Event] = [
        Taken(ticket=0, template=0, node=0),
        probed(judgement=YES),
        probed(FAILED),
        probed(answer("content_filter")),
        probed(answer("length")),
        probed(answer(refusal="no")),
        probed(),
        probed(),
        probed(),
        probed(judgement=YES),
        Finished(reason="probes", tickets=1, units=9),
    ]
    layer = Layer(head, {0: NO, 5: YES, 6: LOST, 7: UNREAD})

    counts = ProbeTable(fold_layer(events, layer)).counts("strict")

    assert counts == Counts(
        positives=1, judged=2, failed=2, refused=2, truncated=1, unparsed=1, unread=unread
    )
    assert counts.probes == 8 + unread
    assert counts.missing == 6 + unread


def test_a_verdict_on_a_probe_that_the_run_does_not_have_is_named_by_its_line() -> None:
    rows = [LayerRow(probe=probe, judgement=YES) for probe in (1, 50000, 0, 50001)]
    layer = decode_layer(lines(*rows), "f")

    with pytest.raises(FileInvalid, match=r"^f:3: the run has no probe 50000, its last is 1$"):
        list(fold_layer([probed(), probed()], layer))


def test_a_verdict_on_what_is_no_answer_does_not_count() -> None:
    layer = Layer(HEAD, {0: YES, 1: YES})

    counts = ProbeTable(fold_layer([probed(FAILED), probed(answer("length"))], layer)).counts(
        "strict"
    )

    assert counts == Counts(positives=0, judged=0, failed=1, refused=0, truncated=1, unparsed=0)


@pytest.mark.parametrize(
    ("outcome", "can"),
    [
        (answer(), True),
        (Answer(key="k", text="", finish="stop"), True),
        (answer("other"), True),
        (answer("length"), False),
        (answer("content_filter"), False),
        (answer(refusal="no"), False),
        (FAILED, False),
    ],
)
def test_what_a_judge_could_read(outcome: Answer | CallFailed, can: bool) -> None:
    (item,) = find_rescore_items(
        make_plan(), (Taken(ticket=0, template=0, node=0), probed(outcome))
    )

    assert (item.case is not None) is can


NAMES = [
    "lexical",
    "gpt-4o.mini_2",
    "a/b",
    "a b",
    "a-b",
    "../../etc/passwd",
    "..",
    ".",
    ".hidden",
    "",
    "-",
    "法官",
    "法判",
    "a\nb",
    "lexical\n",
    "LEXICAL",
    "Lexical",
    "x" * 40 + "/" + "y" * 40,
    "a\x00b",
]


def test_every_judge_has_a_file_of_its_own_inside_the_folder() -> None:
    files = [layer_file(name) for name in NAMES]

    assert len({file.casefold() for file in files}) == len(NAMES)  # disks may not tell cases apart
    assert files[:2] == ["lexical.jsonl", "gpt-4o.mini_2.jsonl"]
    for file in files:
        assert file.endswith(".jsonl")
        assert not file.startswith(".")
        assert not {"/", "\\", "\x00", "\n", " "} & set(file)


def test_readings_of_two_judges_are_timed_apart_even_under_one_name() -> None:
    by_rule, by_model = make_judge(), make_judge(JUDGE)
    same_name = msgspec.structs.replace(by_model, name=by_rule.name)

    files = [reading_file(judge) for judge in (by_rule, by_model, same_name)]

    assert len(set(files)) == 3
    assert files[0].startswith("lexical-")
    assert reading_file(make_judge()) == files[0]
