"""Pools in a whole run: several endpoints, one of which dies, and what an operator can ask."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from processes import HANG_S, command, environment, simulator, wait_for_events, write_config

ENDPOINTS = """
[[models.target.endpoints]]
name = "east"
base_url = "{first}"
[[models.target.endpoints]]
name = "west"
base_url = "{second}"
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(port: int) -> Iterator[subprocess.Popen[str]]:
    """Serve simulated models on *port* until the block ends, unless it is killed before."""
    process = subprocess.Popen(
        command("simulate", "--port", str(port), "--latency-ms", "20"),
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline().startswith("listening on ")
        yield process
    finally:
        process.kill()
        process.wait(timeout=HANG_S)
        process.stdout.close()


def answered(port: int) -> int:
    with urlopen(f"http://127.0.0.1:{port}/stats", timeout=HANG_S) as reply:
        return int(json.load(reply)["answered"])


def start(folder: Path, config: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(
            *("ice", config, "--out", folder / "run", "--cache", folder / "cache"),
            "--no-preflight",
        ),
        cwd=folder,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_one_of_two_endpoints_dies_and_returns_and_no_call_is_lost(tmp_path: Path) -> None:
    first, second = free_port(), free_port()
    with simulator() as url, served(second):
        config = write_config(tmp_path, url, window=4, probes=3000)
        addresses = {
            name: f"http://127.0.0.1:{port}/v1"
            for name, port in (("first", first), ("second", second))
        }
        text = config.read_text().replace(f'base_url = "{url}"\n', "", 1)  # the target's
        text = text.replace("[models.helper]", ENDPOINTS.format(**addresses) + "\n[models.helper]")
        config.write_text(text)
        with served(first) as doomed:
            process = start(tmp_path, config)
            wait_for_events(tmp_path / "run", 100, process)
            doomed.kill()
        wait_for_events(tmp_path / "run", 400, process)
        with served(first):
            _, said = process.communicate(timeout=HANG_S)
            after_return = answered(first)

    assert process.returncode == 0, said
    assert b'"type":"failed"' not in (tmp_path / "run" / "events.jsonl").read_bytes()
    assert after_return > 20
    timings = (tmp_path / "run" / "timings.jsonl").read_text()
    assert '"endpoint":"east"' in timings
    last = [json.loads(line) for line in timings.splitlines() if '"statistics":' in line]
    (target,) = (row["statistics"] for row in last if row["pool"] == "target")
    assert [endpoint["name"] for endpoint in target["endpoints"]] == ["east", "west"]
    assert all(endpoint["sent"] > 0 for endpoint in target["endpoints"])
    assert '"endpoint":"west"' in timings
    assert "east" not in (tmp_path / "run" / "plan.json").read_text()


def test_sigusr1_says_how_every_pool_stands_and_stops_nothing(tmp_path: Path) -> None:
    with simulator("--latency-ms", "100") as url:
        config = write_config(tmp_path, url, window=2, probes=60)
        process = start(tmp_path, config)
        wait_for_events(tmp_path / "run", 20, process)
        process.send_signal(signal.SIGUSR1)
        _, said = process.communicate(timeout=HANG_S)

    assert process.returncode == 0, said
    for name in ("target", "helper", "judge"):
        (line,) = (line for line in said.splitlines() if f"hydrometer: {name}: " in line)
        assert "breaker closed" in line
        assert " in flight, " in line
