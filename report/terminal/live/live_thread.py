"""Live thread: repeats a refresh beside the work, and keeps writes to stderr apart from it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, cast


class _LockedStream:
    """A text stream whose writes hold a lock."""

    def __init__(self, stream: IO[str], lock: threading.RLock) -> None:
        self._stream = stream
        self._lock = lock

    def write(self, text: str) -> int:
        with self._lock:
            return self._stream.write(text)

    def flush(self) -> None:
        with self._lock:
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def locked_stderr(lock: threading.RLock) -> Iterator[None]:
    """Have every write to sys.stderr hold *lock* inside the block."""
    stream = sys.stderr
    sys.stderr = cast(IO[str], _LockedStream(stream, lock))
    try:
        yield
    finally:
        sys.stderr = stream


@contextmanager
def repeated(do: Callable[[], None], every_s: float) -> Iterator[None]:
    """Call *do* every *every_s* seconds inside the block, and once after it."""
    ended = threading.Event()

    def repeat() -> None:
        while not ended.wait(every_s):
            do()

    thread = threading.Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        do()
