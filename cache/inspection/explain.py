"""Look-up of one entry by its key or the first digits of its key."""

from __future__ import annotations

import sqlite3
from itertools import takewhile
from pathlib import Path

import msgspec

from ..entry import Entry, checked_version, decode_unchecked
from ..errors import EntryDamaged, KeyAmbiguous, KeyInvalid, KeyUnknown
from ..reader import Reader, open_reader
from ..sql import BY_KEYS, EntryRow
from ..sqlite_errors import read_failure

KEY_DIGITS = 40
LEAST_DIGITS = 6

_SIMILAR_DIGITS = 4  # in a large cache many keys agree in fewer digits by chance
_HEX = frozenset("0123456789abcdef")
_AFTER = "g"  # sorts after every hexadecimal digit

_COUNT = "SELECT count(*) FROM Cache WHERE key >= ? AND key < ? AND raw = 1"
_BELOW = "SELECT key FROM Cache WHERE key < ? AND key >= ? AND raw = 1 ORDER BY key DESC LIMIT 1"
_ABOVE = "SELECT key FROM Cache WHERE key > ? AND key < ? AND raw = 1 ORDER BY key LIMIT 1"


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A stored response, and whether it is intact."""

    key: str
    folder: str
    size_bytes: int
    stored_at: float | None  # seconds since 1970
    damage: str  # the check that the entry fails; empty for an intact entry
    entry: Entry | None  # the content, also of a damaged entry; None when it cannot be decoded
    key_version: int | None


def explain_key(folder: Path, key: str) -> Explanation:
    """Return the entry in *folder* whose key is *key* or begins with it.

    Raises KeyInvalid, KeyUnknown or KeyAmbiguous, and CacheUnreadable if there is no cache.
    """
    prefix = parse_prefix(key)
    with open_reader(folder) as reader:
        try:
            return _explanation(_only_row(reader, folder, prefix), folder)
        except sqlite3.Error as error:
            raise read_failure(folder, error) from error


def parse_prefix(text: str) -> str:
    """Return the digits of a key or of its beginning; dots at the end are ignored."""
    prefix = text.strip().rstrip(".…").lower()
    if not _HEX.issuperset(prefix) or not LEAST_DIGITS <= len(prefix) <= KEY_DIGITS:
        raise KeyInvalid(
            f"a key is {KEY_DIGITS} hexadecimal digits, or at least the first {LEAST_DIGITS}; "
            f"got {text[: KEY_DIGITS + 20]!r}"
        )
    return prefix


def _only_row(reader: Reader, folder: Path, prefix: str) -> EntryRow:
    (matches,) = reader.query(_COUNT, prefix, prefix + _AFTER).fetchone()
    if matches > 1:
        raise KeyAmbiguous(prefix, matches=matches)
    for row in reader.rows(BY_KEYS, prefix, prefix + _AFTER):
        return row
    raise KeyUnknown(str(folder), prefix, nearest=_nearest(reader, prefix))


def _nearest(reader: Reader, prefix: str) -> tuple[str, ...]:
    """Return the keys that have the most first digits in common with *prefix*, at most two.

    In sorted order these can only be the next smaller and the next larger key.
    """
    beginning = prefix[:_SIMILAR_DIGITS]
    rows = (
        reader.query(_BELOW, prefix, beginning).fetchone(),
        reader.query(_ABOVE, prefix, beginning + _AFTER).fetchone(),
    )
    keys = [str(row[0]) for row in rows if row is not None]
    most = max((_common_digits(prefix, key) for key in keys), default=0)
    return tuple(key for key in keys if _common_digits(prefix, key) == most)


def _common_digits(one: str, other: str) -> int:
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))))


def _explanation(row: EntryRow, folder: Path) -> Explanation:
    damage, version = row.fault, None
    entry = decode_unchecked(row.data)
    if not damage:
        try:
            version = checked_version(row.key, row.data)
        except EntryDamaged as error:
            damage = error.rule
    if version is None and entry is not None:
        version = entry.key_version
    return Explanation(
        key=row.key,
        folder=str(folder),
        size_bytes=len(row.data),
        stored_at=row.stored_at,
        damage=damage,
        entry=entry,
        key_version=version,
    )
