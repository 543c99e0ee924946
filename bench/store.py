"""The store's add, get, miss and scan, against bare sqlite3 and bare diskcache doing the same.

All three hold the same entries of 3 KB under the same keys, write to a log that is synced when it
is folded in, and put as many rows into a transaction as there are writers at once.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, closing
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

import diskcache

from hydrometer.cache.disk import DiskStore, open_store
from hydrometer.cache.entry import decode_entry, encode_entry
from hydrometer.cache.inspection.verify import verify_cache
from hydrometer.cache.keys import request_key
from hydrometer.providers.types import Message, Request, Response, Sampling

from .calls import AT_ONCE, MAX_TOKENS, prompt_of, spread
from .measure import Round, last_line, row, timed
from .server import TEXT

ENTRIES = 4000
OPERATIONS = ("add", "get", "miss", "scan")

_PRAGMAS = "PRAGMA journal_mode = wal; PRAGMA synchronous = 1"
_CHECK = "PRAGMA integrity_check(5)"

Row = tuple[str, bytes]


class Contender(Protocol):
    """A store under test, open and empty; each method returns how many operations it did."""

    async def add(self, rows: Sequence[Row]) -> int:
        """Store *rows*, ``AT_ONCE`` at a time, each only where its key is free."""
        ...

    async def get(self, keys: Sequence[str]) -> int:
        """Look up *keys* one by one, whether they are there or not."""
        ...

    async def scan(self) -> int:
        """Read everything: digests, requests against keys, and SQLite's own check."""
        ...


class Ours:
    """The store as runs use it."""

    def __init__(self, store: DiskStore, folder: Path) -> None:
        self._store = store
        self._folder = folder

    async def add(self, rows: Sequence[Row]) -> int:
        """Have many writers add a row each; the store gathers them."""

        async def add_one(number: int) -> bytes:
            return await self._store.add(*rows[number])

        await spread(add_one, len(rows))
        return len(rows)

    async def get(self, keys: Sequence[str]) -> int:
        """Ask the store."""
        for key in keys:
            self._store.get(key)
        return len(keys)

    async def scan(self) -> int:
        """Do what ``hydrometer cache verify`` does."""
        found = verify_cache(self._folder)
        assert found.all_sound
        return found.sound


class BareSqlite:
    """A table of keys and values, and nothing between."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.executescript(_PRAGMAS)
        connection.execute("CREATE TABLE Answers (key TEXT PRIMARY KEY, value BLOB)")

    async def add(self, rows: Sequence[Row]) -> int:
        """Insert the rows of each transaction in one go."""
        for batch in _batches(rows):
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT OR IGNORE INTO Answers VALUES (?, ?)", batch)
            self._connection.execute("COMMIT")
        return len(rows)

    async def get(self, keys: Sequence[str]) -> int:
        """Select one value at a time."""
        for key in keys:
            self._connection.execute("SELECT value FROM Answers WHERE key = ?", (key,)).fetchone()
        return len(keys)

    async def scan(self) -> int:
        """Check rows as they come from one query."""
        rows = self._connection.execute("SELECT key, value FROM Answers ORDER BY rowid")
        checked = sum(decode_entry(*row) is not None for row in rows)
        assert self._connection.execute(_CHECK).fetchone() == ("ok",)
        return checked


class BareDiskcache:
    """diskcache as its documentation has it, told to forget nothing and to keep rows together."""

    def __init__(self, cache: diskcache.Cache) -> None:
        self._cache = cache

    async def add(self, rows: Sequence[Row]) -> int:
        """Add row by row inside each transaction."""
        for batch in _batches(rows):
            with self._cache.transact():
                for key, data in batch:
                    self._cache.add(key, data)
        return len(rows)

    async def get(self, keys: Sequence[str]) -> int:
        """Ask the cache."""
        for key in keys:
            self._cache.get(key)
        return len(keys)

    async def scan(self) -> int:
        """Look up every key that there is."""
        checked = sum(decode_entry(key, self._cache.get(key)) is not None for key in self._cache)
        assert not self._cache.check()
        return checked


Figures = dict[str, list[Round]]  # one round after the other, by operation


async def run(entries: int, rounds: int) -> None:
    """Print the table and the ratio."""
    rows = _build_rows(entries or ENTRIES)
    figures: dict[str, Figures] = {}
    for number in range(rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            async with AsyncExitStack() as stack:
                for name, contender in (await _open_all(Path(folder), stack)).items():
                    measured = await _measure(contender, rows)
                    if number:  # the first round warms up
                        mine = figures.setdefault(name, {what: [] for what in OPERATIONS})
                        for what in OPERATIONS:
                            mine[what].append(measured[what])
    bare, ours = figures["bare sqlite3"], figures["hydrometer"]
    print(f"{len(rows)} entries of {len(rows[0][1])} bytes, medians of {rounds} rounds")
    for what in OPERATIONS:
        for name, mine in figures.items():
            print(row(f"{what:<5} {name}", mine[what], bare[what]))
    # What one call asks of the store in its life: missed and added when sent, found when replayed.
    print(last_line("store", _life(ours), _life(bare)))


async def _open_all(folder: Path, stack: AsyncExitStack) -> dict[str, Contender]:
    table, cached, ours = (folder / name for name in ("sqlite3.db", "diskcache", "hydrometer"))
    connection = stack.enter_context(closing(sqlite3.connect(table, isolation_level=None)))
    cache = diskcache.Cache(
        str(cached),
        eviction_policy="none",
        cull_limit=0,
        size_limit=2**62,
        disk_min_file_size=2**62,
    )
    stack.enter_context(closing(cache))
    store = await stack.enter_async_context(open_store(ours))
    return {
        "bare sqlite3": BareSqlite(connection),
        "bare diskcache": BareDiskcache(cache),
        "hydrometer": Ours(store, ours),
    }


async def _measure(contender: Contender, rows: Sequence[Row]) -> dict[str, Round]:
    known = [key for key, _ in rows]
    random.Random(0).shuffle(known)  # a replay does not ask in the order of arrival
    unknown = [blake2b(key.encode(), digest_size=20).hexdigest() for key in known]
    return {
        "add": await timed(lambda: contender.add(rows)),
        "get": await timed(lambda: contender.get(known)),
        "miss": await timed(lambda: contender.get(unknown)),
        "scan": await timed(contender.scan),
    }


def _life(figures: Figures) -> list[Round]:
    return [
        Round(sum(r.cpu_ms for r in rounds), sum(r.wall_ms for r in rounds))
        for rounds in zip(*(figures[what] for what in ("miss", "add", "get")), strict=True)
    ]


def _build_rows(entries: int) -> list[Row]:
    response = Response(text=TEXT)
    rows = []
    for number in range(entries):
        request = Request(
            identity="bench",
            messages=(Message(role="user", content=prompt_of(number)),),
            sampling=Sampling(max_tokens=MAX_TOKENS),
        )
        key = request_key(request)
        rows.append((key, encode_entry(key, request, response)))
    return rows


def _batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), AT_ONCE):
        yield rows[start : start + AT_ONCE]
