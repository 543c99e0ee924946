"""Store on disk: one SQLite database, opened through diskcache.

By default diskcache evicts entries past 1 GiB, writes large values to separate files, pickles every
value that is not text or a number, and reads its settings from the database that it opens. This
store must lose nothing and must execute nothing that it reads. So all values stay inside the
database, every setting is fixed here, and a row that is not plain bytes under a plain text key is
refused.

diskcache opens one connection per thread. Reads use the connection of the event loop's thread: in
WAL mode they wait for no writer. Writes run in worker threads that come and go, and opening a
connection costs more than a transaction. So all writers share one connection, and one transaction
runs at a time.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import diskcache
from anyio import to_thread
from diskcache.core import DBNAME, METADATA, MODE_RAW

from .errors import CacheError, CacheUnreadable, ForeignValue
from .keys import KEY_VERSION
from .reader import size_on_disk
from .sqlite_errors import is_locked, write_failure
from .store import StoreInfo
from .write_batch import BatchWriter, Outcomes, Rows

_SETTINGS = {
    "statistics": 0,
    "tag_index": 0,
    "eviction_policy": "none",
    "cull_limit": 0,
    "size_limit": 2**62,
    "disk_min_file_size": 2**62,
    "disk_pickle_protocol": 0,
    "sqlite_auto_vacuum": 0,  # nothing is deleted
    "sqlite_cache_size": 2**13,
    "sqlite_journal_mode": "wal",
    "sqlite_mmap_size": 0,  # a mapped file that is truncated kills the process with SIGBUS
    "sqlite_synchronous": 1,  # NORMAL: a killed process loses nothing, a power cut the last writes
}

# Inserts a whole batch with one statement. diskcache's own ``add`` takes two statements and 40
# microseconds a row, a tenth of a live call. Both keep a row that is already there.
_INSERT = (
    "INSERT OR IGNORE INTO Cache (key, raw, store_time, access_time, size, mode, value)"
    " VALUES (?, 1, ?, ?, 0, ?, ?)"
)

_BUSY_S = 5.0  # SQLite waits this long for a lock; then we check the total against our patience
_DATABASE_ERRORS = (sqlite3.Error, OSError, diskcache.Timeout)


class _PlainDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Rows with text keys and bytes as values; reading or writing anything else is refused."""

    def put(self, key: object) -> tuple[str, bool]:
        if type(key) is not str:
            raise TypeError(f"a key must be a str, got {type(key).__name__}")
        return key, True

    def get(self, key: object, raw: object) -> str:
        if not raw or type(key) is not str:
            raise ForeignValue(f"a row in {self._directory} has a key that is no plain text")
        return key

    def store(
        self, value: object, read: object, key: object = None
    ) -> tuple[int, int, None, memoryview]:
        if type(value) is not bytes or read:
            raise TypeError(f"a value must be bytes, got {type(value).__name__}")
        return 0, MODE_RAW, None, memoryview(value)

    def fetch(self, mode: int, filename: str | None, value: object, read: object) -> bytes:
        if mode != MODE_RAW or filename is not None or type(value) is not bytes or read:
            raise ForeignValue(f"a row in {self._directory} has a value that is no plain bytes")
        return value


class _Database(diskcache.Cache):  # type: ignore[misc]  # diskcache has no types
    """A diskcache with our rows and settings, and one connection that the writers share."""

    def __init__(self, folder: Path, *, busy_s: float) -> None:
        self._writers: sqlite3.Connection | None = None
        self._writes = threading.Lock()
        try:
            super().__init__(str(folder), timeout=busy_s, disk=_PlainDisk, **_SETTINGS)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Lend the writers' connection to this thread.

        After an error the connection is closed and the next writer opens a new one: a COMMIT that
        fails may leave its transaction open, and closing the connection always ends it.
        """
        with self._writes:
            if self._writers is None:
                self._writers = self._connect()
            own = getattr(self._local, "con", None)
            self._local.con, self._local.pid = self._writers, os.getpid()
            try:
                yield
            except BaseException:
                self._writers = None
                self.close()
                raise
            finally:
                self._local.con = own

    def insert(self, rows: Rows) -> int:
        """Insert the *rows* whose key is free, inside ``writing``; return how many those were."""
        assert self._writers is not None
        now = time.time()
        values = [(key, now, now, MODE_RAW, data) for key, data in rows.items()]
        inserted: int = self._writers.executemany(_INSERT, values).rowcount
        return inserted

    def close_all(self) -> None:
        """Wait for the current write, then close this thread's connection and the writers'."""
        with self._writes:
            if self._writers is not None:
                self._writers.close()
        self.close()

    def _connect(self) -> sqlite3.Connection:
        path = Path(self.directory) / DBNAME
        connection = sqlite3.connect(
            path, timeout=self.timeout, isolation_level=None, check_same_thread=False
        )
        try:
            for name, value in _SETTINGS.items():
                if name.startswith("sqlite_"):
                    connection.execute(f"PRAGMA {name.removeprefix('sqlite_')} = {value}")
        except sqlite3.Error:
            connection.close()
            raise
        return connection


class DiskStore:
    """A store in a folder, shared with other processes; see ``open_store``."""

    def __init__(self, database: _Database, *, lock_patience_s: float) -> None:
        self._database = database
        self._folder = Path(database.directory)
        self._lock_patience_s = lock_patience_s
        self._writer = BatchWriter(self._write)

    def get(self, key: str) -> bytes | None:
        """Return what is stored under *key*, or None.

        Raises ForeignValue for a row that Hydrometer did not write, and CacheUnreadable.
        """
        try:
            value: bytes | None = self._database.get(key)
        except ForeignValue as error:
            raise _named(error, key) from None
        except _DATABASE_ERRORS as error:
            raise CacheUnreadable(str(self._folder), str(error)) from error
        return value

    async def add(self, key: str, data: bytes) -> bytes:
        """Store *data* unless the key is taken, and return what is stored once it is committed."""
        if type(data) is not bytes:
            raise TypeError(f"a value must be bytes, got {type(data).__name__}")
        return await self._writer.add(key, data)

    def keys(self) -> Iterator[str]:
        """Yield the keys in the order in which they were stored."""
        try:
            yield from self._database
        except _DATABASE_ERRORS as error:
            raise CacheUnreadable(str(self._folder), str(error)) from error

    def info(self) -> StoreInfo:
        """Return the number of entries, and the size of the database and its log."""
        try:
            entries = len(self._database)
        except _DATABASE_ERRORS as error:
            raise CacheUnreadable(str(self._folder), str(error)) from error
        return StoreInfo(
            entries=entries,
            size_bytes=size_on_disk(self._folder),
            folder=str(self._folder),
            key_version=KEY_VERSION,
        )

    def _write(self, rows: Rows) -> Outcomes:
        try:
            with self._database.writing():
                return self._commit(rows)
        except _DATABASE_ERRORS as error:
            failure = write_failure(self._folder, error)
            failure.__cause__ = error
            return dict.fromkeys(rows, failure)

    def _commit(self, rows: Rows) -> Outcomes:
        deadline = time.monotonic() + self._lock_patience_s
        while True:
            try:
                with self._database.transact():
                    if self._database.insert(rows) == len(rows):
                        return rows
                    return {key: self._stored(key) for key in rows}  # some keys were taken
            except diskcache.Timeout as error:
                # diskcache can retry by itself, but would also retry for ever on a full disk.
                if not is_locked(error) or time.monotonic() >= deadline:
                    raise

    def _stored(self, key: str) -> bytes | CacheError:
        try:
            stored: bytes = self._database.get(key)
        except ForeignValue as error:
            return _named(error, key)
        return stored


@asynccontextmanager
async def open_store(
    folder: Path, *, create: bool = True, lock_patience_s: float = 120.0
) -> AsyncIterator[DiskStore]:
    """Open the cache in *folder*; if *create* is true, a missing one is created.

    Raises CacheUnreadable for a folder that holds something else, and CacheUnwritable when nothing
    can be stored. A write that waits for another process's lock fails after *lock_patience_s*.
    """
    database = await to_thread.run_sync(
        _open_database, folder, create, min(_BUSY_S, lock_patience_s)
    )
    try:
        yield DiskStore(database, lock_patience_s=lock_patience_s)
    finally:
        database.close_all()


def holds_store(folder: Path) -> bool:
    """Return whether there is a cache in *folder* that could be opened."""
    return Path(folder, DBNAME).exists()


def _open_database(folder: Path, create: bool, busy_s: float) -> _Database:  # noqa: FBT001
    folder = Path(os.path.expandvars(folder.expanduser()))  # diskcache does the same
    path = folder / DBNAME
    try:
        if path.exists() and path.stat().st_size > 0:
            _refuse_foreign(folder, path)
        elif not create:
            raise CacheUnreadable(str(folder), "there is none")
        database = _Database(folder, busy_s=busy_s)
        database.close()  # this worker thread's connection; the event loop's thread opens its own
    except _DATABASE_ERRORS as error:
        raise write_failure(folder, error) from error
    return database


def _refuse_foreign(folder: Path, path: Path) -> None:
    """Check the tables before diskcache opens them.

    diskcache sets attributes and pragmas from every row of the table Settings.
    """
    address = f"file:{quote(str(path.absolute()))}?mode=rw"
    with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_S)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        if tables and "Settings" not in tables:
            raise CacheUnreadable(str(folder), f"{DBNAME} is a database of something else")
        if "Settings" in tables:
            names = {name for (name,) in connection.execute("SELECT key FROM Settings")}
            if unknown := names - {*diskcache.DEFAULT_SETTINGS, *METADATA}:
                raise CacheUnreadable(str(folder), f"unknown setting {min(map(str, unknown))!r}")
        if "Cache" in tables:
            expiring = "SELECT 1 FROM Cache WHERE expire_time IS NOT NULL LIMIT 1"
            if connection.execute(expiring).fetchone():
                raise CacheUnreadable(
                    str(folder), "it holds entries with an expiry time, which hydrometer never sets"
                )


def _named(error: ForeignValue, key: str) -> ForeignValue:
    return ForeignValue(f"{error} (key {key}): hydrometer did not write it and does not load it")
