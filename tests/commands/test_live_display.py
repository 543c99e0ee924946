"""What is said while a live line is shown, on a terminal of 80 columns. Real processes."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
from pathlib import Path

from processes import (
    HANG_S,
    command,
    environment,
    simulator,
    stats,
    wait_until,
    write_config,
)
from screen import screen


def terminal(columns: int) -> tuple[int, int]:
    """Return both ends of a terminal: the one to read from, and the process's."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    return ours, theirs


def read_all(end: int) -> str:
    """Return what is written until the other end is closed."""
    found = bytearray()
    while True:
        try:
            piece = os.read(end, 65536)
        except OSError:  # how Linux says so
            return found.decode()
        found += piece


def test_what_is_said_in_a_run_stays_on_the_terminal(tmp_path: Path) -> None:
    ours, theirs = terminal(80)
    with simulator("--latency-ms", "2000") as url:
        config = write_config(tmp_path, url)
        process = subprocess.Popen(
            command("ice", config, "--cache", tmp_path / "cache", "--no-preflight"),
            cwd=tmp_path,
            env=environment(COLUMNS="80", TERM="xterm"),
            stdout=subprocess.DEVNULL,
            stderr=theirs,
            text=True,
        )
        os.close(theirs)
        wait_until(lambda: stats(url)["calls"] > 0, process)
        process.send_signal(signal.SIGUSR1)
        process.send_signal(signal.SIGINT)
        shown = screen(read_all(ours), columns=80)
        process.wait(timeout=HANG_S)
    os.close(ours)

    assert process.returncode == 130
    assert all(len(line) <= 80 for line in shown)
    whole = " ".join(shown)  # what was wrapped, in one piece
    assert "calls in flight; press Ctrl-C again to drop them" in whole
    for name in ("target", "helper", "judge"):
        assert whole.count(f"hydrometer: {name}: ") == 1
    assert whole.count("breaker closed") == 3
    assert whole.count("hydrometer: interrupted") == 1
    assert sum(line.startswith("target ") for line in shown) == 1  # the live line, once
