"""Verification of a whole cache: reads every entry and checks that it is intact."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from ..entry import checked_version
from ..errors import CacheDamaged, EntryDamaged
from ..keys import KEY_VERSION
from ..reader import Reader, open_reader, size_on_disk
from ..sql import ALL, BY_ID, BY_KEY_INDEX, DATABASE, EntryRow
from ..sqlite_errors import cut_short

NAMED = 20  # how many damaged entries are named; the others are only counted

# Not quick_check: entries are found through the index alone, and quick_check does not check it.
_CHECK = "PRAGMA integrity_check(5)"
# The expected number of rows, which diskcache's triggers keep up to date.
_COUNT = "SELECT CAST(value AS INTEGER) FROM Settings WHERE key = 'count'"


class Damage(msgspec.Struct, frozen=True, kw_only=True):
    """An entry that was changed after it was stored, or a row that Hydrometer did not write."""

    key: str  # "row N" if the row's key is not text
    rule: str


class OtherVersion(msgspec.Struct, frozen=True, kw_only=True):
    """How many intact entries have keys of another key version; no request finds them now."""

    key_version: int
    answers: int


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """Result of a verification. Nothing in the cache was changed."""

    folder: str
    size_bytes: int
    sound: int = 0
    other_versions: tuple[OtherVersion, ...] = ()
    damaged: int = 0
    named: tuple[Damage, ...] = ()  # the first damaged entries
    database: tuple[str, ...] = ()  # faults of the database itself

    @property
    def all_sound(self) -> bool:
        """Whether no damage was found."""
        return not self.damaged and not self.database

    @property
    def answers(self) -> int:
        """The number of entries found, intact or not."""
        return self.sound + self.damaged + sum(other.answers for other in self.other_versions)


def verify_cache(folder: Path, *, named: int = NAMED) -> Verification:
    """Read every row of the cache in *folder* and check it; nothing is written or repaired.

    Raises CacheUnreadable if there is no cache. Another process may write at the same time; entries
    that it adds during the check are not checked.
    """
    while True:
        try:
            with open_reader(folder) as reader:
                found = _verify(reader, folder, named)
                if not reader.changed_while_open:
                    return found
        except CacheDamaged as error:
            return Verification(
                folder=str(folder), size_bytes=size_on_disk(folder), database=(error.cause,)
            )


def _verify(reader: Reader, folder: Path, named: int) -> Verification:
    reader.query("BEGIN")  # rows, count and integrity_check see one state of the database
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
    """Yield the rows in order; after a page that cannot be read, those that the key index lists."""
    last = 0
    try:
        for row in reader.rows(ALL):
            last = row.id
            yield row
    except sqlite3.DatabaseError:
        yield from _rows_from_index(reader, last)


def _rows_from_index(reader: Reader, last: int) -> Iterator[EntryRow]:
    try:
        for number, name in reader.query(BY_KEY_INDEX):
            if number > last:
                yield _single_row(reader, number, name)
    except sqlite3.DatabaseError:
        return  # the index is damaged too; the count shows how many rows are missing


def _single_row(reader: Reader, number: int, name: bytes) -> EntryRow:
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
    """Return the faults that SQLite reports, and how many rows are missing by its count."""
    found = [*_findings(reader), *_unreached(reader, seen)]
    # While another process writes, an intact file may be shorter than its header says.
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
        return  # already reported by integrity_check
    if counted and counted[0] > seen:
        yield f"{counted[0] - seen:,} of {counted[0]:,} answers cannot be reached"
