"""Reads a cache from wherever it lies, and writes nothing: no row, no setting, no file beside it.

diskcache can't: it writes its settings whenever it opens a database. SQLite can, though a database
in WAL mode that is opened with ``mode=ro`` gets a log and an index of the log where it had none,
and keeps them. So there are two ways, and the log decides which:

- It is there: another process has the cache open now, or was killed. ``mode=ro`` reads database and
  log together and waits for no writer; ``immutable`` would miss what the log alone holds. (The
  index of the log, which processes share, may be brought up to date.)
- It is not: ``immutable`` reads the file as it is, without locks, also where nothing may be
  written. SQLite then relies on nobody writing, and can't notice who does. So the reader looks
  before each query whether the file is still the one that it opened, and else opens it anew.
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

# A view or a virtual table has no root page, and would run code of whoever made it.
_ANSWERS = "SELECT 1 FROM sqlite_master WHERE name = 'Cache' AND type = 'table' AND rootpage > 0"
_BUSY_S = 5.0
_TROUBLE = (sqlite3.Error, OSError)


class Reader:
    """A store that can be read only; see ``open_reader``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files = _Files(folder)
        self._connections = ExitStack()
        self._was_overtaken = False
        self._connect()

    def get(self, key: str) -> bytes | None:
        """Return what is stored under *key*; a row that is not ours raises ForeignValue."""
        try:
            found = self.query(STORED, key).fetchone()
        except _TROUBLE as error:
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
        except _TROUBLE as error:
            raise read_failure(self._folder, error) from error

    def info(self) -> StoreInfo:
        """Return how many entries there are, and how much room the database and its log take."""
        try:
            (entries,) = self.query("SELECT count(*) FROM Cache").fetchone()
        except _TROUBLE as error:
            raise read_failure(self._folder, error) from error
        return StoreInfo(
            entries=entries,
            size_bytes=size_on_disk(self._folder),
            folder=str(self._folder),
            key_version=KEY_VERSION,
        )

    def rows(self, sql: str, *values: str | int) -> Iterator[EntryRow]:
        """Yield the rows that *sql*, one of ``rows``, selects; foreign ones too.

        Raises sqlite3.Error at the first that cannot be read.
        """
        cursor = self.query(sql, *values)
        while (row := next_row(cursor)) is not None:
            yield row

    def query(self, sql: str, *values: str | int) -> sqlite3.Cursor:
        """Ask the database as it is now. Raises sqlite3.Error."""
        if self._is_stale():
            self._was_overtaken = True
            self._connect()
        return self._connection.execute(sql, values)

    @property
    def overtaken(self) -> bool:
        """Whether somebody wrote to what was opened as a file that nobody writes to.

        What a loop over rows has read by then need not fit together.
        """
        return self._was_overtaken or self._is_stale()

    def close(self) -> None:
        """Close the database."""
        self._connections.close()

    def _is_stale(self) -> bool:
        return self._seen is not None and self._seen != self._files.stamp()

    def _connect(self) -> None:
        # The stamp first, so that no writer can come between unnoticed.
        seen = self._files.stamp()
        self._seen = None if self._files.log_is_there() else seen
        way = "mode=ro" if self._seen is None else "immutable=1"
        address = f"{self._files.database.absolute().as_uri()}?{way}"
        # The connection before stays open: a loop over its rows may not be through.
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
        """Return whether the database must be read with its log: an empty one may be left over."""
        try:
            return self._log.stat().st_size > 0 or self._index.exists()
        except FileNotFoundError:
            return False

    def stamp(self) -> tuple[int, int, bool]:
        """Return what is another once somebody has written, or has begun to."""
        status = self.database.stat()
        return status.st_mtime_ns, status.st_size, self.log_is_there()


@contextmanager
def open_reader(folder: Path) -> Iterator[Reader]:
    """Open the cache in *folder* for reading only; it may lie where nothing can be written.

    Raises CacheUnreadable where there is none, CacheDamaged where there is one that is broken.
    """
    folder = folder.expanduser()
    try:
        if not (folder / DATABASE).exists():
            raise CacheUnreadable(str(folder), "there is none")
        if not (folder / DATABASE).stat().st_size:
            raise CacheUnreadable(str(folder), f"{DATABASE} is empty")
        reader = Reader(folder)
    except _TROUBLE as error:
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
        except FileNotFoundError:  # the last writer took the log away
            continue
    return sum(sizes)


def _refuse_other(reader: Reader, folder: Path) -> None:
    try:
        if reader.query(_ANSWERS).fetchone() is not None:
            reader.query(f"{STORED} LIMIT 0", "")  # has its columns; reads no row yet
            return
    except _TROUBLE as error:
        raise read_failure(folder, error) from error
    raise CacheUnreadable(str(folder), f"{DATABASE} is a database of something else")
