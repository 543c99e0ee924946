"""A measurement of somebody else's gets every command without a changed line anywhere else."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
from pathlib import Path

from processes import environment, simulator, wait_for_events

SCRIPT = Path(__file__).with_name("toy_measurement.py")
CONFIG = """
[models.one]
provider = "http"
model = "sim-one"
base_url = "{url}"
slots = 1
attempts = 12
[models.two]
provider = "http"
model = "sim-two"
base_url = "{url}"
slots = 2
[run]
cache = "cache"
[toy]
targets = ["one", "two"]
words = 20
"""


def toy(*args: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, args)],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_it_is_under_150_lines_and_nothing_else_names_it() -> None:
    root = Path(__file__).parents[2]
    sources = [
        path
        for folder in ("engine", "commands", "command_line", "results", "report", "scoring")
        for path in (root / folder).rglob("*.py")
    ]

    assert len(SCRIPT.read_text(encoding="utf-8").splitlines()) < 150
    assert len(sources) > 50
    assert [path for path in sources if "toy" in path.read_text(encoding="utf-8").lower()] == []


def test_a_run_is_planned_killed_resumed_replayed_and_scored(tmp_path: Path) -> None:
    with simulator("--latency-ms", "40") as url:
        (tmp_path / "toy.toml").write_text(CONFIG.format(url=url), encoding="utf-8")
        before = toy("plan", "toy.toml", cwd=tmp_path)
        process = subprocess.Popen(
            [sys.executable, str(SCRIPT), "toy", "toy.toml", "--out", "run"],
            cwd=tmp_path,
            env=environment(),
            text=True,
        )
        wait_for_events(tmp_path / "run" / "one", 5, process)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        cut = (tmp_path / "run" / "one" / "events.jsonl").read_bytes()
        resumed = toy("toy", "toy.toml", "--out", "run", "--resume", cwd=tmp_path)
        plain = toy("toy", "toy.toml", "--out", "plain", "--cache", "other", cwd=tmp_path)
        after = toy("plan", "toy.toml", cwd=tmp_path)
    replayed = toy("replay", "run/one", cwd=tmp_path)  # the server is gone

    assert before.returncode == 0, before.stderr
    assert "one: 20 words" in before.stdout
    assert "cached: nothing yet" in before.stdout
    assert resumed.returncode == plain.returncode == 0, resumed.stderr + plain.stderr
    for name in ("one", "two"):
        events = (tmp_path / "run" / name / "events.jsonl").read_bytes()
        assert events == (tmp_path / "plain" / name / "events.jsonl").read_bytes()
    assert cut.count(b"\n") < 21
    assert "cached: the whole run (20 calls found in cache)" in after.stdout
    assert replayed.returncode == 0, replayed.stderr
    assert "21 events replayed, byte-identical" in replayed.stdout
    check_formats(tmp_path)


def check_formats(folder: Path) -> None:
    written = {
        name: toy("score", "run/one", "--format", name, cwd=folder).stdout
        for name in ("table", "json", "csv", "md")
    }
    (score,) = json.loads(written["json"])
    (row,) = csv.DictReader(io.StringIO(written["csv"]))

    assert (score["run"], score["target"], score["kind"]) == ("one", "one", "toy")
    assert score["asked"] == 20
    assert row == {
        key: "" if value is None else ";".join(value) if key == "flags" else str(value)
        for key, value in score.items()
    }
    headings = {"md": tuple(score), "table": ("toy", "target", "repeated", "asked", "rate")}
    for name, words in headings.items():
        for word in (*words, "one", "20"):
            assert word in written[name]


def test_its_command_is_listed_with_its_help(tmp_path: Path) -> None:
    listed = toy("--help", cwd=tmp_path)
    own = toy("toy", "--help", cwd=tmp_path)

    assert "Count how many words a model repeats." in listed.stdout
    assert "Example: hydrometer toy toy.toml" in own.stdout
    assert "--resume" in own.stdout


def test_a_run_of_an_unknown_kind_is_refused_by_name(tmp_path: Path) -> None:
    with simulator() as url:
        (tmp_path / "toy.toml").write_text(CONFIG.format(url=url), encoding="utf-8")
        made = toy("toy", "toy.toml", "--out", "run", "--target", "one", cwd=tmp_path)
    without = subprocess.run(
        [sys.executable, "-m", "hydrometer", "score", "run/one"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )

    assert made.returncode == 0, made.stderr
    assert without.returncode == 2
    assert without.stderr == (
        "hydrometer: run/one/plan.json is of kind 'toy', which is unknown here; known: ice, rse\n"
    )
