"""Observers: what timings.jsonl and log.jsonl say of calls, and when they say it."""

from __future__ import annotations

import errno
import gc
import io
import json
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from builders import make_judge

from hydrometer.cache.cached import AnsweredCall
from hydrometer.engine.calls.answers import CallFailed
from hydrometer.engine.ice.ice_events import Credited, NoMutant, Probed, Rejection, Selected
from hydrometer.engine.records.events import Finished
from hydrometer.engine.records.observers import Observers, RunLog, TimingLog
from hydrometer.engine.records.run_directory import RunDirectory
from hydrometer.engine.records.tally import Tally
from hydrometer.engine.records.timings import Timing, read_timings
from hydrometer.providers.base import Attempt
from hydrometer.providers.statistics import EndpointStatistics, PoolStatistics
from hydrometer.providers.types import Response, Usage

SENT = AnsweredCall(
    key="aa11",
    pool="qwen",
    source="sent",
    took_s=0.12345678,
    response=Response(
        text="hi",
        model="qwen-2.5",
        fingerprint="fp_1",
        endpoint="east",
        usage=Usage(input_tokens=3, output_tokens=1),
    ),
    counted=Usage(input_tokens=4, output_tokens=2),
)
CACHED = AnsweredCall(
    key="bb22", pool="qwen", source="cache", took_s=0.0, response=Response(text="hi")
)
GOOD = Attempt(pool="qwen", waited_s=0.1, took_s=0.5, input_tokens=3, output_tokens=1)
BAD = Attempt(pool="qwen", waited_s=0.25, took_s=1.23456, error="RateLimited", endpoint="west")
FAILED = CallFailed(role="helper", key="k", error="RequestRejected", message="too long")


def rows(file: io.BytesIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.getvalue().splitlines()]


def test_the_row_of_a_call_has_these_keys_in_this_order() -> None:
    """Recorded timings are read by people's scripts, and by budgets."""
    file = io.BytesIO()
    log = TimingLog(file)

    log.call_ended(SENT)
    log.call_ended(CACHED)
    log.flush()

    assert file.getvalue() == (
        b'{"key":"aa11","pool":"qwen","source":"sent","took_s":0.123457,"model":"qwen-2.5",'
        b'"fingerprint":"fp_1","endpoint":"east","usage":{"input_tokens":3,"output_tokens":1},'
        b'"counted":{"input_tokens":4,"output_tokens":2}}\n'
        b'{"key":"bb22","pool":"qwen","source":"cache","took_s":0.0,"model":"","fingerprint":"",'
        b'"endpoint":"","usage":null,"counted":null}\n'
    )


def test_an_attempt_has_a_row_only_if_it_failed() -> None:
    file = io.BytesIO()
    log = TimingLog(file)

    log.attempt_ended(GOOD)
    log.attempt_ended(BAD)
    log.flush()

    assert file.getvalue() == (
        b'{"pool":"qwen","waited_s":0.25,"took_s":1.23456,"error":"RateLimited",'
        b'"input_tokens":0,"output_tokens":0,"cost_usd":0.0,"endpoint":"west"}\n'
    )


def test_the_state_of_a_pool_is_a_row_of_its_own() -> None:
    file = io.BytesIO()
    log = TimingLog(file)
    statistics = PoolStatistics(endpoints=(EndpointStatistics(sent=3, decreases=1),), queued=2)

    log.pool_ended("qwen", statistics)
    log.flush()

    (row,) = rows(file)
    assert list(row) == ["pool", "statistics"]
    assert row["statistics"]["parked"] == 2
    assert row["statistics"]["endpoints"][0]["cuts"] == 1


def test_notes_are_kept_until_they_are_flushed_and_written_once() -> None:
    file = io.BytesIO()
    log = TimingLog(file)

    log.call_ended(SENT)
    before = file.getvalue()
    log.flush()
    once = file.getvalue()
    log.flush()

    assert before == b""
    assert once.count(b"\n") == 1
    assert file.getvalue() == once


def test_a_full_disk_is_raised_when_notes_are_flushed_and_not_in_the_middle_of_a_call() -> None:
    class Full(io.BytesIO):
        def write(self, data: Any, /) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    log = TimingLog(Full())

    log.call_ended(SENT)
    with pytest.raises(OSError, match="No space left"):
        log.flush()


def test_what_was_noted_is_read_again_with_the_writers_types(tmp_path: Path) -> None:
    judge = make_judge()
    directory = RunDirectory(tmp_path)
    with directory.open_append("timings.jsonl") as file, directory.open_timings(judge) as later:
        for log in (TimingLog(file), TimingLog(later)):
            log.call_ended(SENT)
            log.attempt_ended(BAD)
            log.pool_ended("qwen", PoolStatistics(endpoints=()))
            log.flush()

    timing = Timing(
        key="aa11",
        pool="qwen",
        source="sent",
        took_s=0.123457,
        model="qwen-2.5",
        fingerprint="fp_1",
        endpoint="east",
        usage=Usage(input_tokens=3, output_tokens=1),
        counted=Usage(input_tokens=4, output_tokens=2),
    )
    assert list(read_timings(tmp_path)) == [timing, BAD]
    assert list(read_timings(tmp_path, judge)) == [timing, BAD]


def test_lines_that_cannot_be_read_are_skipped_and_no_file_is_no_rows(tmp_path: Path) -> None:
    none = list(read_timings(tmp_path))
    with RunDirectory(tmp_path).open_append("timings.jsonl") as file:
        log = TimingLog(file)
        file.write(b'{"pool":"qwen","source":"se\n\xff\n\n[]\n')
        log.call_ended(CACHED)
        log.flush()

    assert none == []
    assert [row.pool for row in read_timings(tmp_path)] == ["qwen"]


def test_observers_hand_everything_to_everybody() -> None:
    one, two = Tally(), Tally()
    observers = Observers(one, two)

    observers.call_ended(SENT)
    observers.attempt_ended(BAD)

    for tally in (one, two):
        assert tally.calls == {"sent": 1}
        assert tally.attempts_failed == {"RateLimited": 1}


def logged(file: io.BytesIO) -> list[dict[str, Any]]:
    """Return the rows without their times, each of which has one."""
    found = rows(file)
    for row in found:
        assert row.pop("timestamp").endswith("Z")
    return found


def test_the_log_has_what_events_say_of_themselves() -> None:
    file = io.BytesIO()
    log = RunLog(file)
    rejection = Rejection(mutator="similar", fault="call-failed", failure=FAILED)

    log.note("run_started", version="1", attempt=2)
    log.write((Selected(ticket=0, path=(0,), questions=(1,)),))
    log.write([Credited(ticket=0, successes=1, judged=2, reward=0.5)])
    log.write((NoMutant(ticket=1, rejections=(rejection,)),))
    log.write((Probed(ticket=2, template=0, question=0, outcome=FAILED),))
    log.write((Finished(reason="probes", tickets=3, units=7),))

    failed = {"event": "call_failed", "level": "error", "role": "helper", "error": "too long"}
    assert logged(file) == [
        {"event": "run_started", "level": "info", "version": "1", "attempt": 2},
        {"event": "ticket_applied", "level": "info", "ticket": 0, "successes": 1, "judged": 2},
        {
            "event": "no_usable_mutant",
            "level": "warning",
            "ticket": 1,
            "faults": ["call-failed"],
        },
        failed,
        failed,
        {"event": "run_finished", "level": "info", "reason": "probes", "probes": 7},
    ]


def test_the_log_has_failed_attempts_and_no_answered_call() -> None:
    file = io.BytesIO()
    log = RunLog(file)

    log.call_ended(SENT)
    log.attempt_ended(GOOD)
    log.attempt_ended(BAD)

    assert logged(file) == [
        {
            "event": "attempt_failed",
            "level": "warning",
            "pool": "qwen",
            "error": "RateLimited",
            "took_s": 1.235,
        }
    ]


def test_the_log_goes_on_when_nobody_else_holds_its_file(tmp_path: Path) -> None:
    """A file that is collected is closed, and would end the log."""
    log = RunLog(_opened(tmp_path / "log.jsonl"))
    gc.collect()

    log.note("first")
    gc.collect()
    log.attempt_ended(BAD)

    lines = (tmp_path / "log.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["first", "attempt_failed"]
    log._file.close()


def _opened(path: Path) -> BinaryIO:
    return path.open("ab", buffering=0)
