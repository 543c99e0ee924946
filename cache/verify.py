"""Whether every stored answer is what was stored."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from .entry import checked_version
from .errors import CacheDamaged, EntryDamaged
from .keys import KEY_VERSION
from .reader import Reader, open_reader, size_on_disk
from .sql import ALL, BY_ID, BY_KEY_INDEX, DATABASE, EntryRow
from .sqlite_errors import cut_short

NAMED = 20  # damaged answers that are named; the others are counted

# More than quick_check: it follows every row through the index, by which alone an answer is found.
_CHECK = "PRAGMA integrity_check(5)"
# How many rows there should be, which diskcache's triggers keep.
_COUNT = "SELECT CAST(value AS INTEGER) FROM Settings WHERE key = 'count'"


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """A stored answer that is not what was stored, or a row that was never an answer."""

    key: str  # "row N" where the row has no key that is text
    rule: str


class OtherVersion(msgspec.Struct, frozen=True, kw_only=True):
    """How many sound answers have keys of another version, which no request is given now."""

    key_version: int
    answers: int


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in a cache; nothing in it was changed."""

    folder: str
    size_bytes: int
    sound: int = 0
    other_versions: tuple[OtherVersion, ...] = ()
    damaged: int = 0
    named: tuple[Damage, ...] = ()  # the first of the damaged
    database: tuple[str, ...] = ()  # what is wrong with the database, beside its answers

    @property
    def all_sound(self) -> bool:
        """Whether no damage was found."""
        return not self.damaged and not self.database

    @property
    def answers(self) -> int:
        """How many answers were found, in whatever state."""
        return self.sound + self.damaged + sum(other.answers for other in self.other_versions)


def verify_cache(folder: Path, *, named: int = NAMED) -> Verification:
    """Read every row of the cache in *folder* and check it; nothing is written or repaired.

    Raises CacheUnreadable where there is no cache. A writer in another process is no obstacle:
    what it adds meanwhile is not looked at.
    """
    while True:
        try:
            with open_reader(folder) as reader:
                found = _verify(reader, folder, named)
                if not reader.overtaken:
                    return found
        except CacheDamaged as error:
            return Verification(
                folder=str(folder), size_bytes=size_on_disk(folder), database=(error.cause,)
            )


def _verify(reader: Reader, folder: Path, named: int) -> Verification:
    reader.query("BEGIN")  # rows, count and SQLite's own check see the same moment
    versions: Counter[int] = Counter()
    damages: list[Damage] = []
    damaged = 0
    for row in _all_rows(reader):
        try:
            if row.fault:
                raise EntryDamaged(row.key, row.fault)
            versions[checked_version(row.key, row.data)] += 1
        except EntryDamaged as error:
            damaged += 1
            if len(damages) < named:
                damages.append(Damage(key=row.key, rule=error.rule))
    sound = versions.pop(KEY_VERSION, 0)
    others = [OtherVersion(key_version=v, answers=n) for v, n in sorted(versions.items())]
    return Verification(
        folder=str(folder),
        size_bytes=size_on_disk(folder),
        sound=sound,
        other_versions=tuple(others),
        damaged=damaged,
        named=tuple(damages),
        database=_database_damage(reader, folder, sound + versions.total() + damaged),
    )


def _all_rows(reader: Reader) -> Iterator[EntryRow]:
    """Yield the rows in order; behind a page that can't be read, those that the key index knows."""
    last = 0
    try:
        for row in reader.rows(ALL):
            last = row.id
            yield row
    except sqlite3.DatabaseError:
        yield from _rows_behind(reader, last)


def _rows_behind(reader: Reader, last: int) -> Iterator[EntryRow]:
    try:
        for number, name in reader.query(BY_KEY_INDEX):
            if number > last:
                yield _row_alone(reader, number, name)
    except sqlite3.DatabaseError:
        return  # the index ends here too: what is left shows in the count


def _row_alone(reader: Reader, number: int, name: bytes) -> EntryRow:
    fault = "its row is missing"
    try:
        for row in reader.rows(BY_ID, number):
            return row
    except sqlite3.DatabaseError as error:
        fault = f"its row cannot be read ({error})"
    return EntryRow(
        id=number, key=name.decode(errors="replace"), fault=fault, data=b"", stored_at=None
    )


def _database_damage(reader: Reader, folder: Path, seen: int) -> tuple[str, ...]:
    """Return what SQLite finds wrong, and whether there are fewer rows than it has counted."""
    found = [*_findings(reader), *_unreached(reader, seen)]
    # Beside a writer a file may well be shorter than its header says, but then all can be read.
    cut = cut_short(folder / DATABASE) if found else ""
    return (cut, *found) if cut else tuple(found)


def _findings(reader: Reader) -> Iterator[str]:
    try:
        for (text,) in reader.query(_CHECK):
            lines = (line for line in text.splitlines() if not line.startswith("***"))
            yield from (line for line in lines if line != "ok")
    except sqlite3.DatabaseError as error:
        yield str(error)


def _unreached(reader: Reader, seen: int) -> Iterator[str]:
    try:
        counted = reader.query(_COUNT).fetchone()
    except sqlite3.DatabaseError:
        return  # said already, by SQLite's own check
    if counted and counted[0] > seen:
        yield f"{counted[0] - seen:,} of {counted[0]:,} answers cannot be reached"
