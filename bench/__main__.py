"""``python -m bench NAME``, from a checkout: each ends with one line that sums it up."""

from __future__ import annotations

import argparse
from functools import partial

import anyio

from . import live, memory, peers, replay, soak, store
from .measure import about_machine

IN_ROUNDS = {"live": live, "replay": replay, "store": store, "peers": peers, "memory": memory}


def main() -> None:
    """Run one benchmark."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    names = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name, bench in IN_ROUNDS.items():
        options = names.add_parser(name, help=_summary(bench.__doc__), description=bench.__doc__)
        options.add_argument("--calls", type=int, default=0, help="how many (default: by name)")
        options.add_argument("--rounds", type=int, default=5, help="how often, in turn (median)")
        if bench is peers:
            options.add_argument(
                "--python",
                action="append",
                default=[],
                help="an interpreter to look for peers in, beside this one; may be repeated",
            )
    options = names.add_parser("soak", help=_summary(soak.__doc__), description=soak.__doc__)
    options.add_argument("--calls", type=int, default=0, help="how many at most (default: any)")
    options.add_argument("--minutes", type=float, default=4.0, help="how long at most")
    options.add_argument("--faults", default=soak.FAULTS, help="as simulate takes them")
    chosen = parser.parse_args()
    print(about_machine())
    match chosen.name:
        case "soak":
            work = partial(soak.run, chosen.calls, chosen.minutes, chosen.faults)
        case "peers":
            work = partial(peers.run, chosen.calls, chosen.rounds, chosen.python)
        case name:
            work = partial(IN_ROUNDS[name].run, chosen.calls, chosen.rounds)
    anyio.run(work)


def _summary(text: str | None) -> str:
    return (text or "").partition("\n")[0]


main()
