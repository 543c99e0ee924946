"""Reading without writing: beside a writer, after one, and where nothing may be written."""

from __future__ import annotations

import pickle
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from diskcache.core import DBNAME
from stored import cut, entry_of, key_of, make_cache, snapshot, sql, text_of

from hydrometer.cache.disk import open_store
from hydrometer.cache.errors import (
    CacheDamaged,
    CacheMiss,
    CacheUnreadable,
    CacheUnwritable,
    ForeignValue,
)
from hydrometer.cache.keys import KEY_VERSION, with_key
from hydrometer.cache.reader import open_reader
from hydrometer.cache.replay_only import ReplayOnly
from hydrometer.cache.sql import ALL, DATABASE
from hydrometer.cache.store import StoreInfo
from hydrometer.testing import make_request, make_response

_LOOK = """
import sys
from pathlib import Path
from hydrometer.cache.reader import open_reader
with open_reader(Path(sys.argv[1])) as reader:
    print(len([key for key in reader.keys() if reader.get(key)]))
"""
_READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && "${@:2}"'


def test_the_database_has_the_name_that_diskcache_gives_it() -> None:
    assert DATABASE == DBNAME


def test_a_reader_gives_what_was_stored_and_leaves_nothing_behind(tmp_path: Path) -> None:
    make_cache(tmp_path, 3)
    before = snapshot(tmp_path)

    with open_reader(tmp_path) as reader:
        keys, info = list(reader.keys()), reader.info()
        assert reader.get(key_of(1)) == entry_of(1)
        assert reader.get("another") is None

    assert keys == [key_of(0), key_of(1), key_of(2)]
    assert info == StoreInfo(
        entries=3,
        size_bytes=(tmp_path / DATABASE).stat().st_size,
        folder=str(tmp_path),
        key_version=KEY_VERSION,
    )
    assert snapshot(tmp_path) == before
    assert list(before) == [DATABASE]


async def test_a_reader_stores_nothing(tmp_path: Path) -> None:
    async with open_store(tmp_path):
        pass

    with open_reader(tmp_path) as reader, pytest.raises(CacheUnwritable) as refusal:
        await reader.add("key", b"value")

    assert str(refusal.value) == (
        f"answers cannot be stored in {tmp_path}: it was opened for reading only"
    )


async def test_a_replay_needs_no_more_than_a_reader(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.add(key_of(7), entry_of(7))

    with open_reader(tmp_path) as reader:
        replay = ReplayOnly(reader, pool="qwen")

        assert await replay.complete(with_key(make_request(text_of(7)))) == make_response(
            "answer 00007"
        )
        with pytest.raises(CacheMiss, match=f"nearest entry {key_of(7)[:12]}"):
            await replay.complete(with_key(make_request(text_of(8))))


async def test_what_a_writer_adds_beside_a_reader_is_read_at_once(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.add("one", b"1")
        with open_reader(tmp_path) as reader:
            assert reader.get("one") == b"1"

            await store.add("two", b"2")

            assert reader.get("two") == b"2"
            assert not reader.changed_while_open


async def test_a_writer_that_comes_after_the_reader_is_noticed(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        await store.add("one", b"1")
    with open_reader(tmp_path) as reader:
        assert reader.get("one") == b"1"
        changed = [reader.changed_while_open]

        async with open_store(tmp_path) as store:
            changed.append(reader.changed_while_open)
            await store.add("two", b"2")
            assert reader.get("two") == b"2"
            await store.add("three", b"3")
            assert reader.get("three") == b"3"
        assert reader.get("one") == b"1"
        changed.append(reader.changed_while_open)

    assert changed == [False, True, True]


async def test_a_loop_over_keys_outlives_a_writer(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        for name in ("one", "two"):
            await store.add(name, b"value")
    with open_reader(tmp_path) as reader:
        keys = reader.keys()
        assert next(keys) == "one"

        async with open_store(tmp_path) as store:
            await store.add("three", b"value")
            assert reader.get("three") == b"value"

        assert list(keys) == ["two"]


def test_a_log_that_a_killed_writer_left_is_read_too(tmp_path: Path) -> None:
    killed = _killed(tmp_path)
    before = snapshot(killed)

    with open_reader(killed) as reader:
        assert len(list(reader.keys())) == 5

    after = snapshot(killed)
    assert list(after) == ["cache.db", "cache.db-shm", "cache.db-wal"]
    assert (after["cache.db"], after["cache.db-wal"]) == (
        before["cache.db"],
        before["cache.db-wal"],
    )


def test_an_empty_log_without_an_index_is_no_log(tmp_path: Path) -> None:
    make_cache(tmp_path, 2)
    (tmp_path / "cache.db-wal").touch()
    before = snapshot(tmp_path)

    with open_reader(tmp_path) as reader:
        assert reader.info().entries == 2

    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("state", ["closed", "killed"])
def test_a_cache_in_a_folder_that_is_read_only_is_read(tmp_path: Path, state: str) -> None:
    folder = _killed(tmp_path) if state == "killed" else tmp_path / "cache"
    if state == "closed":
        make_cache(folder, 5)
    before = snapshot(folder)

    done = _look_where_nothing_can_be_written(folder)

    assert (done.stdout, done.stderr) == ("5\n", "")
    assert snapshot(folder) == before


def test_a_log_without_its_index_needs_a_folder_that_can_be_written_to(tmp_path: Path) -> None:
    folder = _killed(tmp_path)
    (folder / "cache.db-shm").unlink()

    done = _look_where_nothing_can_be_written(folder)

    assert done.stderr.strip().splitlines()[-1] == (
        f"hydrometer.cache.errors.CacheUnreadable: the cache in {folder} cannot be read: "
        "cache.db-wal needs a folder that can be written to: copy both into one"
    )


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (None, "there is none"),
        (b"", "cache.db is empty"),
        (b"no database, though long enough to be one " * 100, "file is not a database"),
    ],
)
def test_a_folder_without_a_cache_is_one_clear_error(
    tmp_path: Path, content: bytes | None, cause: str
) -> None:
    if content is not None:
        (tmp_path / DATABASE).write_bytes(content)
    before = snapshot(tmp_path)

    with pytest.raises(CacheUnreadable) as failure, open_reader(tmp_path):
        pass

    assert str(failure.value) == f"the cache in {tmp_path} cannot be read: {cause}"
    assert not isinstance(failure.value, CacheDamaged)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE Letters (text TEXT)",
        "CREATE TABLE Cache (text TEXT)",
        "CREATE VIEW Cache AS SELECT 'key' AS key, 1 AS raw, 1 AS mode, x'' AS value",
    ],
)
def test_a_database_of_something_else_is_one_clear_error(tmp_path: Path, statement: str) -> None:
    sql(tmp_path / DATABASE, statement)

    with (
        pytest.raises(CacheUnreadable, match=r"cache\.db is a database of something else"),
        open_reader(tmp_path),
    ):
        pass


def test_a_database_that_was_cut_says_how_much_is_there(tmp_path: Path) -> None:
    database = make_cache(tmp_path, 40)
    whole = database.stat().st_size
    cut(database, whole // 2)

    with pytest.raises(CacheDamaged) as failure, open_reader(tmp_path):
        pass

    assert failure.value.cause == (
        f"cache.db is cut short: {whole // 2:,} of {whole:,} bytes are there"
    )


def test_a_foreign_row_is_refused_and_the_others_are_read(tmp_path: Path) -> None:
    database = make_cache(tmp_path, 1)
    sql(
        database,
        "INSERT INTO Cache (key, raw, mode, value) VALUES ('planted', 1, 4, ?)",
        pickle.dumps(print),
    )

    with open_reader(tmp_path) as reader:
        assert reader.get(key_of(0)) == entry_of(0)
        with pytest.raises(ForeignValue) as refusal:
            reader.get("planted")
        with pytest.raises(ForeignValue):
            list(reader.keys())
        rows = list(reader.rows(ALL))

    assert str(refusal.value) == (
        f"row 'planted' in {tmp_path} is foreign, not loaded: its value is a pickle"
    )
    assert [(row.key, row.data) for row in rows] == [(key_of(0), entry_of(0)), ("planted", b"")]


def _killed(tmp_path: Path) -> Path:
    """Return a cache as a killed process leaves it: a copy, made while it was open."""
    make_cache(tmp_path / "open", 4)
    with closing(sqlite3.connect(tmp_path / "open" / DATABASE)) as writer, writer:
        writer.execute(
            "INSERT INTO Cache (key, raw, mode, value) VALUES (?, 1, 1, ?)",
            (key_of(4), entry_of(4)),
        )
        writer.commit()
        shutil.copytree(tmp_path / "open", tmp_path / "killed")
    return tmp_path / "killed"


def _look_where_nothing_can_be_written(folder: Path) -> subprocess.CompletedProcess[str]:
    """Read *folder* in a mount namespace of its own, in which it is read-only."""
    in_namespace = ["unshare", "-rm", "bash", "-c", _READ_ONLY, "look", str(folder)]
    if (
        not shutil.which("unshare")
        or subprocess.run([*in_namespace, "true"], check=False).returncode
    ):
        pytest.skip("mounting a folder read-only is not permitted here")
    return subprocess.run(
        [*in_namespace, sys.executable, "-c", _LOOK, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
