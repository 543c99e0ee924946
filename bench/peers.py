"""The same calls through Hydrometer and through the libraries that one would use instead."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import msgspec

from .contenders import CONTENDERS, Contender, Mode
from .loopback import open_server
from .measure import Round, last_line, median, ratio
from .worker import MISSING, Task

CALLS = 1000
WARM_UP = 200

_HOW = """\
not installed: {names}
Their dependencies can clash, so give each an environment of its own:
    python3 -m venv .venv/peers/NAME
    .venv/peers/NAME/bin/pip install NAME anyio msgspec   (litellm: 'litellm[proxy]' diskcache)
    python -m bench peers --python .venv/peers/NAME/bin/python"""


class Worker:
    """A contender in a process of its own: no other's heap, threads or imports are in its way."""

    def __init__(self, contender: Contender, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self.name = contender.name
        self.rounds: list[Round] = []
        self.failure = ""
        self._stdin = stdin
        self._stdout = stdout
        self.about = msgspec.json.decode(self._read(), type=str)

    def do(self, first: int, calls: int, *, keep: bool = True) -> None:
        """Have it make *calls* calls, with the prompts from *first* on."""
        if self.failure:
            return
        self._stdin.write(msgspec.json.encode(Task(first, calls)) + b"\n")
        self._stdin.flush()
        match msgspec.json.decode(self._read(), type=Round | str):
            case Round() as figures if keep:
                self.rounds.append(figures)
            case str() as failure:
                self.failure = failure

    def _read(self) -> bytes:
        line = self._stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended; its own words are above")
        return line


async def run(calls: int, rounds: int, pythons: Sequence[str] = ()) -> None:
    """Print what each contender needs for a call, live and from its own cache."""
    calls = calls or CALLS
    interpreters = (sys.executable, *pythons)
    live = _run_live(calls, rounds, interpreters)
    print(f"live: {calls} calls, medians of {rounds} rounds")
    _print_table(live)
    print(f"replay, each from its own cache: {calls} calls, medians of {rounds} rounds")
    _print_table(_run_replay(calls, rounds, interpreters))
    opened = {worker.name for worker in live}
    if missing := [c.name for c in CONTENDERS if c.name not in opened]:
        print(_HOW.format(names=", ".join(missing)))
    print(last_line("peers", live[1].rounds, live[0].rounds))


def _run_live(calls: int, rounds: int, interpreters: Sequence[str]) -> list[Worker]:
    with tempfile.TemporaryDirectory() as folder, open_server() as url, ExitStack() as stack:
        workers = _open_all("live", url, Path(folder), interpreters, stack)
        for worker in workers:
            worker.do(0, WARM_UP, keep=False)
        for number in range(rounds):
            for worker in workers:
                worker.do(WARM_UP + number * calls, calls)
    return workers


def _run_replay(calls: int, rounds: int, interpreters: Sequence[str]) -> list[Worker]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        with open_server() as url:
            workers = _open_all("replay", url, Path(folder), interpreters, stack)
            for worker in workers:
                worker.do(0, calls, keep=False)
        # The server is gone: what is answered now comes from a cache.
        for _ in range(rounds):
            for worker in workers:
                worker.do(0, calls)
    return workers


def _print_table(workers: Sequence[Worker]) -> None:
    bare, ours = workers[0].rounds, workers[1].rounds
    print(f"{'':<40} {'CPU a call':>12} {'to bare':>9} {'to ours':>9}")
    for worker in workers:
        name = worker.name if worker.name in worker.about else f"{worker.name} ({worker.about})"
        if worker.failure:
            print(f"{name:<40} failed: {worker.failure}")
            continue
        print(
            f"{name:<40} {median(worker.rounds).cpu_ms:>9.3f} ms "
            f"{ratio(worker.rounds, bare):>7.1f} x {ratio(worker.rounds, ours):>7.1f} x"
        )


def _open_all(
    mode: Mode, url: str, folder: Path, interpreters: Sequence[str], stack: ExitStack
) -> list[Worker]:
    """Return the contenders that are installed, each from the first interpreter that has it."""
    opened = []
    for number, contender in enumerate(CONTENDERS):
        if mode == "replay" and not contender.caches:
            continue
        own = folder / str(number)
        own.mkdir()
        for interpreter in interpreters:
            arguments = (contender.name, mode, url, str(own))
            worker = stack.enter_context(_open_worker(contender, interpreter, arguments))
            if worker.about != MISSING:
                opened.append(worker)
                break
    return opened


@contextmanager
def _open_worker(
    contender: Contender, interpreter: str, arguments: Sequence[str]
) -> Iterator[Worker]:
    process = subprocess.Popen(
        [interpreter, "-m", "bench.worker", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Worker(contender, process.stdin, process.stdout)
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()
