"""Endpoints on the loopback, in processes of their own: their CPU time is nobody's call's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def open_server() -> Iterator[str]:
    """Serve what ``bench.server`` does; gives the base URL."""
    with _open_process("bench.server") as url:
        yield f"{url}/v1"


@contextmanager
def open_simulator(*flags: str) -> Iterator[str]:
    """Serve simulated models as ``hydrometer simulate`` does with *flags*; gives the base URL."""
    with _open_process("hydrometer", "simulate", "--port", "0", *flags) as url:
        yield url


@contextmanager
def _open_process(module: str, *arguments: str) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        while "http://" not in (line := process.stdout.readline()):
            if not line:
                raise RuntimeError(f"{module} ended before it served")
        yield line[line.index("http://") :].split()[0].rstrip(")")
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()
