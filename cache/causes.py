"""Why a write to the database failed, in our words."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from .errors import CacheError, CacheUnreadable, CacheUnwritable

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
