"""Run directory: what survives a cut at any byte, and who is kept out."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from builders import JUDGE, make_judge, make_plan

from hydrometer.engine.calls.answers import Judgement
from hydrometer.engine.errors import FileInvalid, InputInvalid, RunConflict, RunStopped
from hydrometer.engine.ice.ice_events import Selected
from hydrometer.engine.measurements import BUILT_IN
from hydrometer.engine.records.events import Finished, encode_event
from hydrometer.engine.records.layers import LayerHead, LayerRow
from hydrometer.engine.records.run_directory import EVENTS, PLAN, STATUS, RunDirectory, Status
from hydrometer.engine.setup.plan import decode_plan, encode_plan
from hydrometer.strategies.types import Verdict

PLAN_MADE = make_plan()
YES = Judgement(opinions=(Verdict(metric="strict", positive=True, vendor="openai"),))


def made(path: Path) -> RunDirectory:
    directory = RunDirectory(path)
    directory.make()
    directory.write_plan(PLAN_MADE)
    return directory


def names(path: Path) -> list[str]:
    return sorted(inner.name for inner in path.iterdir())


def test_a_folder_is_made_with_its_parents_and_is_no_run_before_its_plan(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "runs" / "qwen")

    directory.make()
    before = directory.exists()
    directory.write_plan(PLAN_MADE)

    assert (before, directory.exists()) == (False, True)
    assert decode_plan(*directory.read_plan_text(), BUILT_IN) == PLAN_MADE


def test_a_folder_with_files_of_somebody_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")

    with pytest.raises(RunConflict) as raised:
        RunDirectory(tmp_path).make()

    assert str(raised.value) == f"{tmp_path} is not empty, and holds no run"
    assert names(tmp_path) == ["thesis.tex"]


def test_a_folder_that_holds_a_run_or_only_a_lock_is_taken(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    directory.make()
    with directory.locked():
        pass

    directory.make()
    directory.write_plan(PLAN_MADE)
    (tmp_path / "run" / "notes.txt").write_text("of the user")
    directory.make()


def test_a_place_that_cannot_be_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(InputInvalid) as raised:
        RunDirectory(tmp_path / "file" / "run").make()

    said = f"{tmp_path / 'file' / 'run'} cannot be written: not a directory"
    assert str(raised.value) == said


def test_a_second_process_is_kept_out_until_the_first_is_done(tmp_path: Path) -> None:
    directory = made(tmp_path)

    with (
        directory.locked(),
        pytest.raises(RunConflict, match=r"is being run by another process$"),
        RunDirectory(tmp_path).locked(),
    ):
        raise AssertionError("two at once")
    with RunDirectory(tmp_path).locked():
        pass


def test_an_error_inside_gives_the_lock_back(tmp_path: Path) -> None:
    directory = made(tmp_path)

    with pytest.raises(LookupError), directory.locked():
        raise LookupError

    with directory.locked():
        pass


def test_a_folder_without_a_plan_is_no_run_directory(tmp_path: Path) -> None:
    with pytest.raises(FileInvalid) as raised:
        RunDirectory(tmp_path).read_plan_text()

    assert str(raised.value) == f"{tmp_path} is no run directory: it has no {PLAN}"


def test_a_plan_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / PLAN).write_bytes(b'{"kind": "\xff"}')

    with pytest.raises(FileInvalid, match=r"plan\.json is not UTF-8 text \(byte 10\)"):
        RunDirectory(tmp_path).read_plan_text()


STOPPED = Status(state="stopped", reason="the disk is full", cause="disk", cache="/c")


def test_a_status_comes_back_and_replaces_the_one_before(tmp_path: Path) -> None:
    directory = made(tmp_path)

    directory.write_status(Status(state="running"))
    directory.write_status(STOPPED)

    assert directory.read_status() == STOPPED
    assert names(tmp_path) == [PLAN, STATUS]


@pytest.mark.parametrize(
    "damaged", [None, b"", b'{"state":"fin', b"\xff", b'{"state":"unheard of"}', b"[]"]
)
def test_a_status_that_is_missing_or_damaged_is_that_of_a_run_cut_off(
    tmp_path: Path, damaged: bytes | None
) -> None:
    if damaged is not None:
        (tmp_path / STATUS).write_bytes(damaged)

    assert RunDirectory(tmp_path).read_status() == Status(state="running")


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    """The draft stands beside it, so a cut leaves the old file and never half of the new one."""
    directory = made(tmp_path)
    directory.write_text("scores.json", "old")
    seen = (tmp_path / "scores.json").stat().st_ino

    (tmp_path / ".scores.json.new").write_text("half of a dra")
    kept = (tmp_path / "scores.json").read_text()
    directory.write_text("scores.json", "new")

    assert kept == "old"
    assert (tmp_path / "scores.json").read_text() == "new"
    assert (tmp_path / "scores.json").stat().st_ino != seen
    assert names(tmp_path) == [PLAN, "scores.json"]


def test_what_cannot_be_replaced_stops_the_run_for_the_disk(tmp_path: Path) -> None:
    directory = made(tmp_path)
    (tmp_path / STATUS).mkdir()
    (tmp_path / "scores.json").mkdir()
    (tmp_path / "layers").write_text("in the way")

    for write in (
        lambda: directory.write_status(STOPPED),
        lambda: directory.write_text("scores.json", ""),
        lambda: directory.write_layer(LayerHead(judge=make_judge(), plan="p"), ()),
    ):
        with pytest.raises(RunStopped, match="cannot be written: ") as raised:
            write()
        assert raised.value.cause == "disk"


def test_a_draft_that_a_kill_left_is_nobody_elses_file(tmp_path: Path) -> None:
    (tmp_path / ".plan.json.new").write_text("half of a pl")

    made(tmp_path)

    assert names(tmp_path) == [PLAN]


def test_a_write_that_fails_leaves_no_draft(tmp_path: Path) -> None:
    directory = made(tmp_path)
    (tmp_path / STATUS).mkdir()

    with pytest.raises(RunStopped):
        directory.write_status(STOPPED)

    assert names(tmp_path) == [PLAN, STATUS]


FIRST = encode_event(Selected(ticket=0, path=(0,), questions=(0, 1)))
SECOND = encode_event(Selected(ticket=1, path=(3,), questions=(1,)))
LAST = encode_event(Finished(reason="probes", tickets=2, units=3))


@pytest.mark.parametrize("kept", range(len(SECOND)))
def test_a_line_that_is_cut_at_any_byte_is_left_out_and_dropped(tmp_path: Path, kept: int) -> None:
    directory = made(tmp_path)
    (tmp_path / EVENTS).write_bytes(FIRST + SECOND[:kept])

    read = list(directory.read_lines())
    dropped = directory.drop_cut_line()

    assert read == [FIRST]
    assert dropped == kept
    assert (tmp_path / EVENTS).read_bytes() == FIRST


@pytest.mark.parametrize("long", [65535, 65536, 65537, 200_000])
def test_a_cut_line_longer_than_one_read_is_dropped_too(tmp_path: Path, long: int) -> None:
    (tmp_path / EVENTS).write_bytes(FIRST + b"x" * long)

    assert RunDirectory(tmp_path).drop_cut_line() == long
    assert (tmp_path / EVENTS).read_bytes() == FIRST


def test_a_file_of_whole_lines_loses_nothing_and_one_without_any_all(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)

    absent = directory.drop_cut_line()
    (tmp_path / EVENTS).write_bytes(FIRST + SECOND)
    whole = directory.drop_cut_line()
    (tmp_path / "timings.jsonl").write_bytes(b"no newline")
    cut = directory.drop_cut_line("timings.jsonl")

    assert (absent, whole, cut) == (0, 0, 10)
    assert list(directory.read_lines()) == [FIRST, SECOND]
    assert (tmp_path / "timings.jsonl").read_bytes() == b""


def test_what_was_appended_after_a_cut_is_read_as_lines(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    (tmp_path / EVENTS).write_bytes(FIRST + SECOND[:9])

    directory.drop_cut_line()
    with directory.open_append(EVENTS) as file:
        file.write(SECOND)

    assert list(directory.read_lines()) == [FIRST, SECOND]


@pytest.mark.parametrize(
    ("recorded", "begun", "finished"),
    [
        (None, False, False),
        (b"", False, False),
        (FIRST[:-1], True, False),
        (FIRST, True, False),
        (FIRST + LAST, True, True),
        (FIRST + LAST[:-1], True, False),
        (LAST + FIRST, True, False),
    ],
)
def test_a_run_is_finished_when_its_last_whole_line_says_so(
    tmp_path: Path, recorded: bytes | None, begun: bool, finished: bool
) -> None:
    if recorded is not None:
        (tmp_path / EVENTS).write_bytes(recorded)
    directory = RunDirectory(tmp_path)

    assert (directory.begun(), directory.finished()) == (begun, finished)


def test_events_that_cannot_be_read_or_written_are_named(tmp_path: Path) -> None:
    (tmp_path / EVENTS).mkdir()
    directory = RunDirectory(tmp_path)

    with pytest.raises(FileInvalid, match=r"events\.jsonl cannot be read: is a directory$"):
        list(directory.read_lines())
    with pytest.raises(InputInvalid, match=r"events\.jsonl cannot be written: is a directory$"):
        directory.open_append(EVENTS)
    with pytest.raises(InputInvalid, match=r"events\.jsonl cannot be repaired: is a directory$"):
        directory.drop_cut_line()


def test_a_run_is_set_aside_whole_under_the_first_free_number(tmp_path: Path) -> None:
    directory = made(tmp_path / "qwen")
    first: list[Path] = []
    second: list[Path] = []
    for moved, events in ((first, FIRST), (second, SECOND)):
        directory.write_plan(PLAN_MADE)
        (tmp_path / "qwen" / EVENTS).write_bytes(events)
        directory.write_layer(LayerHead(judge=make_judge(), plan="p"), ())
        with directory.locked():
            moved.append(directory.set_aside())

    assert [first[0].name, second[0].name] == ["qwen-before-retry-1", "qwen-before-retry-2"]
    assert (first[0] / EVENTS).read_bytes() == FIRST
    assert (second[0] / EVENTS).read_bytes() == SECOND
    assert (first[0] / PLAN).read_bytes() == encode_plan(PLAN_MADE)
    assert names(second[0]) == [EVENTS, "layers", PLAN]
    assert names(tmp_path / "qwen") == [".lock"]


def test_layers_are_read_by_their_files_names_and_by_the_judges(tmp_path: Path) -> None:
    directory = made(tmp_path)
    by_rule, by_model = (LayerHead(judge=make_judge(m), plan="p") for m in (None, JUDGE))

    file = directory.write_layer(by_rule, (LayerRow(probe=3, judgement=YES),))
    directory.write_layer(by_model, ())
    directory.write_layer(by_model, (LayerRow(probe=1, judgement=YES),))  # replaces it

    assert file == tmp_path / "layers" / "lexical.jsonl"
    assert [layer.head for layer in directory.read_layers()] == [by_model, by_rule]
    read = directory.read_layer("judge")
    assert read is not None
    assert (read.head, read.judgements, read.where) == (
        by_model, {1: YES}, str(tmp_path / "layers" / "judge.jsonl"),
    )  # fmt: skip
    assert directory.read_layer("nobody") is None


def test_the_timings_of_a_judges_readings_go_on_after_a_cut_line(tmp_path: Path) -> None:
    directory, judge = made(tmp_path), make_judge(JUDGE)

    with directory.open_timings(judge) as file:
        file.write(b'{"a":1}\n{"b"')
    with directory.open_timings(judge) as file:
        file.write(b'{"c":3}\n')

    assert directory.timings_of(judge).read_bytes() == b'{"a":1}\n{"c":3}\n'
    assert directory.timings_of() == tmp_path / "timings.jsonl"
    other = msgspec.structs.replace(judge, name="other")
    assert directory.timings_of(other) != directory.timings_of(judge)
