"""Event log: the check that makes a replay a proof, and a resumed run the same run."""

from __future__ import annotations

import errno
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hydrometer.engine.errors import EventsDiffer, RecordingEnded
from hydrometer.engine.ice.ice_events import Selected
from hydrometer.engine.records.event_log import EventLog, write_all
from hydrometer.engine.records.events import Event, Finished, encode_event

EVENTS: tuple[Event, ...] = (
    Selected(ticket=0, path=(0,), questions=(0, 1)),
    Selected(ticket=1, path=(1,), questions=(2, 3)),
    Selected(ticket=2, path=(2,), questions=(1, 3)),
    Finished(reason="probes", tickets=3, units=6),
)
LINES = tuple(encode_event(event) for event in EVENTS)


class FullDisk(io.BytesIO):
    """Takes *room* bytes, then has no space left."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, data: Any, /) -> int:
        if self.room == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = super().write(data[: self.room])
        self.room -= taken
        return taken


def replaying(lines: Sequence[bytes] = LINES) -> EventLog:
    return EventLog(iter(lines), None)


def test_a_replay_that_gives_every_recorded_byte_again_ends_well() -> None:
    log = replaying()

    log.write(EVENTS[:2])
    log.write(EVENTS[2:])
    log.finish()

    assert (log.compared, log.at_end()) == (4, True)


@pytest.mark.parametrize("at", range(4))
def test_one_byte_that_differs_is_found_at_its_event(at: int) -> None:
    line = bytearray(LINES[at])
    line[-4] ^= 1
    log = replaying((*LINES[:at], bytes(line), *LINES[at + 1 :]))

    with pytest.raises(EventsDiffer, match=rf"^event {at + 1} differs: recorded ") as raised:
        log.write(EVENTS)

    assert raised.value.line == at + 1
    assert log.compared == at


def test_a_difference_shows_both_sides_around_the_first_byte_that_differs() -> None:
    other = encode_event(Selected(ticket=1, path=(7,), questions=(2, 3)))

    with pytest.raises(EventsDiffer) as raised:
        replaying((LINES[0], other)).write(EVENTS)

    recorded, _, replayed = str(raised.value).partition(", replayed ")
    assert '"path":[7]' in recorded
    assert '"path":[1]' in replayed


@pytest.mark.parametrize(
    "recorded", [LINES[1][:-1], LINES[1][:10], LINES[1] + b"x", b" " + LINES[1], b"\n", b"\xff\n"]
)
def test_a_line_that_is_cut_longer_or_no_text_differs(recorded: bytes) -> None:
    log = replaying((LINES[0], recorded, *LINES[2:]))

    with pytest.raises(EventsDiffer, match=r"^event 2 differs: "):
        log.write(EVENTS)


def test_events_in_another_order_differ() -> None:
    with pytest.raises(EventsDiffer, match=r"^event 1 differs: "):
        replaying().write((EVENTS[1], EVENTS[0]))


def test_a_recorded_event_that_is_missing_in_the_replay_is_found_at_the_end() -> None:
    log = replaying()
    log.write(EVENTS[:3])

    with pytest.raises(EventsDiffer, match=r"^event 4 was recorded after the run's end$") as raised:
        log.finish()

    assert raised.value.line == 4


def test_a_replay_ends_where_the_recording_does() -> None:
    log = replaying(LINES[:2])

    with pytest.raises(RecordingEnded, match=r"^the recording ends after 2 events$"):
        log.write(EVENTS)

    assert log.compared == 2


def test_looking_for_the_end_takes_no_event_away() -> None:
    log = replaying(LINES[:2])

    before = (log.at_end(), log.at_end())
    log.write(EVENTS[:1])
    between = log.at_end()
    log.write(EVENTS[1:2])

    assert before == (False, False)
    assert between is False
    assert log.at_end() is True
    assert log.compared == 2


def test_a_recording_of_nothing_is_at_its_end_and_nothing_can_be_replayed_on_it() -> None:
    log = replaying(())

    assert log.at_end() is True
    log.finish()
    with pytest.raises(RecordingEnded, match="after 0 events"):
        log.write(EVENTS[:1])


@pytest.mark.parametrize("recorded", range(5))
def test_a_resumed_run_appends_what_is_new_and_nothing_else(recorded: int) -> None:
    file = io.BytesIO()
    log = EventLog(iter(LINES[:recorded]), file)

    log.write(EVENTS[:3])
    log.write(EVENTS[3:])
    log.finish()

    assert file.getvalue() == b"".join(LINES[recorded:])
    assert log.compared == recorded


def test_a_resumed_run_that_differs_appends_nothing() -> None:
    file = io.BytesIO()
    log = EventLog(iter((LINES[0], LINES[2])), file)

    with pytest.raises(EventsDiffer):
        log.write(EVENTS)

    assert file.getvalue() == b""


def test_nothing_to_write_writes_nothing() -> None:
    file = FullDisk(0)

    EventLog(iter(()), file).write(())
    EventLog(iter(LINES), file).write(EVENTS)


def test_a_full_disk_is_raised_as_it_is() -> None:
    with pytest.raises(OSError, match="No space left") as raised:
        EventLog(iter(()), FullDisk(10)).write(EVENTS)

    assert raised.value.errno == errno.ENOSPC


def test_short_writes_are_continued_until_every_byte_is_there(tmp_path: Path) -> None:
    class Slow(io.BytesIO):
        def write(self, data: Any, /) -> int:
            return super().write(data[:3])

    slow = Slow()
    write_all(slow, LINES[0])
    with (tmp_path / "e").open("wb", buffering=0) as file:
        write_all(file, LINES[0])

    assert slow.getvalue() == LINES[0] == (tmp_path / "e").read_bytes()
