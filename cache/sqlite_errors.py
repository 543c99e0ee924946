"""Why the database could not be read or written, in our words."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from .errors import CacheDamaged, CacheError, CacheUnreadable, CacheUnwritable
from .sql import DATABASE

_NOT_A_CACHE = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR}
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def is_locked(error: Exception) -> bool:
    """Return whether another connection held the lock for too long: worth another attempt."""
    return _code(error) in _LOCKED


def write_failure(folder: Path, error: Exception) -> CacheError:
    """Return the error to raise for *error*, which opening the database or a write raised."""
    first = _first(error)
    words = (first.strerror if isinstance(first, OSError) else None) or str(first)
    if is_locked(error):
        words = "another process holds its lock"
    if _code(error) in _NOT_A_CACHE:
        return CacheUnreadable(str(folder), words)
    return CacheUnwritable(str(folder), words)


def read_failure(folder: Path, error: Exception) -> CacheUnreadable:
    """Return the error to raise for *error*, which a read or opening the database for it raised.

    CacheDamaged stands for a database that SQLite finds, and finds broken.
    """
    if _code(error) == sqlite3.SQLITE_CORRUPT:
        return CacheDamaged(str(folder), cut_short(folder / DATABASE) or str(error))
    words = (error.strerror if isinstance(error, OSError) else None) or str(error)
    if _code(error) == sqlite3.SQLITE_CANTOPEN:
        if not os.access(folder / DATABASE, os.R_OK):
            words = f"{DATABASE} may not be read"
        elif (folder / f"{DATABASE}-wal").exists():
            words = f"{DATABASE}-wal needs a folder that can be written to: copy both into one"
    elif _code(error) == sqlite3.SQLITE_ERROR:
        words = f"{DATABASE} is a database of something else ({words})"
    return CacheUnreadable(str(folder), words)


def cut_short(path: Path) -> str:
    """Return how much of the file is missing, by what its header says; nothing where none is."""
    with path.open("rb") as file:
        header = file.read(32)
    page_bytes, pages = int.from_bytes(header[16:18]), int.from_bytes(header[28:32])
    whole = (65536 if page_bytes == 1 else page_bytes) * pages  # 1 is what 65536 is written as
    there = path.stat().st_size
    return f"{path.name} is cut short: {there:,} of {whole:,} bytes are there" * (there < whole)


def _code(error: Exception) -> int:
    """Return SQLite's primary result code, 0 for an error that is not SQLite's."""
    return int(getattr(_first(error), "sqlite_errorcode", 0)) & 0xFF


def _first(error: BaseException) -> BaseException:
    # What went wrong first is the cause: diskcache hides a failed BEGIN behind its Timeout, and a
    # failed INSERT behind a ROLLBACK for which SQLite has left nothing to do. Writes run in worker
    # threads, so that no error of a caller's can be at the beginning of the chain.
    while error.__context__ is not None:
        error = error.__context__
    return error
