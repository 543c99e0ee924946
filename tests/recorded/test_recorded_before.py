"""Runs and answers of the version before replay, resume, rescore and score as they did."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from processes import invoke

HERE = Path(__file__).parent
RUNS = sorted(
    str(path.parent.relative_to(HERE / "recordings"))
    for path in (HERE / "recordings").rglob("plan.json")
)
FINISHED = [name for name in RUNS if "stopped" not in name]
SEARCHES = {"ice": "", "static": "static", "refine": "refine"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(HERE, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HYDROMETER_CACHE", raising=False)
    return tmp_path


def test_there_is_a_run_of_every_kind() -> None:
    kinds = {
        json.loads((HERE / "recordings" / name / "plan.json").read_bytes())["kind"] for name in RUNS
    }

    assert len(RUNS) == 8
    assert kinds == {"ice", "rse"}


@pytest.mark.parametrize("name", RUNS)
def test_it_replays_byte_for_byte(name: str, folder: Path) -> None:
    replayed = invoke("replay", f"recordings/{name}")

    assert replayed.returncode == 0, replayed.stderr
    assert "byte-identical" in replayed.stdout


@pytest.mark.parametrize("name", FINISHED)
def test_it_scores_to_the_same_bytes(name: str, folder: Path) -> None:
    scored = invoke("score", "-q", f"recordings/{name}", "--format", "json")

    assert scored.returncode == 0, scored.stderr
    recorded = (HERE / "recordings" / name / "scores.json").read_text(encoding="utf-8")
    assert json.loads(scored.stdout) == json.loads(recorded)


def test_a_later_judge_gives_the_same_layer(folder: Path) -> None:
    layer = folder / "recordings" / "ice" / "suspect" / "layers" / "lexical.jsonl"
    recorded = layer.read_bytes()
    layer.unlink()

    rescored = invoke("rescore", "recordings/ice/suspect", "--judge", "lexical", "-q")

    assert rescored.returncode == 0, rescored.stderr
    assert layer.read_bytes() == recorded


def test_the_stopped_run_resumes_to_the_events_of_the_whole_run(folder: Path) -> None:
    (folder / "all").mkdir()
    shutil.move(folder / "recordings" / "stopped" / "suspect", folder / "all" / "suspect")
    status = folder / "all" / "suspect" / "status.json"  # names its cache by a whole path
    status.write_text(status.read_text().replace("cache2", str(folder.resolve() / "cache2")))

    resumed = invoke(
        *("ice", "audit.toml", "--target", "suspect", "--resume", "-q"),
        *("--out", "all", "--cache", "cache2"),
    )

    assert resumed.returncode == 0, resumed.stderr
    whole = HERE / "recordings" / "ice" / "suspect" / "events.jsonl"
    assert (folder / "all" / "suspect" / "events.jsonl").read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(("name", "search"), SEARCHES.items())
def test_the_same_config_is_answered_from_the_cache_alone(
    name: str, search: str, folder: Path
) -> None:
    config = folder / "audit.toml"
    text = config.read_text(encoding="utf-8")
    if search:
        text = text.replace("probes = 60", f'probes = 60\nsearch = "{search}"')
    if search == "static":
        text = text.replace('judge = "judge"\nprobes', 'judge = "lexical"\nprobes')
    config.write_text(text, encoding="utf-8")

    run = invoke("ice", "audit.toml", "--target", "suspect", "--out", "again", "-q")

    assert run.returncode == 0, run.stderr
    again = folder / "again" / "suspect"
    assert sources(again) == {"cache"}
    for file in ("plan.json", "events.jsonl"):
        assert (again / file).read_bytes() == (
            HERE / "recordings" / name / "suspect" / file
        ).read_bytes()


def test_all_pairs_are_compared_from_the_cache_alone(folder: Path) -> None:
    config = folder / "audit.toml"
    text = config.read_text(encoding="utf-8").replace('reference = "reference"', 'reference = "*"')
    text = text.replace('["writer", "other"]', '["writer", "other", "reference"]')
    config.write_text(text, encoding="utf-8")

    run = invoke("rse", "audit.toml", "--out", "again", "-q")

    assert run.returncode == 0, run.stderr
    for name in ("writer--other", "writer--reference", "other--reference"):
        again = folder / "again" / name / "events.jsonl"
        assert sources(again.parent) == {"cache"}
        recorded = HERE / "recordings" / "pairs" / name / "events.jsonl"
        assert again.read_bytes() == recorded.read_bytes()
    kinship = (folder / "again" / "kinship.json").read_bytes()
    assert kinship == (HERE / "recordings" / "pairs" / "kinship.json").read_bytes()


def sources(run: Path) -> set[str]:
    rows = [json.loads(line) for line in (run / "timings.jsonl").read_text().splitlines()]
    return {row["source"] for row in rows if "source" in row}
