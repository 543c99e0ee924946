"""Signals at any moment of a command. Real processes, which signal themselves at a chosen one."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from processes import HANG_S, TWO_TARGETS, environment

# Once the command line listens, sends itself a signal when what is opened or imported ends as
# asked: the so-manieth time, or each time with 0.
SIGNALLING = """
import os, runpy, signal, sys
number, which, end = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
del sys.argv[1:4]
seen = 0
def hook(event, args):
    global seen
    if event in ("open", "import") and str(args[0]).endswith(end):
        if not seen and signal.getsignal(signal.SIGUSR1) is signal.SIG_DFL:
            return
        seen += 1
        if which in (0, seen):
            os.kill(os.getpid(), number)
sys.addaudithook(hook)
runpy.run_module("hydrometer", run_name="__main__", alter_sys=True)
"""
STOPS = (signal.SIGINT, signal.SIGTERM)


def ice(
    folder: Path, number: int, end: str, *more: str, which: int = 1
) -> subprocess.CompletedProcess[str]:
    """Run two targets, and signal when what ends in *end* is opened."""
    (folder / "audit.toml").write_text(TWO_TARGETS)
    words: Sequence[str] = (
        *(str(int(number)), str(which), end),
        *("ice", "audit.toml", "--out", "run", "--cache", "cache", "-q", *more),
    )
    return subprocess.run(
        [sys.executable, "-c", SIGNALLING, *words],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
    )


def states(folder: Path) -> dict[str, str]:
    return {
        path.parent.name: json.loads(path.read_bytes())["state"]
        for path in sorted((folder / "run").glob("*/status.json"))
    }


def test_sigusr1_is_fatal_at_no_moment(tmp_path: Path) -> None:
    done = ice(tmp_path, signal.SIGUSR1, "", which=0)

    assert done.returncode == 0, done.stderr
    assert states(tmp_path) == {"one": "finished", "two": "finished"}


ENDED = "hydrometer: interrupted\n"
KEPT = "hydrometer: everything received is kept: go on with the same command and --resume\n"
WAITING = (
    r"(hydrometer: stopping: waiting for \d+ calls in flight; press Ctrl-C again to drop them\n)?"
)
ANY = {"finished", "stopped"}  # of a run beside the one that the signal interrupts


@pytest.mark.parametrize("number", STOPS)
@pytest.mark.parametrize(
    ("moment", "which", "expected"),
    [
        ("numpy", 1, {}),
        ("audit.toml", 1, {}),
        ("one/.lock", 1, {"one": {"stopped"}, "two": {"stopped"}}),
        ("two/.lock", 1, {"one": {"stopped"}, "two": {"stopped"}}),
    ],
)
def test_a_stop_before_the_runs_is_one_line_and_130_at_any_moment(
    tmp_path: Path, number: int, moment: str, which: int, expected: dict[str, set[str]]
) -> None:
    check_stop(tmp_path, ice(tmp_path, number, moment, which=which), ENDED, expected)


@pytest.mark.parametrize("number", STOPS)
@pytest.mark.parametrize(
    ("moment", "which", "expected"),
    [
        ("one/.status.json.new", 1, {"one": {"stopped"}, "two": {"stopped"}}),
        ("two/.status.json.new", 1, {"one": {"stopped"}, "two": {"stopped"}}),
        ("one/timings.jsonl", 1, {"one": {"stopped"}, "two": {"stopped"}}),
        ("one/.status.json.new", 2, {"one": {"finished"}, "two": ANY}),
        ("one/.scores.json.new", 1, {"one": {"finished"}, "two": ANY}),
        ("two/.status.json.new", 2, {"one": ANY, "two": {"finished"}}),
    ],
)
def test_a_stop_in_the_runs_says_that_all_is_kept_and_is_130_at_any_moment(
    tmp_path: Path, number: int, moment: str, which: int, expected: dict[str, set[str]]
) -> None:
    done = ice(tmp_path, number, moment, which=which)

    check_stop(tmp_path, done, ENDED + KEPT, expected)


def check_stop(
    folder: Path,
    done: subprocess.CompletedProcess[str],
    said: str,
    expected: dict[str, set[str]],
) -> None:
    assert re.fullmatch(WAITING + re.escape(said), done.stderr), done.stderr
    assert done.returncode == 130
    found = states(folder)
    assert found.keys() == expected.keys()
    assert all(state in expected[name] for name, state in found.items()), found


def test_a_command_stopped_while_it_opens_its_runs_goes_on(tmp_path: Path) -> None:
    assert ice(tmp_path, signal.SIGTERM, "two/.lock").returncode == 130

    resumed = ice(tmp_path, signal.SIGTERM, "nothing ends so", "--resume")

    assert resumed.returncode == 0, resumed.stderr
    assert states(tmp_path) == {"one": "finished", "two": "finished"}
