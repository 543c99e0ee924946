"""Measurements: the closed list, and that the types of each survive their files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from builders import EMBEDDER, JUDGE, make_plan, make_refining, make_rse_plan, play_search
from coin_toss import COIN, CoinPlan

from hydrometer.engine.calls.answers import Answer, CallFailed
from hydrometer.engine.errors import FileInvalid, InputInvalid
from hydrometer.engine.ice.ice_events import NoMutant, Rejection
from hydrometer.engine.ice.ice_plan import Imported, StaticSearch
from hydrometer.engine.measurement import Measurement, Measurements
from hydrometer.engine.measurements import BUILT_IN
from hydrometer.engine.records.events import FINISHED_START, Event, Finished, encode_event
from hydrometer.engine.rse.rse_events import Answers, Compared, Embedded, Graded, RseStarted
from hydrometer.engine.setup.config import parse_config
from hydrometer.engine.setup.plan import Plan, decode_plan, encode_plan, plan_digest
from hydrometer.strategies.similarity.similarity_types import Grades, Unreadable

FAILED = CallFailed(role="judge", key="k", error="RequestRejected", message="status 400")
SIDE = Answers(answers=(Answer(key="k", text="Rain\u2028 is", finish="stop"),))
COMPARED = Compared(
    ticket=0,
    set="general",
    prompt=0,
    target=SIDE,
    reference=FAILED,
    gradings=(
        Graded(order="reference-first", draw=0, grading=Grades(style=4.0, logic=5.0, content=3.0)),
        Graded(order="target-first", draw=1, grading=Unreadable(reason="?"), keys=("k",)),
        Graded(order="target-first", draw=2, grading=None, failure=FAILED),
    ),
    embedded=Embedded(cosine=0.25, keys=("a", "b")),
    again=SIDE,
    ceiling=(Graded(order="reference-first", draw=0, grading=None),),
    ceiling_embedded=Embedded(cosine=None, failures=(FAILED,)),
)
PLANS: dict[str, tuple[Plan, ...]] = {
    "ice": (
        make_plan(),
        make_plan(judge=JUDGE),
        make_plan(search=make_refining()),
        make_plan(search=StaticSearch()),
        make_plan(search=Imported(source="digest")),
    ),
    "rse": (make_rse_plan(), make_rse_plan(ceiling=True, structured=True, embedder=EMBEDDER)),
}
EVENTS: dict[str, tuple[Event, ...]] = {
    "ice": (
        *play_search(make_plan()),
        *play_search(make_plan(search=StaticSearch())),
        NoMutant(
            ticket=0,
            rejections=(Rejection(mutator="similar", fault="call-failed", failure=FAILED),),
        ),
    ),
    "rse": (
        RseStarted(plan="d", target="qwen", reference="gpt", judge="judge", prompts=1),
        COMPARED,
        Finished(reason="prompts", tickets=1, units=1),
    ),
}

built_in = pytest.mark.parametrize("measurement", tuple(BUILT_IN), ids=lambda m: m.kind)


def tags(measurement: Measurement[Any]) -> list[object]:
    return [kind.__struct_config__.tag for kind in get_args(measurement.events)]


def test_the_built_in_measurements_are_these_in_this_order() -> None:
    assert BUILT_IN.kinds == ("ice", "rse")
    assert [measurement.unit for measurement in BUILT_IN] == ["probes", "prompts"]


def test_no_two_measurements_share_a_kind_a_table_a_plan_or_an_event() -> None:
    parts = [
        (m.kind, m.table, m.plan, *(kind for kind in get_args(m.events) if kind is not Finished))
        for m in BUILT_IN
    ]

    counts = Counter(part for each in parts for part in each)

    assert set(counts.values()) == {1}


@built_in
def test_event_types_have_tags_of_their_own_under_one_key(measurement: Measurement[Any]) -> None:
    kinds = get_args(measurement.events)

    assert len(set(tags(measurement))) == len(kinds)
    assert {kind.__struct_config__.tag_field for kind in kinds} == {"type"}
    assert all(issubclass(kind, Event) for kind in kinds)
    assert Finished in kinds


def test_tags_of_events_are_unique_over_all_measurements_but_for_the_last_event() -> None:
    counts = Counter(tag for measurement in BUILT_IN for tag in tags(measurement))

    assert counts.pop("finished") == 2
    assert set(counts.values()) == {1}


@built_in
def test_every_event_survives_its_line_and_every_type_is_tried(
    measurement: Measurement[Any],
) -> None:
    events = EVENTS[measurement.kind]
    decoder = msgspec.json.Decoder(measurement.events)

    assert [decoder.decode(encode_event(event)) for event in events] == list(events)
    assert {type(event) for event in events} == set(get_args(measurement.events))
    assert all(encode_event(event).count(b"\n") == 1 for event in events)


@built_in
def test_every_kind_of_plan_survives_its_file(measurement: Measurement[Any]) -> None:
    for plan in PLANS[measurement.kind]:
        again = decode_plan(encode_plan(plan), "plan.json", BUILT_IN)

        assert again == plan
        assert encode_plan(again) == encode_plan(plan)
        assert plan_digest(again) == plan_digest(plan)
        assert BUILT_IN.of(plan) is measurement


@built_in
def test_the_table_has_defaults_and_survives_its_text(measurement: Measurement[Any]) -> None:
    table = measurement.table()

    again = msgspec.convert(msgspec.to_builtins(table), measurement.table)

    assert again == table
    assert measurement.table.__struct_config__.forbid_unknown_fields
    assert measurement.table.__struct_config__.frozen
    assert not measurement.in_use(table)


@built_in
def test_a_plan_is_closed_frozen_and_of_its_measurements_kind(
    measurement: Measurement[Any],
) -> None:
    assert measurement.plan.__struct_config__.forbid_unknown_fields
    assert measurement.plan.__struct_config__.frozen
    assert get_args(get_type_hints(measurement.plan)["kind"]) == (measurement.kind,)
    assert all(isinstance(plan, measurement.plan) for plan in PLANS[measurement.kind])


@built_in
def test_each_has_what_a_command_shows(measurement: Measurement[Any]) -> None:
    plan = PLANS[measurement.kind][0]

    assert measurement.help.partition("\n")[0].endswith(".")
    assert plan.target.name in measurement.title(plan)
    counts = measurement.counts(plan)
    assert (counts.units, dict(counts.states)) == (0, {})


def test_only_searches_that_ran_can_be_replayed() -> None:
    ice = BUILT_IN.named("ice", "the test")

    reasons = [ice.not_replayable(plan) for plan in PLANS["ice"]]

    assert reasons == [""] * 4 + ["was imported, and no call was made"]


def test_the_start_of_a_finished_event_is_that_of_its_line() -> None:
    assert encode_event(Finished(reason="probes", tickets=1, units=2)) == (
        FINISHED_START + b',"reason":"probes","tickets":1,"probes":2}\n'
    )


def test_an_unknown_kind_is_named_with_where_it_stood_and_what_is_known() -> None:
    with pytest.raises(FileInvalid) as raised:
        BUILT_IN.named("panel", "runs/x/plan.json")

    assert str(raised.value) == (
        "runs/x/plan.json is of kind 'panel', which is unknown here; known: ice, rse"
    )


def test_a_plan_of_another_list_is_refused() -> None:
    plan = CoinPlan(target=make_plan().target)

    with pytest.raises(FileInvalid, match=r"^the plan is of kind 'coin', which is unknown here"):
        BUILT_IN.of(plan)
    assert Measurements((*BUILT_IN, COIN)).of(plan) is COIN


def test_a_measurement_beside_the_built_in_ones_has_a_table_of_its_own(tmp_path: Path) -> None:
    config = parse_config("[coin]\ntosses = 3\n", "c.toml", Measurements((*BUILT_IN, COIN)))

    assert config.table(COIN.table).tosses == 3


def test_two_measurements_of_one_kind_are_refused() -> None:
    (first, *_) = BUILT_IN

    with pytest.raises(InputInvalid, match="two measurements are of kind 'ice'"):
        Measurements((first, first))
