"""SQL statements that read entries, and the check that tells our rows from foreign ones.

The check runs inside SQLite. Of a foreign row, such as a pickle, only the name of its fault leaves
the database, never its value.
"""

from __future__ import annotations

import sqlite3

import msgspec

DATABASE = "cache.db"  # the file name that diskcache uses

_FAULT = """CASE
    WHEN typeof(key) <> 'text' OR raw IS NOT 1 THEN 'foreign, not loaded: its key is no plain text'
    WHEN mode = 4 THEN 'foreign, not loaded: its value is a pickle'
    WHEN filename IS NOT NULL THEN 'foreign, not loaded: its value lies in a file of its own'
    WHEN mode IS NOT 1 OR typeof(value) <> 'blob'
        THEN 'foreign, not loaded: its value is no plain bytes'
    WHEN expire_time IS NOT NULL THEN 'foreign, not loaded: it is set to expire'
    ELSE '' END"""

# Keys are returned as bytes: a damaged key may be text that Python cannot decode.
_ROWS = f"""SELECT id, CASE WHEN typeof(key) = 'text' THEN CAST(key AS BLOB) END, fault,
    CASE WHEN fault = '' THEN value ELSE x'' END, CAST(stored AS REAL)
    FROM (SELECT rowid AS id, key, raw, value, store_time AS stored, {_FAULT} AS fault FROM Cache)
    """  # noqa: S608  # built from constants only

ALL = f"{_ROWS} ORDER BY id"
BY_ID = f"{_ROWS} WHERE id = ?"
BY_KEYS = f"{_ROWS} WHERE key >= ? AND key < ? AND raw = 1 ORDER BY key"
BY_KEY_INDEX = "SELECT rowid, CAST(key AS BLOB) FROM Cache INDEXED BY Cache_key_raw"
STORED = f"""SELECT {_FAULT}, CASE WHEN mode = 1 THEN value END
    FROM Cache WHERE key = ? AND raw = 1"""  # noqa: S608  # built from constants only


class EntryRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row; a foreign row has its *fault* and no data."""

    id: int
    key: str
    fault: str
    data: bytes
    stored_at: float | None  # seconds since 1970


def next_row(cursor: sqlite3.Cursor) -> EntryRow | None:
    """Return the next row of ``ALL``, ``BY_ID`` or ``BY_KEYS``, None after the last."""
    found = cursor.fetchone()
    if found is None:
        return None
    number, key, fault, data, stored_at = found
    name = f"row {number}" if key is None else key.decode(errors="replace")
    return EntryRow(id=number, key=name, fault=fault, data=data, stored_at=stored_at)
