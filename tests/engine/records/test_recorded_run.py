"""Recorded run: what is there comes back, and what is damaged or strange is named by its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from builders import JUDGE, make_judge, make_plan, make_rse_plan, play_search
from coin_toss import COIN, CoinPlan, Tossed

from hydrometer.engine.calls.answers import CallFailed, Judgement
from hydrometer.engine.errors import FileInvalid
from hydrometer.engine.ice.ice_events import Probed
from hydrometer.engine.measurement import Measurements
from hydrometer.engine.measurements import BUILT_IN
from hydrometer.engine.records.events import Event, Finished, encode_event
from hydrometer.engine.records.layers import LayerHead, LayerRow
from hydrometer.engine.records.recorded_run import RecordedRun
from hydrometer.engine.records.run_directory import EVENTS, PLAN, RunDirectory, Status
from hydrometer.engine.records.timings import Timing
from hydrometer.engine.setup.plan import Plan, plan_digest

MADE = make_plan(judge=JUDGE)
PLAYED = play_search(MADE)


def write(path: Path, *events: Event, plan: Plan = MADE) -> RunDirectory:
    directory = RunDirectory(path)
    directory.make()
    directory.write_plan(plan)
    (path / EVENTS).write_bytes(b"".join(map(encode_event, events)))
    return directory


def read(path: Path) -> RecordedRun[Any]:
    return RecordedRun(path, BUILT_IN)


def refusal(path: Path) -> str:
    with pytest.raises(FileInvalid) as raised:
        list(read(path).events())
    return str(raised.value)


def test_a_run_comes_back_with_its_plan_its_measurement_and_its_events(tmp_path: Path) -> None:
    directory = write(tmp_path / "qwen", *PLAYED)
    directory.write_status(Status(state="finished", cache="/c"))

    run = read(tmp_path / "qwen")

    assert (run.name, run.plan, run.measurement) == ("qwen", MADE, BUILT_IN.of(MADE))
    assert list(run.events()) == PLAYED
    assert list(run.events()) == PLAYED  # again, from the start
    assert run.status == Status(state="finished", cache="/c")
    assert run.finished


def test_a_run_is_called_as_its_folder_however_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "qwen")
    monkeypatch.chdir(tmp_path / "qwen")

    assert read(Path()).name == "qwen"


def test_a_run_of_another_measurement_has_its_types(tmp_path: Path) -> None:
    write(tmp_path / "a", Finished(reason="prompts", tickets=1, units=1), plan=make_rse_plan())
    plan = CoinPlan(target=MADE.target)
    write(tmp_path / "b", Tossed(ticket=0, side="heads"), plan=plan)

    coin: RecordedRun[Any] = RecordedRun(tmp_path / "b", Measurements((COIN,)))

    assert read(tmp_path / "a").measurement.kind == "rse"
    assert (coin.plan, list(coin.events())) == (plan, [Tossed(ticket=0, side="heads")])


def test_a_folder_without_a_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileInvalid, match=r"is no run directory: it has no plan\.json$"):
        read(tmp_path)


def test_a_run_of_an_unknown_kind_is_refused_by_name_and_file(tmp_path: Path) -> None:
    write(tmp_path, plan=CoinPlan(target=MADE.target))

    with pytest.raises(FileInvalid) as raised:
        read(tmp_path)

    assert str(raised.value) == (
        f"{tmp_path / PLAN} is of kind 'coin', which is unknown here; known: ice, rse"
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"type":"compared","ticket":0}', "Invalid value 'compared' - at `$.type`"),
        (b'{"type":"dreamt","ticket":0}', "Invalid value 'dreamt' - at `$.type`"),
        (b'{"ticket":0}', "Object missing required field `type`"),
        (b'{"type":"selected","ticket":0,"path":[0]}', "missing required field `questions`"),
        (b'{"type":"selected","ticket":"0","path":[0],"questions":[]}', "Expected `int`"),
        (b'{"type":"sel', "JSON is malformed: invalid character (byte 12)"),
        (b"", "Input data was truncated"),
        (b"null", "Expected `object`, got `null`"),
        (b'{"type":"selected\xff"}', ""),
    ],
)
def test_a_line_that_is_no_event_of_this_measurement_is_named_with_its_number(
    tmp_path: Path, line: bytes, said: str
) -> None:
    directory = write(tmp_path, *PLAYED[:2])
    with directory.open_append(EVENTS) as file:
        file.write(line + b"\n" + encode_event(PLAYED[2]))

    found = refusal(tmp_path)

    assert found.startswith(f"{tmp_path / EVENTS}:3: not an event: ")
    assert said in found
    assert "\n" not in found


def test_events_before_a_damaged_line_are_read(tmp_path: Path) -> None:
    directory = write(tmp_path, *PLAYED[:2])
    with directory.open_append(EVENTS) as file:
        file.write(b"{}\n")
    events = read(tmp_path).events()

    assert [next(events), next(events)] == PLAYED[:2]
    with pytest.raises(FileInvalid):
        next(events)


def test_a_last_line_that_is_cut_is_not_an_event_yet(tmp_path: Path) -> None:
    directory = write(tmp_path, *PLAYED)
    whole = (tmp_path / EVENTS).read_bytes()
    (tmp_path / EVENTS).write_bytes(whole[:-3])

    run = read(tmp_path)

    assert list(run.events()) == PLAYED[:-1]
    assert run.finished is False
    assert directory.finished() is False


def test_a_run_without_events_has_none(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.write_plan(MADE)

    run = read(tmp_path)

    assert (list(run.events()), run.failures(), run.layers(), run.finished) == ([], {}, {}, False)
    assert run.status == Status(state="running")


def test_failures_of_every_event_are_found_by_key(tmp_path: Path) -> None:
    lost, unjudged = (
        CallFailed(role=role, key=role, error="RequestRejected", message="m")
        for role in ("target", "judge")
    )
    probed = next(event for event in PLAYED if isinstance(event, Probed))
    write(
        tmp_path,
        msgspec.structs.replace(probed, outcome=lost),
        msgspec.structs.replace(probed, judgement=Judgement(failures=(unjudged,))),
    )

    assert read(tmp_path).failures() == {"target": lost, "judge": unjudged}


def test_layers_are_found_by_their_judges(tmp_path: Path) -> None:
    directory = write(tmp_path, *PLAYED)
    head = LayerHead(judge=make_judge(), plan=plan_digest(MADE))
    directory.write_layer(head, (LayerRow(probe=0, judgement=Judgement()),))

    layers = read(tmp_path).layers()

    assert list(layers) == ["lexical"]
    assert (layers["lexical"].head, layers["lexical"].judgements) == (head, {0: Judgement()})


def test_a_layer_of_another_run_is_refused_by_its_file(tmp_path: Path) -> None:
    directory = write(tmp_path, *PLAYED)
    other = plan_digest(make_plan(seed=8))
    file = directory.write_layer(LayerHead(judge=make_judge(), plan=other), ())

    with pytest.raises(FileInvalid) as raised:
        read(tmp_path).layers()

    assert str(raised.value) == f"{file} is a layer of another run"


def test_a_damaged_layer_is_named_with_its_line(tmp_path: Path) -> None:
    directory = write(tmp_path, *PLAYED)
    file = directory.write_layer(LayerHead(judge=make_judge(), plan=plan_digest(MADE)), ())
    file.write_bytes(file.read_bytes() + b'{"type":"reread","probe":-1,"judgement":{}}\n')

    with pytest.raises(FileInvalid, match=r"lexical\.jsonl:2: not a line of a layer: "):
        read(tmp_path).layers()


def test_models_that_answered_under_two_ids_are_found_in_the_timings(tmp_path: Path) -> None:
    directory = write(tmp_path, *PLAYED)
    rows = (("qwen", "qwen-1"), ("qwen", "qwen-2"), ("helper", "h"), ("helper", "h"), ("x", ""))
    with directory.open_append("timings.jsonl") as file:
        for pool, model in rows:
            file.write(msgspec.json.encode(Timing(pool=pool, source="sent", model=model)) + b"\n")
        file.write(b'{"pool":"helper","source":"se')  # what kill -9 left

    assert set(read(tmp_path).changed_models()) == {"qwen"}
    assert set(read(tmp_path).changed_models(make_judge(JUDGE))) == set()
