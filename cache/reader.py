"""Read-only store: opens a cache without writing a row, a setting or a file beside the database.

diskcache cannot do this, because it writes its settings whenever it opens a database. SQLite can,
in one of two modes. Whether the database has a write-ahead log decides which one is used:

- The log exists: another process has the cache open, or was killed. ``mode=ro`` reads database and
  log together and waits for no writer; ``immutable=1`` would miss the rows that are in the log
  only. (SQLite may update the index of the log, a file that processes share.)
- There is no log: ``mode=ro`` would create a log and its index and leave them there. So
  ``immutable=1`` reads the file without locks, also from a read-only folder. SQLite then assumes
  that nobody writes and does not notice a writer. Before each query the reader therefore checks
  whether the file has changed since it was opened, and if so opens it again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from .errors import CacheUnreadable, CacheUnwritable, ForeignValue
from .keys import KEY_VERSION
from .sql import ALL, DATABASE, STORED, EntryRow, next_row
from .sqlite_errors import read_failure
from .store import StoreInfo

# A view or a virtual table has no root page. Reading one would run SQL from the database.
_CACHE_TABLE = (
    "SELECT 1 FROM sqlite_master WHERE name = 'Cache' AND type = 'table' AND rootpage > 0"
)
_BUSY_S = 5.0
_READ_ERRORS = (sqlite3.Error, OSError)


class Reader:
    """A read-only store; see ``open_reader``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = _Files(folder)
        self._connections = ExitStack()
        self._has_changed = False
        self._connect()

    def get(self, key: str) -> bytes | None:
        """Return what is stored under *key*, or None.

        Raises ForeignValue for a row that Hydrometer did not write, and CacheUnreadable.
        """
        try:
            found = self.query(STORED, key).fetchone()
        except _READ_ERRORS as error:
            raise read_failure(self._folder, error) from error
        if found is None:
            return None
        fault, data = found
        if fault:
            raise self._foreign(key, fault)
        stored: bytes = data
        return stored

    async def add(self, key: str, data: bytes) -> bytes:
        """Raise CacheUnwritable: a reader stores nothing."""
        raise CacheUnwritable(str(self._folder), "it was opened for reading only")

    def keys(self) -> Iterator[str]:
        """Yield the keys in the order in which they were stored."""
        try:
            for row in self.rows(ALL):
                if row.fault:
                    raise self._foreign(row.key, row.fault)
                yield row.key
        except _READ_ERRORS as error:
            raise read_failure(self._folder, error) from error

    def info(self) -> StoreInfo:
        """Return the number of entries, and the size of the database and its log."""
        try:
            (entries,) = self.query("SELECT count(*) FROM Cache").fetchone()
        except _READ_ERRORS as error:
            raise read_failure(self._folder, error) from error
        return StoreInfo(
            entries=entries,
            size_bytes=size_on_disk(self._folder),
            folder=str(self._folder),
            key_version=KEY_VERSION,
        )

    def rows(self, sql: str, *values: str | int) -> Iterator[EntryRow]:
        """Yield the rows that *sql*, a statement of sql.py, selects; foreign rows too.

        Raises sqlite3.Error at the first row that cannot be read.
        """
        cursor = self.query(sql, *values)
        while (row := next_row(cursor)) is not None:
            yield row

    def query(self, sql: str, *values: str | int) -> sqlite3.Cursor:
        """Run *sql* on the current state of the database. Raises sqlite3.Error."""
        if self._is_stale():
            self._has_changed = True
            self._connect()
        return self._connection.execute(sql, values)

    @property
    def changed_while_open(self) -> bool:
        """Whether another process wrote to a database that was opened as immutable.

        The rows that a loop has read may then come from different states of the database.
        """
        return self._has_changed or self._is_stale()

    def close(self) -> None:
        """Close the database."""
        self._connections.close()

    def _is_stale(self) -> bool:
        return self._seen is not None and self._seen != self._files.stamp()

    def _connect(self) -> None:
        # Take the stamp before connecting: a write in between is then noticed.
        seen = self._files.stamp()
        self._seen = None if self._files.log_is_there() else seen
        mode = "mode=ro" if self._seen is None else "immutable=1"
        address = f"{self._files.database.absolute().as_uri()}?{mode}"
        # The previous connection stays open: a loop may still read its rows.
        self._connection = self._connections.enter_context(
            closing(sqlite3.connect(address, timeout=_BUSY_S, uri=True, isolation_level=None))
        )

    def _foreign(self, key: str, fault: str) -> ForeignValue:
        return ForeignValue(f"row {key!r} in {self._folder} is {fault}")


class _Files:
    def __init__(self, folder: Path) -> None:
        self.database = folder / DATABASE
        self._log = folder / f"{DATABASE}-wal"
        self._index = folder / f"{DATABASE}-shm"

    def log_is_there(self) -> bool:
        """Return whether the database must be read with its log; an empty log does not count."""
        try:
            return self._log.stat().st_size > 0 or self._index.exists()
        except FileNotFoundError:
            return False

    def stamp(self) -> tuple[int, int, bool]:
        """Return a value that changes when somebody writes to the database or opens it."""
        status = self.database.stat()
        return status.st_mtime_ns, status.st_size, self.log_is_there()


@contextmanager
def open_reader(folder: Path) -> Iterator[Reader]:
    """Open the cache in *folder* for reading only; the folder may be read-only.

    Raises CacheUnreadable if there is no cache, and CacheDamaged if its database is damaged.
    """
    folder = folder.expanduser()
    try:
        if not (folder / DATABASE).exists():
            raise CacheUnreadable(str(folder), "there is none")
        if not (folder / DATABASE).stat().st_size:
            raise CacheUnreadable(str(folder), f"{DATABASE} is empty")
        reader = Reader(folder)
    except _READ_ERRORS as error:
        raise read_failure(folder, error) from error
    with closing(reader):
        _refuse_other(reader, folder)
        yield reader


def size_on_disk(folder: Path) -> int:
    """Return the bytes of the database and its log."""
    sizes = []
    for file in folder.glob(f"{DATABASE}*"):
        try:
            sizes.append(file.stat().st_size)
        except FileNotFoundError:  # the last writer removed the log when it closed
            continue
    return sum(sizes)


def _refuse_other(reader: Reader, folder: Path) -> None:
    try:
        if reader.query(_CACHE_TABLE).fetchone() is not None:
            reader.query(f"{STORED} LIMIT 0", "")  # checks the columns; reads no row
            return
    except _READ_ERRORS as error:
        raise read_failure(folder, error) from error
    raise CacheUnreadable(str(folder), f"{DATABASE} is a database of something else")
