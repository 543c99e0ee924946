from __future__ import annotations

import sqlite3
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import cast

import anyio
import diskcache
import pytest
from anyio import to_thread, wait_all_tasks_blocked

from hydrometer.cache.cached import Cached
from hydrometer.cache.disk import DiskStore, _Database, open_store
from hydrometer.cache.errors import CacheUnreadable, CacheUnwritable
from hydrometer.cache.keys import KEY_VERSION, with_key
from hydrometer.testing import FunctionProvider, make_request, make_response


async def test_what_is_added_is_there_at_once_and_after_opening_again(tmp_path: Path) -> None:
    async with open_store(tmp_path / "new" / "cache") as store:
        assert store.get("key") is None
        assert await store.add("key", b"\x00value") == b"\x00value"
        assert store.get("key") == b"\x00value"

    async with open_store(tmp_path / "new" / "cache", create=False) as store:
        assert store.get("key") == b"\x00value"


async def test_a_second_value_for_a_key_is_not_stored(tmp_path: Path) -> None:
    async with open_store(tmp_path) as one, open_store(tmp_path) as other:
        assert await one.add("key", b"first") == b"first"
        assert await other.add("key", b"second") == b"first"
        assert await one.add("key", b"third") == b"first"
        assert other.get("key") == b"first"


async def test_keys_come_in_the_order_of_their_adding(tmp_path: Path) -> None:
    names = [str(number * 37 % 101) for number in range(1, 101)]
    async with open_store(tmp_path) as store:
        for name in names:
            await store.add(name, b"value")

        assert list(store.keys()) == names


async def test_large_values_stay_in_the_database(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.add("large", bytes(3_000_000))

        assert store.get("large") == bytes(3_000_000)
        assert {path.name for path in tmp_path.iterdir()} <= {
            "cache.db",
            "cache.db-wal",
            "cache.db-shm",
        }


async def test_info_says_how_much_there_is(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        for name in ("one", "two"):
            await store.add(name, bytes(50_000))
        info = store.info()

    assert (info.entries, info.folder, info.key_version) == (2, str(tmp_path), KEY_VERSION)
    assert 100_000 < info.size_bytes < 1_000_000


async def test_the_cached_provider_answers_from_a_store_on_disk(tmp_path: Path) -> None:
    inner = FunctionProvider(lambda request: make_response(f"draw {request.draw}"))
    async with open_store(tmp_path) as store:
        cached = Cached(inner, store, pool="qwen")
        async with anyio.create_task_group() as tasks:
            for draw in range(40):
                tasks.start_soon(cached.complete, with_key(make_request(draw=draw % 20)))
    async with open_store(tmp_path) as store:
        got = [
            await Cached(inner, store, pool="qwen").complete(with_key(make_request(draw=draw)))
            for draw in range(20)
        ]

    assert len(inner.requests) == 20
    assert got == [make_response(f"draw {draw}") for draw in range(20)]


async def test_a_cancelled_add_is_stored_and_the_store_goes_on(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(store.add, str(number), b"value")
            await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()

        assert await store.add("later", b"value") == b"value"
        assert sorted(store.keys()) == sorted([*map(str, range(20)), "later"])


async def test_another_process_that_holds_the_write_lock_delays_adds_but_no_reads(
    tmp_path: Path,
) -> None:
    """A second connection is to SQLite what another process is."""
    async with open_store(tmp_path) as store:
        await store.add("earlier", b"value")
        with closing(sqlite3.connect(tmp_path / "cache.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(store.add, "later", b"value")
                await wait_all_tasks_blocked()

                assert store.get("earlier") == b"value"
                assert store.get("later") is None

                other.execute("ROLLBACK")

        assert store.get("later") == b"value"


async def test_a_lock_that_outlasts_sqlites_own_patience_is_waited_for(tmp_path: Path) -> None:
    class Impatient(_Database):
        """Gives up at once, and meets no lock at its third attempt."""

        attempts = 0

        def transact(self, retry: bool = False) -> AbstractContextManager[None]:
            self.attempts += 1
            if self.attempts == 3:
                other.execute("ROLLBACK")
            return cast(AbstractContextManager[None], super().transact(retry))

    database = Impatient(tmp_path, busy_s=0.001)
    path = tmp_path / "cache.db"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")

        stored = await DiskStore(database, lock_patience_s=60.0).add("key", b"value")

    assert (stored, database.attempts) == (b"value", 3)
    database.close_all()


def test_a_transaction_left_open_by_an_error_is_not_in_the_way_of_the_next(tmp_path: Path) -> None:
    database = _Database(tmp_path, busy_s=0.001)

    def fail_half_way() -> None:
        with database.writing():
            database._sql("BEGIN IMMEDIATE")
            raise sqlite3.OperationalError("the COMMIT failed")

    with pytest.raises(sqlite3.OperationalError, match="the COMMIT failed"):
        fail_half_way()

    with database.writing(), database.transact():
        database.add("key", b"value")
    assert database.get("key") == b"value"
    database.close_all()


async def test_a_lock_that_is_held_too_long_is_an_error_and_not_the_end(tmp_path: Path) -> None:
    async with open_store(tmp_path, lock_patience_s=0.1) as store:
        with closing(sqlite3.connect(tmp_path / "cache.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(CacheUnwritable) as failure:
                await store.add("key", b"value")

        assert str(failure.value) == (
            f"answers cannot be stored in {tmp_path}: another process holds its lock"
        )
        assert await store.add("key", b"value") == b"value"


async def test_writes_that_meet_in_many_threads_share_one_connection(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        for number in range(5):
            async with anyio.create_task_group() as tasks:
                for other in range(3):  # so that the next write finds another worker thread
                    tasks.start_soon(_use_a_thread, other)
                tasks.start_soon(store.add, str(number), b"value")

        handles = [path for path in Path("/proc/self/fd").glob("*") if _is_in(path, tmp_path)]

    assert len(handles) <= 2 * 3  # two connections, each with a database, a log and an index
    assert not [path for path in Path("/proc/self/fd").glob("*") if _is_in(path, tmp_path)]


async def _use_a_thread(number: int) -> None:
    await to_thread.run_sync(abs, number)


def _is_in(handle: Path, folder: Path) -> bool:
    try:
        return handle.readlink().is_relative_to(folder)
    except OSError:  # the handle of the listing itself
        return False


async def test_settings_are_ours_whatever_the_database_says(tmp_path: Path) -> None:
    foreign = {
        "eviction_policy": "least-recently-used",
        "cull_limit": 10,
        "size_limit": 1000,
        "statistics": 1,
        "tag_index": 1,
        "disk_min_file_size": 0,
        "sqlite_synchronous": 0,
        "sqlite_journal_mode": "delete",
    }
    diskcache.Cache(str(tmp_path), **foreign).close()

    async with open_store(tmp_path) as store:
        for number in range(20):
            await store.add(str(number), bytes(1000))

        assert [store.get(str(number)) for number in range(20)] == [bytes(1000)] * 20
    with closing(sqlite3.connect(tmp_path / "cache.db")) as connection:
        settings = dict(connection.execute("SELECT key, value FROM Settings"))
        (journal_mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    assert {name for name, value in foreign.items() if settings[name] == value} == set()
    assert journal_mode == "wal"


async def test_a_foreign_setting_is_refused_before_diskcache_acts_on_it(tmp_path: Path) -> None:
    """diskcache makes attributes and pragmas of whatever it finds there."""
    diskcache.Cache(str(tmp_path)).close()
    with closing(sqlite3.connect(tmp_path / "cache.db", isolation_level=None)) as connection:
        connection.execute("INSERT INTO Settings VALUES ('sqlite_writable_schema', 1)")

    with pytest.raises(CacheUnreadable) as refusal:
        async with open_store(tmp_path):
            pass

    assert str(refusal.value) == (
        f"the cache in {tmp_path} cannot be read: unknown setting 'sqlite_writable_schema'"
    )


async def test_entries_that_expire_are_refused(tmp_path: Path) -> None:
    with diskcache.Cache(str(tmp_path)) as foreign:
        foreign.set("key", b"value", expire=1000)

    with pytest.raises(CacheUnreadable, match="it holds entries with an expiry time"):
        async with open_store(tmp_path):
            pass


async def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "cache.db")) as connection:
        connection.execute("CREATE TABLE Letters (text TEXT)")
    before = (tmp_path / "cache.db").read_bytes()

    with pytest.raises(CacheUnreadable, match=r"cache\.db is a database of something else"):
        async with open_store(tmp_path):
            pass

    assert (tmp_path / "cache.db").read_bytes() == before


async def test_a_missing_cache_is_not_made_when_nothing_may_be_created(tmp_path: Path) -> None:
    with pytest.raises(CacheUnreadable) as missing:
        async with open_store(tmp_path / "none", create=False):
            pass

    assert str(missing.value) == f"the cache in {tmp_path / 'none'} cannot be read: there is none"
    assert list(tmp_path.iterdir()) == []


async def test_a_file_where_the_folder_should_be_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")

    with pytest.raises(CacheUnwritable) as failure:
        async with open_store(tmp_path / "file" / "cache"):
            pass

    assert str(failure.value) == (
        f"answers cannot be stored in {tmp_path / 'file' / 'cache'}: Not a directory"
    )


@pytest.mark.anyio
@pytest.mark.parametrize("kept", [10, 100, 3000, 20_000, 40_000])
async def test_a_database_that_was_cut_is_one_clear_error(tmp_path: Path, kept: int) -> None:
    async with open_store(tmp_path) as store:
        for number in range(20):
            await store.add(str(number), bytes(2000))
    path = tmp_path / "cache.db"
    path.write_bytes(path.read_bytes()[:kept])

    with pytest.raises(CacheUnreadable) as failure:
        await _read_all(tmp_path)

    assert str(failure.value) in {
        f"the cache in {tmp_path} cannot be read: {cause}"
        for cause in ("file is not a database", "database disk image is malformed")
    }


async def test_a_page_that_was_overwritten_is_one_clear_error(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        for number in range(300):
            await store.add(str(number), bytes(10))
    path = tmp_path / "cache.db"
    data = bytearray(path.read_bytes())
    data[3 * 4096 :] = bytes(len(data) - 3 * 4096)
    path.write_bytes(data)

    with pytest.raises(CacheUnreadable, match="malformed"):
        await _read_all(tmp_path)


async def _read_all(folder: Path) -> list[bytes | None]:
    async with open_store(folder) as store:
        return [store.get(key) for key in store.keys()]  # noqa: SIM118  # a store is no mapping
