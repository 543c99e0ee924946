"""One contender in a process of its own: ``python -m bench.worker NAME MODE URL FOLDER``.

It says on stdout what it is, once it is open, and then answers each task, a line of JSON on stdin,
with a line: the figures, or what went wrong. What a library prints goes to stderr. Its environment
needs the contender's library, anyio and msgspec.
"""

from __future__ import annotations

import os
import sys
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

import anyio
import msgspec
from anyio import to_thread

from .calls import CallNumber, spread
from .contenders import CONTENDERS
from .measure import timed

MISSING = "missing"


class Task(msgspec.Struct, frozen=True):
    """So many calls, with the prompts from that number on."""

    first: int
    calls: int


def main() -> None:
    """Open the contender that the arguments name, and do tasks until there are none."""
    name, mode, url, folder = sys.argv[1:]
    contender = next(contender for contender in CONTENDERS if contender.name == name)
    # Libraries that print would garble what we say.
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    if find_spec(contender.library) is None:
        _say(out, MISSING)
        return
    opened = contender.open(url, Path(folder), "live" if mode == "live" else "replay")
    anyio.run(_work, opened, f"{contender.library} {version(contender.library)}", out)


async def _work(opened: AbstractAsyncContextManager[CallNumber], about: str, out: BinaryIO) -> None:
    async with opened as call:
        _say(out, about)

        async def checked(number: int) -> None:
            assert (await call(number)).startswith("I am an assistant"), "the answer is another"

        # The event loop runs on while we wait, as it would in anybody's program.
        while line := await to_thread.run_sync(sys.stdin.readline):
            task = msgspec.json.decode(line, type=Task)

            async def do(task: Task = task) -> int:
                await spread(checked, task.calls, first=task.first)
                return task.calls

            try:
                _say(out, await timed(do))
            except ExceptionGroup as errors:
                _say(out, _first_of(errors))
                return


def _first_of(errors: ExceptionGroup[Exception]) -> str:
    error = errors.exceptions[0]
    if isinstance(error, ExceptionGroup):
        return _first_of(error)
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def _say(out: BinaryIO, what: object) -> None:
    out.write(msgspec.json.encode(what) + b"\n")


if __name__ == "__main__":
    main()
