from __future__ import annotations

import threading
from dataclasses import dataclass, field

import anyio
import pytest
from anyio import to_thread, wait_all_tasks_blocked

from hydrometer.cache.errors import CacheError, CacheUnwritable
from hydrometer.cache.write_batch import BatchWriter, Outcomes, Rows


@dataclass
class GatedTable:
    """A write that holds each transaction until its gate is open, and keeps the first value."""

    error: CacheError | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    entered: threading.Event = field(default_factory=threading.Event)
    batches: list[list[str]] = field(default_factory=list)
    rows: dict[str, bytes] = field(default_factory=dict)

    def write(self, rows: Rows) -> Outcomes:
        self.batches.append(sorted(rows))
        self.entered.set()
        self.gate.wait(timeout=30)
        if self.error is not None:
            return dict.fromkeys(rows, self.error)
        return {key: self.rows.setdefault(key, data) for key, data in rows.items()}


async def test_a_lone_write_starts_at_once_and_the_next_batch_gathers_meanwhile() -> None:
    table = GatedTable()
    writer = BatchWriter(table.write)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writer.add, "first", b"1")
        await to_thread.run_sync(table.entered.wait)
        for key in ("a", "b", "c"):
            tasks.start_soon(writer.add, key, b"2")
        await wait_all_tasks_blocked()
        table.gate.set()

    assert table.batches == [["first"], ["a", "b", "c"]]


async def test_adds_of_one_moment_share_a_batch() -> None:
    table = GatedTable()
    table.gate.set()
    writer = BatchWriter(table.write)

    async with anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(writer.add, str(number), b"value")

    assert table.batches == [[str(number) for number in range(10)]]


async def test_the_first_of_two_equal_keys_wins_within_and_across_batches() -> None:
    table, got = GatedTable(), list[bytes]()
    table.gate.set()
    writer = BatchWriter(table.write)

    async def add(data: bytes) -> None:
        got.append(await writer.add("key", data))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(add, b"first")
        tasks.start_soon(add, b"second")
    await add(b"third")

    assert got == [b"first"] * 3


async def test_an_error_of_a_batch_reaches_each_of_its_adds_and_no_later_one() -> None:
    table, raised = GatedTable(CacheUnwritable("folder", "disk is full")), list[CacheUnwritable]()
    table.gate.set()
    writer = BatchWriter(table.write)

    async def add(key: str) -> None:
        with pytest.raises(CacheUnwritable) as caught:
            await writer.add(key, b"value")
        raised.append(caught.value)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(add, "one")
        tasks.start_soon(add, "two")
    table.error = None

    assert [str(e) for e in raised] == ["answers cannot be stored in folder: disk is full"] * 2
    assert raised[0] is not raised[1]
    assert await writer.add("three", b"3") == b"3"


async def test_a_cancelled_leader_still_writes_its_batch() -> None:
    table, got, leader = GatedTable(), list[bytes](), anyio.CancelScope()
    writer = BatchWriter(table.write)

    async def lead() -> None:
        with leader:
            got.append(await writer.add("led", b"1"))

    async def follow() -> None:
        got.append(await writer.add("followed", b"2"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writer.add, "earlier", b"0")
        await to_thread.run_sync(table.entered.wait)
        tasks.start_soon(lead)
        await wait_all_tasks_blocked()
        tasks.start_soon(follow)
        await wait_all_tasks_blocked()
        leader.cancel()
        table.gate.set()

    assert table.rows == {"earlier": b"0", "led": b"1", "followed": b"2"}
    assert sorted(got) == [b"1", b"2"]


async def test_the_row_of_a_cancelled_follower_is_written_all_the_same() -> None:
    table, follower = GatedTable(), anyio.CancelScope()
    writer = BatchWriter(table.write)

    async def follow() -> None:
        with follower:
            await writer.add("followed", b"2")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writer.add, "earlier", b"0")
        await to_thread.run_sync(table.entered.wait)
        tasks.start_soon(writer.add, "led", b"1")
        await wait_all_tasks_blocked()
        tasks.start_soon(follow)
        await wait_all_tasks_blocked()
        follower.cancel()
        await wait_all_tasks_blocked()
        table.gate.set()

    assert follower.cancelled_caught
    assert table.rows == {"earlier": b"0", "led": b"1", "followed": b"2"}


async def test_a_write_that_breaks_is_an_error_for_every_row_of_its_batch() -> None:
    def break_down(rows: Rows) -> Outcomes:
        raise ZeroDivisionError("a bug in the write")

    writer = BatchWriter(break_down)
    raised: list[BaseException] = []

    async def add(key: str) -> None:
        try:
            await writer.add(key, b"value")
        except (ZeroDivisionError, RuntimeError) as error:
            raised.append(error)

    async with anyio.create_task_group() as tasks:
        for key in ("one", "two", "three"):
            tasks.start_soon(add, key)

    assert len(raised) == 3
    roots = [error.__cause__ or error for error in raised]
    assert all(isinstance(root, ZeroDivisionError) for root in roots)
