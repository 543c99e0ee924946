"""Caches with answers in them, and the ways to damage one: on the file itself, as a disk would."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import msgspec

from hydrometer.cache.disk import open_store
from hydrometer.cache.entry import Entry, _digest, encode_entry
from hydrometer.cache.keys import request_key
from hydrometer.testing import make_request, make_response

PAGE = 4096
Value = str | int | bytes | None


def text_of(number: int) -> str:
    return f"question number {number:05}: who made you, and when? "


def key_of(number: int) -> str:
    return request_key(make_request(text_of(number)))


def entry_of(number: int) -> bytes:
    request = make_request(text_of(number))
    return encode_entry(request_key(request), request, make_response(f"answer {number:05}"))


def filed(key: str, value: Entry | dict[str, object]) -> bytes:
    """Return *value* as somebody would store it who knows how digests are made."""
    payload = msgspec.json.encode(value)
    return _digest(key, payload) + payload


def make_cache(folder: Path, answers: int) -> Path:
    """Store *answers* answers in *folder*, and return their database."""

    async def store_all() -> None:
        async with open_store(folder) as store, anyio.create_task_group() as tasks:
            for number in range(answers):
                tasks.start_soon(store.add, key_of(number), entry_of(number))

    anyio.run(store_all)
    return folder / "cache.db"


def sql(database: Path, statement: str, *values: Value) -> None:
    """Change the database in a way that leaves no log."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(statement, values)


def flip(database: Path, text: str, *, in_index: bool = False) -> None:
    """Flip one bit of the first character of *text* where it stands in the table, or the index."""
    data = bytearray(database.read_bytes())
    data[_place(data, text, in_index=in_index)] ^= 1
    database.write_bytes(data)


def zero_page(database: Path, text: str, *, in_index: bool = False) -> None:
    """Overwrite the page of the table, or of the index, on which *text* stands."""
    data = bytearray(database.read_bytes())
    page = _page(_place(data, text, in_index=in_index))
    data[page] = bytes(PAGE)
    database.write_bytes(data)


def cut(database: Path, kept: int) -> None:
    database.write_bytes(database.read_bytes()[:kept])


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return all that writing would change."""
    return {
        path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in sorted(folder.iterdir())
    }


def _place(data: bytearray, text: str, *, in_index: bool) -> int:
    places = [match.start() for match in re.finditer(re.escape(text.encode()), data)]
    # Keys stand on pages of both, texts on those of the table only.
    return next(place for place in places if (b"question" in data[_page(place)]) != in_index)


def _page(place: int) -> slice:
    start = place // PAGE * PAGE
    return slice(start, start + PAGE)
