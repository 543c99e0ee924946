"""Hostile endpoint: an OpenAI-compatible server in its own process that misbehaves on demand.

It does what the model's name in a request says: "ok" answers, "status-500" fails, "cut-in-body"
closes the connection in the middle of a reply. hostile_server.py lists the names.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen


class HostileEndpoint:
    """A hostile endpoint that runs; *url* is the base_url of its models, *address* has no path."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.url = f"{address}/v1"

    def redirected(self) -> object:
        """Return the paths of the requests that followed its redirect, as a list."""
        return self._read("recorded")

    def calls(self, model: str) -> int:
        """Return how many requests for *model* it has received."""
        counted = self._read("counted")
        assert isinstance(counted, dict)
        return int(counted.get(model, 0))

    def _read(self, page: str) -> object:
        with urlopen(f"{self.address}/{page}") as reply:  # noqa: S310 (our own server)
            read: object = json.load(reply)
        return read


@contextmanager
def serve_hostile() -> Iterator[HostileEndpoint]:
    """Start a hostile endpoint on a free port of this machine, and stop it in the end."""
    script = Path(__file__).with_name("hostile_server.py")
    command = [sys.executable, str(script)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603 (ours)
        assert process.stdout is not None
        try:
            yield HostileEndpoint(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.kill()
