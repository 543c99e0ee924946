"""``python -m bench live`` and ``python -m bench replay``, from a checkout."""

from __future__ import annotations

import argparse

import anyio

from . import live, memory, replay
from .measure import about_machine

BENCHES = {"live": live.run, "replay": replay.run, "memory": memory.run}


def main() -> None:
    """Run one benchmark and end with its one line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("name", choices=BENCHES)
    parser.add_argument("--calls", type=int, default=0, help="how many calls (default: by name)")
    parser.add_argument("--rounds", type=int, default=5, help="how often, in turn (median)")
    options = parser.parse_args()
    print(about_machine())
    anyio.run(BENCHES[options.name], options.calls, options.rounds)


main()
