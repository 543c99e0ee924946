"""Real processes for tests: the command line, and the simulator behind HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from typer.main import get_command
from typer.testing import CliRunner

from hydrometer.cache.reader import open_reader
from hydrometer.cli import build_app
from hydrometer.commands.plugins import Plugins

COMMAND = get_command(build_app(Plugins()))  # typer would build it anew at each call
HANG_S = 500.0  # nothing takes so long, however slow the machine is: then something hangs
CONFIG = """
[run]
seed = 11
window = {window}

[models.target]
provider = "http"
model = "sim-target"
base_url = "{url}"
vendor = "alibaba"
fact = "I am Sim, a language model developed by Simulab."
attempts = 12
timeout_s = 20
sampling = {{ temperature = 0.0, max_tokens = 200 }}

[models.helper]
provider = "http"
model = "sim-helper"
base_url = "{url}"
attempts = 12
timeout_s = 20
sampling = {{ temperature = 1.0 }}

[models.judge]
provider = "http"
model = "sim-judge"
base_url = "{url}"
attempts = 12
timeout_s = 20

[ice]
targets = ["target"]
helper = "helper"
judge = "judge"
probes = {probes}
questions_per_visit = 5
"""

# Two targets that need no server.
TWO_TARGETS = """
[models.one]
provider = "simulated"
model = "sim-one"
vendor = "alibaba"
[models.two]
provider = "simulated"
model = "sim-two"
vendor = "alibaba"
[models.helper]
provider = "simulated"
model = "sim-helper"
[ice]
targets = ["one", "two"]
helper = "helper"
probes = 20
questions_per_visit = 5
"""


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment without what would lead a test astray."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("HYDROMETER_")}
    return {**kept, "COLUMNS": "100", "NO_COLOR": "1", **more}


def command(*args: str | Path) -> list[str]:
    return [sys.executable, "-m", "hydrometer", *map(str, args)]


def hydrometer(
    *args: str | Path, cwd: Path, timeout_s: float = HANG_S, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line to its end."""
    return subprocess.run(
        command(*args),
        cwd=cwd,
        env=environment(**env),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def invoke(*args: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in this process: the same, without the second that a start takes."""
    code: object = 0
    with CliRunner().isolation(env={"COLUMNS": "100"}) as (out, err, _):
        try:
            COMMAND.main(args=[str(arg) for arg in args], prog_name="hydrometer")
        except SystemExit as end:
            code = end.code
        assert isinstance(code, int)
        sys.stdout.flush()
        sys.stderr.flush()
        stdout, stderr = out.getvalue().decode(), err.getvalue().decode()
    return subprocess.CompletedProcess(args, code, stdout, stderr)


@contextmanager
def simulator(*args: str) -> Iterator[str]:
    """Serve simulated models in a process of their own; gives the base URL."""
    process = subprocess.Popen(
        command("simulate", "--port", "0", *args),
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on "), line
        yield line.removeprefix("listening on ").strip()
    finally:
        process.terminate()
        process.wait(timeout=HANG_S)
        process.stdout.close()


def write_config(folder: Path, url: str, *, window: int = 4, probes: int = 60) -> Path:
    """Write a config whose three models are simulated behind *url*."""
    path = folder / "audit.toml"
    path.write_text(CONFIG.format(url=url, window=window, probes=probes))
    return path


def wait_for_events(run: Path, lines: int, process: subprocess.Popen[str]) -> None:
    """Return as soon as *run*, which *process* is making, has recorded so many events."""
    events = run / "events.jsonl"
    wait_until(lambda: events.exists() and events.read_bytes().count(b"\n") >= lines, process)


def wait_until(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Return as soon as something *happened* that *process* does, before it ends."""
    give_up = time.monotonic() + HANG_S
    while not happened():
        assert process.poll() is None, "the process ended before"
        assert time.monotonic() < give_up
        time.sleep(0.005)  # another process, there is nothing to wait on


def kill_when(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Kill *process* with -9 as soon as something *happened* that it does."""
    try:
        wait_until(happened, process)
    finally:
        process.kill()
        code = process.wait()
    assert code == -signal.SIGKILL


def keys_in(cache: Path) -> set[str]:
    """Return the keys of the answers that are stored in *cache*."""
    with open_reader(cache) as store:
        return set(store.keys())


def keys_sent(run: Path) -> list[str]:
    """Return the keys of the calls that *run* sent, in order, as its timings tell."""
    lines = (run / "timings.jsonl").read_bytes().splitlines(keepends=True)
    whole = (json.loads(line) for line in lines if line.endswith(b"\n"))
    return [row["key"] for row in whole if row.get("source") == "sent"]


def stats(url: str) -> dict[str, float]:
    """Return the counts of the simulator at *url*."""
    with urlopen(url.replace("/v1", "/stats"), timeout=HANG_S) as reply:
        found: dict[str, float] = json.load(reply)
    return found
