"""Runs that stop: what is kept, what is said, and how they go on. Real processes and servers."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from pathlib import Path

import msgspec
import pytest
from processes import (
    HANG_S,
    TWO_TARGETS,
    command,
    environment,
    hydrometer,
    invoke,
    keys_sent,
    simulator,
    wait_for_events,
    write_config,
)


def start(folder: Path, config: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command("ice", config, "--out", folder / "run", "--cache", folder / "cache", "-q"),
        cwd=folder,
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
    )


def ice(folder: Path, config: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return hydrometer(
        "ice", config, "--out", folder / "run", "--cache", folder / "cache", "-q", *more, cwd=folder
    )


def status(folder: Path) -> dict[str, str]:
    found: dict[str, str] = msgspec.json.decode((folder / "run" / "status.json").read_bytes())
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_run_cleanly_and_it_goes_on(tmp_path: Path, number: int) -> None:
    # So slow that the rest takes far longer than to notice the first events.
    with simulator("--latency-ms", "150") as url:
        config = write_config(tmp_path, url, window=2, probes=80)
        process = start(tmp_path, config)
        wait_for_events(tmp_path / "run", 20, process)
        process.send_signal(number)
        _, said = process.communicate(timeout=HANG_S)
    stopped = status(tmp_path)
    with simulator() as url:
        config = write_config(tmp_path, url, window=2, probes=80)
        resumed = ice(tmp_path, config, "--resume")

    assert process.returncode == 130, said
    assert "interrupted" in said
    assert "--resume" in said
    assert "Traceback" not in said
    assert stopped["state"] == "stopped"
    assert stopped["cause"] == "interrupted"
    assert resumed.returncode == 0, resumed.stderr
    assert status(tmp_path)["state"] == "finished"
    keys = keys_sent(tmp_path / "run")
    assert len(keys) == len(set(keys))  # nothing was paid for twice


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_dead_endpoint_pauses_the_run_before_it_begins(tmp_path: Path) -> None:
    config = write_config(tmp_path, f"http://127.0.0.1:{closed_port()}/v1")
    config.write_text(config.read_text().replace("attempts = 12", "attempts = 2"))

    done = ice(tmp_path, config)

    assert done.returncode == 3, done.stderr
    assert "no call was answered" in done.stderr
    assert status(tmp_path)["cause"] == "outage"
    assert not (tmp_path / "run" / "events.jsonl").read_bytes()


def test_an_endpoint_that_dies_in_mid_run_pauses_it_and_no_probe_fails(tmp_path: Path) -> None:
    with simulator("--latency-ms", "100") as url:
        config = write_config(tmp_path, url, window=2, probes=80)
        config.write_text(config.read_text().replace("attempts = 12", "attempts = 2"))
        process = start(tmp_path, config)
        wait_for_events(tmp_path / "run", 20, process)
    _, said = process.communicate(timeout=HANG_S)
    events = (tmp_path / "run" / "events.jsonl").read_bytes()

    assert process.returncode == 3, said
    assert status(tmp_path)["cause"] == "outage"
    assert b'"type":"failed"' not in events


def test_a_wrong_address_is_one_clear_error(tmp_path: Path) -> None:
    with simulator() as url:
        done = ice(tmp_path, write_config(tmp_path, f"{url}/typo"))

    assert done.returncode == 3, done.stderr
    assert "404" in done.stderr
    assert "base_url of models." in done.stderr
    assert status(tmp_path)["cause"] == "access"


def test_a_budget_of_calls_is_met_exactly_and_the_run_goes_on_without_it(tmp_path: Path) -> None:
    with simulator() as url:
        config = write_config(tmp_path, url, probes=60)
        unlimited = config.read_text()
        config.write_text(unlimited.replace("seed = 11", "seed = 11\nbudget = { calls = 50 }"))
        done = ice(tmp_path, config)
        timings = (tmp_path / "run" / "timings.jsonl").read_bytes()
        config.write_text(unlimited)
        resumed = ice(tmp_path, config, "--resume")

    assert done.returncode == 3, done.stderr
    assert "budget" in done.stderr
    assert status(tmp_path)["state"] == "finished"
    assert timings.count(b'"source":"sent"') == 50 - 3  # each model was called once before
    assert resumed.returncode == 0, resumed.stderr


def test_retry_failed_runs_anew_from_the_cache_and_keeps_the_old_run(tmp_path: Path) -> None:
    with simulator() as url:
        config = write_config(tmp_path, url, probes=20)
        assert ice(tmp_path, config).returncode == 0
        before = (tmp_path / "run" / "events.jsonl").read_bytes()
        again = ice(tmp_path, config, "--retry-failed")

    assert again.returncode == 0, again.stderr
    assert "run-before-retry-1" in again.stderr
    assert (tmp_path / "run-before-retry-1" / "events.jsonl").read_bytes() == before
    assert (tmp_path / "run" / "events.jsonl").read_bytes() == before
    timings = (tmp_path / "run" / "timings.jsonl").read_bytes()
    assert b'"source":"sent"' not in timings


def test_two_processes_cannot_run_in_one_directory(tmp_path: Path) -> None:
    with simulator("--latency-ms", "40") as url:
        config = write_config(tmp_path, url, window=1, probes=4000)
        first = start(tmp_path, config)
        wait_for_events(tmp_path / "run", 5, first)
        second = ice(tmp_path, config, "--resume")
        first.send_signal(signal.SIGINT)
        _, said = first.communicate(timeout=HANG_S)

    assert second.returncode == 2
    assert "run is being run by another process" in second.stderr
    assert first.returncode == 130, said
    assert hydrometer("replay", tmp_path / "run", cwd=tmp_path).returncode == 0


def test_several_targets_share_a_budget_and_resume_also_those_never_begun(tmp_path: Path) -> None:
    config = tmp_path / "audit.toml"
    config.write_text("[run]\nbudget = { calls = 15 }\n" + TWO_TARGETS)
    stopped = ice(tmp_path, config, "--target", "one")
    other = ice(tmp_path, config, "--target", "two")
    shutil.rmtree(tmp_path / "run" / "two")
    begun = [path.name for path in (tmp_path / "run").iterdir()]
    config.write_text(TWO_TARGETS)
    resumed = ice(tmp_path, config, "--resume")
    alone = invoke("score", tmp_path / "run", "--format", "csv")

    assert stopped.returncode == other.returncode == 3, stopped.stderr + other.stderr
    assert "run.budget calls = 15 is reached: 15 calls sent" in other.stderr
    assert begun == ["one"]
    assert resumed.returncode == 0, resumed.stderr
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["one", "two"]
    assert [line.split(",")[1] for line in alone.stdout.splitlines()[1:]] == [
        "one", "one", "two", "two",
    ]  # fmt: skip


def test_a_start_that_failed_does_not_block_the_corrected_command(tmp_path: Path) -> None:
    config = tmp_path / "audit.toml"
    keyed = TWO_TARGETS.replace('targets = ["one", "two"]', 'targets = ["one"]').replace(
        'model = "sim-helper"', 'model = "sim-helper"\nheaders = { X-Key = "env:NO_SUCH_KEY" }'
    )
    config.write_text(keyed.replace('provider = "simulated"\nmodel = "sim-helper"',
        'provider = "http"\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "sim-helper"'))  # fmt: skip
    failed = ice(tmp_path, config)
    config.write_text(TWO_TARGETS.replace('targets = ["one", "two"]', 'targets = ["one"]'))
    corrected = ice(tmp_path, config)

    assert failed.returncode == 2
    assert "NO_SUCH_KEY" in failed.stderr
    assert status(tmp_path)["state"] == "finished"
    assert corrected.returncode == 0, corrected.stderr


def test_scores_of_a_stopped_run_are_flagged(tmp_path: Path) -> None:
    config = tmp_path / "audit.toml"
    text = TWO_TARGETS.replace('targets = ["one", "two"]', 'targets = ["one"]')
    config.write_text("[run]\nbudget = { calls = 15 }\n" + text)
    assert ice(tmp_path, config).returncode == 3

    scores = msgspec.json.decode(invoke("score", tmp_path / "run", "--format", "json").stdout)

    assert all("unfinished" in score["flags"] for score in scores)
