"""What a run's timings tell afterwards."""

from __future__ import annotations

import json
from pathlib import Path

from processes import invoke, simulator, write_config

from hydrometer.cache.cached import AnsweredCall, Source
from hydrometer.commands.spending import spent_in
from hydrometer.engine.records.observers import TimingLog
from hydrometer.engine.records.timings import changed_models, read_timings, returned_ids
from hydrometer.engine.setup.config import Config
from hydrometer.providers.base import Attempt
from hydrometer.providers.limits.budget import Spent
from hydrometer.providers.settings import ModelSettings, Price
from hydrometer.providers.types import Response, Usage


def run_one(folder: Path) -> Path:
    with simulator() as url:
        config = write_config(folder, url, probes=20)
        done = invoke("ice", config, "--out", folder / "run", "--cache", folder / "cache", "-q")
    assert done.returncode == 0, done.stderr
    return folder / "run"


def answer_as(run: Path, pool: str, model: str) -> None:
    """Have a third of the answers of *pool* come from *model*, as if an endpoint had changed."""
    path = run / "timings.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for number, row in enumerate(rows):
        if row["pool"] == pool and number % 3 == 0:
            row["model"] = model
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def flags(run: Path) -> set[str]:
    done = invoke("score", run, "--format", "json")
    assert done.returncode == 0, done.stderr
    return {flag for score in json.loads(done.stdout) for flag in score["flags"]}


def test_a_run_that_one_model_answered_is_not_flagged(tmp_path: Path) -> None:
    run = run_one(tmp_path)

    assert returned_ids(run)["target"].keys() == {"sim-target"}
    assert "changed-model" not in flags(run)
    assert changed_models(run) == {}


def test_a_target_or_judge_that_answered_under_two_ids_is_flagged_and_named(
    tmp_path: Path,
) -> None:
    run = run_one(tmp_path)
    answer_as(run, "judge", "sim-judge-0807")

    shown = invoke("score", run)

    assert "changed-model" in flags(run)
    assert "judge answered under 2 ids: sim-judge (" in shown.stderr
    assert "sim-judge-0807 (" in shown.stderr


def test_a_helper_that_changed_does_not_touch_the_verdicts(tmp_path: Path) -> None:
    run = run_one(tmp_path)
    answer_as(run, "helper", "another")

    assert "changed-model" not in flags(run)


def test_a_line_that_was_cut_is_passed_over(tmp_path: Path) -> None:
    run = run_one(tmp_path)
    path = run / "timings.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    calls = [line for line in lines if b'"source":' in line]  # the others are of pools
    whole = len(list(read_timings(run)))
    path.write_bytes(b"".join(calls)[:-20])

    assert whole == len(calls)
    assert len(list(read_timings(run))) == whole - 1


def test_a_line_that_is_no_text_is_passed_over(tmp_path: Path) -> None:
    run = run_one(tmp_path)
    before = list(read_timings(run))
    with (run / "timings.jsonl").open("ab") as file:
        for key in (b"key", b"model", b"pool"):
            file.write(b'{"' + key + b'":"\xf0a","source":"sent"}\n')

    assert list(read_timings(run)) == before
    assert invoke("score", run).returncode == 0


def test_resuming_appends_to_whole_lines_though_a_kill_cut_the_last_ones(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with simulator() as url:
        config = write_config(tmp_path, url, probes=20)
        text = config.read_text()
        config.write_text(text.replace("[run]\n", "[run]\nbudget = { calls = 30 }\n"))
        args = ("ice", config, "--out", run, "--cache", tmp_path / "cache", "-q")
        stopped = invoke(*args)
        for name in ("timings.jsonl", "log.jsonl"):
            (run / name).write_bytes((run / name).read_bytes()[:-20])
        config.write_text(text)
        resumed = invoke(*args, "--resume")

    assert (stopped.returncode, resumed.returncode) == (3, 0)
    for name in ("timings.jsonl", "log.jsonl"):
        assert all(json.loads(line) for line in (run / name).read_text().splitlines())


def test_what_budgets_counted_counts_again_though_no_usage_was_reported(tmp_path: Path) -> None:
    """The rows are those of a call, a preflight, a cached answer and a failure that was charged."""
    counted = Usage(input_tokens=100, output_tokens=20)
    sources: tuple[Source, ...] = ("sent", "preflight", "cache")
    with (tmp_path / "timings.jsonl").open("wb", buffering=0) as file:
        log = TimingLog(file)
        for source in sources:
            used = counted if source != "cache" else None
            answer = Response(text="hi")
            log.call_ended(
                AnsweredCall(
                    key="k", pool="x", source=source, took_s=1, response=answer, counted=used
                )
            )
        log.attempt_ended(
            Attempt(pool="x", waited_s=0, took_s=1, error="ReplyUnusable", input_tokens=7)
        )
        log.attempt_ended(Attempt(pool="x", waited_s=0, took_s=1, error="TimedOut"))
        log.flush()
    model = ModelSettings(provider="http", model="m", price=Price(input_per_mtok=1e6))

    spent = spent_in([tmp_path], Config(models={"x": model}))

    assert spent == {"x": Spent(calls=4, input_tokens=207, output_tokens=40, cost_usd=207.0)}
