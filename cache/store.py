"""Store protocol: bytes under keys, written once; and a store in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import anyio
import msgspec

from ..providers.types import Response
from .entry import decode_response
from .errors import EntryDamaged
from .keys import KEY_VERSION


class StoreInfo(msgspec.Struct, frozen=True, kw_only=True):
    """Size and place of a store; *folder* is empty for a store in memory."""

    entries: int
    size_bytes: int
    folder: str
    key_version: int


class Store(Protocol):
    """Bytes under keys; an entry is written once and never changed or deleted."""

    def get(self, key: str) -> bytes | None:
        """Return what is stored, without a checkpoint and without waiting for writers."""
        ...

    async def add(self, key: str, data: bytes) -> bytes:
        """Store *data* unless the key is taken; return what is stored once it is committed."""
        ...

    def keys(self) -> Iterator[str]:
        """Yield the keys in the order in which they were stored."""
        ...

    def info(self) -> StoreInfo:
        """Return the size and place of the store."""
        ...


class MemoryStore:
    """A store in memory, for tests and examples."""

    def __init__(self) -> None:
        self._rows: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        """Return what is stored under *key*."""
        return self._rows.get(key)

    async def add(self, key: str, data: bytes) -> bytes:
        """Store *data* unless the key is taken, and return what is stored."""
        stored = self._rows.setdefault(key, data)
        await anyio.lowlevel.checkpoint()  # like a disk, so that tests meet the same races
        return stored

    def keys(self) -> Iterator[str]:
        """Yield the keys in the order in which they were stored."""
        yield from tuple(self._rows)

    def info(self) -> StoreInfo:
        """Return the size of the store."""
        size_bytes = sum(len(data) for data in self._rows.values())
        return StoreInfo(
            entries=len(self._rows), size_bytes=size_bytes, folder="", key_version=KEY_VERSION
        )


def stored_response(store: Store, key: str) -> Response | None:
    """Return the response stored under *key*, or None; raise EntryDamaged for a damaged one."""
    data = store.get(key)
    if data is None:
        return None
    try:
        return decode_response(key, data)
    except EntryDamaged as error:
        where = store.info().folder or "memory"
        advice = f"; nothing was overwritten: restore {where} from a copy or use another cache"
        raise EntryDamaged(key, error.rule, advice=advice) from error
