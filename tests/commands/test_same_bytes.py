"""The same plan gives the same events, whatever the network does to it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from processes import (
    command,
    environment,
    hydrometer,
    keys_in,
    keys_sent,
    kill_when,
    simulator,
    write_config,
)

from hydrometer.cache.disk import open_store

PROBES = 90


def run_ice(folder: Path, url: str, window: int, *more: str) -> bytes:
    config = write_config(folder, url, window=window, probes=PROBES)
    done = hydrometer(
        "ice", config, "--out", folder / "run", "--cache", folder / "cache", "-q", *more, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return (folder / "run" / "events.jsonl").read_bytes()


def kill_half_way(folder: Path, url: str, window: int) -> int:
    """Start a run and kill it with -9 when half of its probes are recorded.

    Returns how many events were.
    """
    config = write_config(folder, url, window=window, probes=PROBES)
    process = subprocess.Popen(
        command("ice", config, "--out", folder / "run", "--cache", folder / "cache", "-q"),
        cwd=folder,
        env=environment(),
        text=True,
    )
    events = folder / "run" / "events.jsonl"
    kill_when(
        lambda: events.exists() and events.read_bytes().count(b'"type":"probed"') >= PROBES // 2,
        process,
    )
    return events.read_bytes().count(b"\n")


@pytest.mark.parametrize("window", [1, 6])
def test_four_times_the_same_bytes(tmp_path: Path, window: int) -> None:
    folders = {name: tmp_path / name for name in ("plain", "slow", "failing", "killed")}
    for folder in folders.values():
        folder.mkdir()
    with simulator() as url:
        plain = run_ice(folders["plain"], url, window)
    with simulator("--latency-ms", "2", "--jitter-ms", "8", "--seed", "0") as url:
        slow = run_ice(folders["slow"], url, window)
    # So slow that the other half takes far longer than to notice the first one.
    with simulator("--latency-ms", "100" if window == 1 else "400") as url:
        lines = kill_half_way(folders["killed"], url, window)
    stored, sent = keys_in(folders["killed"] / "cache"), keys_sent(folders["killed"] / "run")
    with simulator() as url:
        resumed = run_ice(folders["killed"], url, window, "--resume")
    with simulator("--errors", "0.1") as url:
        failing = run_ice(folders["failing"], url, window)
    replayed = hydrometer("replay", folders["failing"] / "run", cwd=tmp_path)

    assert plain.count(b'"type":"probed"') == PROBES
    assert b'"type":"failed"' not in failing
    assert 0 < lines < plain.count(b"\n")
    assert slow == plain
    assert resumed == plain
    again = keys_sent(folders["killed"] / "run")[len(sent) :]
    assert again
    assert not stored & set(again)  # what had been stored is not paid for twice
    assert failing == plain
    assert replayed.returncode == 0, replayed.stderr
    assert "byte-identical" in replayed.stdout
    attempts = (folders["failing"] / "run" / "timings.jsonl").read_text()
    assert all(error in attempts for error in ("RateLimited", "ServiceFailed", "ConnectionFailed"))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with its cache beside it."""
    folder = tmp_path_factory.mktemp("recorded")
    with simulator() as url:
        run_ice(folder, url, 4)
    return folder


def copy_run(recorded: Path, folder: Path) -> Path:
    run = folder / "copy"
    run.mkdir()
    for file in (recorded / "run").iterdir():
        (run / file.name).write_bytes(file.read_bytes())
    return run


async def test_a_replay_with_an_empty_cache_fails_and_names_what_is_missing(
    recorded: Path, tmp_path: Path
) -> None:
    async with open_store(tmp_path / "empty"):
        pass

    empty = hydrometer("replay", recorded / "run", "--cache", tmp_path / "empty", cwd=tmp_path)
    nothing = hydrometer("replay", recorded / "run", "--cache", tmp_path / "none", cwd=tmp_path)

    assert empty.returncode == 1
    assert "no stored answer for http:sim-helper" in empty.stderr
    assert nothing.returncode == 2
    assert "the cache in" in nothing.stderr
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"successes":', b'"successes": '),
        (b'"positive":false', b'"positive":true'),
        (b'"path":[0]', b'"path":[1]'),
    ],
)
def test_one_event_changed_by_hand_makes_replay_exit_1(
    recorded: Path, tmp_path: Path, old: bytes, new: bytes
) -> None:
    run = copy_run(recorded, tmp_path)
    events = (run / "events.jsonl").read_bytes()
    assert old in events
    (run / "events.jsonl").write_bytes(events.replace(old, new, 1))

    done = hydrometer("replay", run, cwd=tmp_path)

    assert done.returncode == 1
    assert "differs" in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_event_too_many_or_too_few_is_noticed(recorded: Path, tmp_path: Path) -> None:
    run = copy_run(recorded, tmp_path)
    events = (run / "events.jsonl").read_bytes()
    lines = events.splitlines(keepends=True)

    (run / "events.jsonl").write_bytes(events + lines[-1])
    longer = hydrometer("replay", run, cwd=tmp_path)
    (run / "events.jsonl").write_bytes(b"".join(lines[:40]))
    shorter = hydrometer("replay", run, cwd=tmp_path)

    assert longer.returncode == 1
    assert "was recorded after the run's end" in longer.stderr
    assert shorter.returncode == 0
    assert "40 events replayed, byte-identical; the run was stopped there" in shorter.stdout


def test_a_cut_last_line_is_dropped_and_said_and_the_run_completed(
    recorded: Path, tmp_path: Path
) -> None:
    run = copy_run(recorded, tmp_path)
    events = (run / "events.jsonl").read_bytes()
    (run / "events.jsonl").write_bytes(events[: len(events) // 2])
    config = write_config(tmp_path, "http://127.0.0.1:9/v1", window=4, probes=PROBES)

    resumed = hydrometer(
        "ice", config, "--out", run, "--cache", recorded / "cache", "--resume", "--no-preflight",
        cwd=tmp_path,
    )  # fmt: skip

    assert resumed.returncode == 0, resumed.stderr
    assert "events.jsonl ended in a cut line" in resumed.stderr
    assert (run / "events.jsonl").read_bytes() == events
