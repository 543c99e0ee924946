"""The examples run as they are, offline, and print what their authors promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from processes import environment

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))


def run_example(name: str, *args: str | Path, cwd: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *args],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_is_short(script: Path) -> None:
    assert len(script.read_text(encoding="utf-8").splitlines()) < 80


def test_two_models_are_measured_side_by_side_replayed_and_judged_again(tmp_path: Path) -> None:
    lines = run_example("audit_two_models.py", tmp_path, cwd=tmp_path)
    again = run_example("audit_two_models.py", cwd=tmp_path)

    assert lines == again
    assert sorted(lines[:2]) == ["blended: 100 probes", "loyal: 100 probes"]
    counts = {
        tuple(words): int(count.partition("/")[0])
        for line in lines
        if line.endswith("/100")
        for words, count in ((line.rpartition(": ")[0].split(), line.rpartition(": ")[2]),)
    }
    assert {key[:2] for key in counts} == {
        ("loyal", "judge"),
        ("blended", "judge"),
        ("blended", "lexical"),
    }
    assert counts["loyal", "judge", "strict"] < 10 < counts["blended", "judge", "strict"]
    replayed = [line for line in lines if "events replayed" in line]
    assert [line.partition(":")[0] for line in replayed] == ["loyal", "blended"]
    assert all(line.endswith(", difference: ''") for line in replayed)
    assert (tmp_path / "runs" / "blended" / "layers" / "lexical.jsonl").exists()


def test_a_program_brings_a_judge_and_a_selector(tmp_path: Path) -> None:
    lines = run_example("own_judge_and_selector.py", cwd=tmp_path)

    assert [line.partition(":")[0] for line in lines[:2]] == ["word strict", "word hard"]
    assert all(line.endswith("/60") for line in lines[:2])
    (replayed,) = lines[2:]
    assert replayed.endswith(", complete=True, difference='')")
    assert list(tmp_path.iterdir()) == []
