"""A process that writes to a store: tests race several, kill them and starve them of room."""

# ruff: noqa: T201  # what it prints is what a test reads

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import anyio

from hydrometer.cache.disk import DiskStore, open_store
from hydrometer.cache.errors import CacheUnwritable


async def race(folder: Path, name: str) -> None:
    """Add 300 keys, half of them shared with the others; print what is stored under each."""
    stored: dict[str, str] = {}
    keys = iter(f"{'shared' if i % 2 else name}-{i}" for i in range(300))

    async def add_all(store: DiskStore) -> None:
        for key in keys:
            stored[key] = (await store.add(key, f"{key} by {name}".encode())).decode()

    async with open_store(folder) as store, anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(add_all, store)
    print(json.dumps(stored))


async def stream(folder: Path) -> None:
    """Add for ever, telling of each key once it is stored."""
    async with open_store(folder) as store, anyio.create_task_group() as tasks:

        async def add_for_ever(writer: int) -> None:
            number = 0
            while True:
                key = f"{writer}-{number}"
                await store.add(key, f"value of {key} ".encode() * 100)
                print(key, flush=True)
                number += 1

        for writer in range(8):
            tasks.start_soon(add_for_ever, writer)


async def fill(folder: Path, limit_bytes: int) -> None:
    """Add until there is no room, then print what could be stored and can still be read.

    With a limit, lift it after that and add once more.
    """
    stored: list[str] = []
    no_limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with open_store(folder) as store:
        if limit_bytes:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, no_limit[1]))
        try:
            while len(stored) < 2000:
                await store.add(str(len(stored)), bytes(10_000))
                stored.append(str(len(stored)))
        except CacheUnwritable as error:
            if limit_bytes:
                resource.setrlimit(resource.RLIMIT_FSIZE, no_limit)
                await store.add("lifted", bytes(10_000))
                stored.append("lifted")
            readable = [key for key in stored if store.get(key) == bytes(10_000)]
            print(json.dumps({"error": str(error), "stored": stored, "readable": readable}))


if __name__ == "__main__":
    job, directory, *rest = sys.argv[1:]
    if job == "race":
        anyio.run(race, Path(directory), rest[0])
    elif job == "stream":
        anyio.run(stream, Path(directory))
    else:
        anyio.run(fill, Path(directory), int(rest[0]))
