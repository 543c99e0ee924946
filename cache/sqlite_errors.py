"""Translation of SQLite and file errors into the errors of the cache."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from .errors import CacheDamaged, CacheError, CacheUnreadable, CacheUnwritable
from .sql import DATABASE

_NOT_A_CACHE = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR}
_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def is_locked(error: Exception) -> bool:
    """Return whether another connection held the lock too long, so that a retry may succeed."""
    return _code(error) in _LOCKED


def write_failure(folder: Path, error: Exception) -> CacheError:
    """Return the error to raise for *error* from a write or from opening the store."""
    first = _first(error)
    words = (first.strerror if isinstance(first, OSError) else None) or str(first)
    if is_locked(error):
        words = "another process holds its lock"
    if _code(error) in _NOT_A_CACHE:
        return CacheUnreadable(str(folder), words)
    return CacheUnwritable(str(folder), words)


def read_failure(folder: Path, error: Exception) -> CacheUnreadable:
    """Return the error to raise for *error* from a read or from opening the reader.

    It is CacheDamaged when SQLite reports a damaged database.
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
    """Return how much of the file is missing according to its header, or "" if nothing is."""
    with path.open("rb") as file:
        header = file.read(32)
    page_bytes, pages = int.from_bytes(header[16:18]), int.from_bytes(header[28:32])
    whole = (65536 if page_bytes == 1 else page_bytes) * pages  # the header writes 65536 as 1
    there = path.stat().st_size
    return f"{path.name} is cut short: {there:,} of {whole:,} bytes are there" * (there < whole)


def _code(error: Exception) -> int:
    """Return SQLite's primary result code, or 0 for an error of another library."""
    return int(getattr(_first(error), "sqlite_errorcode", 0)) & 0xFF


def _first(error: BaseException) -> BaseException:
    # The first error of the chain is the cause. diskcache raises its Timeout for a failed BEGIN.
    # After a failed INSERT its ROLLBACK fails too, because SQLite has already rolled back. Writes
    # run in worker threads, so the chain cannot begin with an error of the caller.
    while error.__context__ is not None:
        error = error.__context__
    return error
