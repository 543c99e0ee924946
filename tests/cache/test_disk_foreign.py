"""Rows that somebody else put into the database, pickles above all."""

from __future__ import annotations

import pickle
import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
import diskcache
import pytest
from diskcache.core import MODE_PICKLE

from hydrometer.cache.cached import Cached
from hydrometer.cache.disk import DiskStore, open_store
from hydrometer.cache.errors import CacheMiss, ForeignValue
from hydrometer.cache.inspection.explain import explain_key
from hydrometer.cache.inspection.verify import Damage, verify_cache
from hydrometer.cache.keys import with_key
from hydrometer.cache.reader import open_reader
from hydrometer.cache.replay_only import ReplayOnly
from hydrometer.testing import ScriptedProvider, make_request, make_response

_KEYED = with_key(make_request())
_PICKLE = "foreign, not loaded: its value is a pickle"


class Bomb:
    """A value whose unpickling creates a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self._path,)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "the pickle was run"


def _plant(folder: Path, key: object, raw: int, mode: int, value: object) -> None:
    diskcache.Cache(str(folder)).close()
    with closing(sqlite3.connect(folder / "cache.db", isolation_level=None)) as connection:
        connection.execute(
            "INSERT INTO Cache (key, raw, store_time, mode, value) VALUES (?, ?, 0, ?, ?)",
            (key, raw, mode, value),
        )


def _plant_pickle(folder: Path, mark: Path) -> None:
    """Put a pickle under the key of a request, in the mode in which diskcache would load it."""
    _plant(folder, _KEYED.key, 1, MODE_PICKLE, pickle.dumps(Bomb(mark)))


def test_the_bomb_would_go_off(mark: Path) -> None:
    pickle.loads(pickle.dumps(Bomb(mark)))

    assert mark.exists()


async def test_a_pickled_value_is_refused_and_not_run(tmp_path: Path, mark: Path) -> None:
    with diskcache.Cache(str(tmp_path)) as foreign:
        foreign["key"] = Bomb(mark)

    async with open_store(tmp_path) as store:
        with pytest.raises(ForeignValue) as refusal:
            store.get("key")

    assert str(refusal.value) == (
        f"a row in {tmp_path} has a value that is no plain bytes (key key): "
        "hydrometer did not write it and does not load it"
    )
    assert not mark.exists()


async def test_a_pickled_answer_is_not_run_by_a_live_call_which_sends_nothing(
    tmp_path: Path, mark: Path
) -> None:
    _plant_pickle(tmp_path, mark)
    inner = ScriptedProvider(make_response("sent"))

    async with open_store(tmp_path) as store:
        with pytest.raises(ForeignValue, match=f"key {_KEYED.key}.*does not load it"):
            await Cached(inner, store, pool="qwen").complete(_KEYED)

    assert inner.requests == []
    assert not mark.exists()


async def test_a_pickled_answer_is_not_run_by_a_replay(tmp_path: Path, mark: Path) -> None:
    _plant_pickle(tmp_path, mark)

    async with open_store(tmp_path) as store:
        with pytest.raises(ForeignValue, match=f"key {_KEYED.key}.*does not load it"):
            await ReplayOnly(store, pool="qwen").complete(_KEYED)
    with open_reader(tmp_path) as reader, pytest.raises(ForeignValue, match=_PICKLE):
        await ReplayOnly(reader, pool="qwen").complete(_KEYED)

    assert not mark.exists()


async def test_a_pickled_answer_is_not_run_by_the_search_for_what_is_like_a_miss(
    tmp_path: Path, mark: Path
) -> None:
    _plant_pickle(tmp_path, mark)
    other = with_key(make_request(draw=1))

    async with open_store(tmp_path) as store:
        with pytest.raises(CacheMiss, match="the cache holds no entry to compare it with"):
            await ReplayOnly(store, pool="qwen").complete(other)

    assert not mark.exists()


def test_a_pickled_answer_is_not_run_by_verify_and_explain(tmp_path: Path, mark: Path) -> None:
    _plant_pickle(tmp_path, mark)

    verified, explained = verify_cache(tmp_path), explain_key(tmp_path, _KEYED.key)

    assert (verified.sound, verified.damaged) == (0, 1)
    assert verified.named == (Damage(key=_KEYED.key, rule=_PICKLE),)
    assert (explained.damage, explained.entry) == (_PICKLE, None)
    assert not mark.exists()


def test_diskcache_itself_would_run_the_pickled_answer(tmp_path: Path, mark: Path) -> None:
    _plant_pickle(tmp_path, mark)

    with diskcache.Cache(str(tmp_path)) as unguarded:
        unguarded.get(_KEYED.key)

    assert mark.exists()


async def test_a_pickled_value_in_a_file_is_refused_and_not_run(tmp_path: Path, mark: Path) -> None:
    with diskcache.Cache(str(tmp_path), disk_min_file_size=0) as foreign:
        foreign["key"] = Bomb(mark)

    async with open_store(tmp_path) as store:
        with pytest.raises(ForeignValue):
            store.get("key")

    assert not mark.exists()


async def test_a_pickled_key_is_refused_and_not_run(tmp_path: Path, mark: Path) -> None:
    _plant(tmp_path, pickle.dumps(Bomb(mark)), 0, 1, b"value")

    async with open_store(tmp_path) as store:
        with pytest.raises(ForeignValue) as refusal:
            list(store.keys())

    assert str(refusal.value) == f"a row in {tmp_path} has a key that is no plain text"
    assert not mark.exists()


async def test_adding_over_a_pickled_value_is_refused_and_changes_nothing(
    tmp_path: Path, mark: Path
) -> None:
    _plant(tmp_path, "key", 1, 4, pickle.dumps(Bomb(mark)))

    async with open_store(tmp_path) as store:
        with pytest.raises(ForeignValue, match="hydrometer did not write it"):
            await store.add("key", b"value")
        with pytest.raises(ForeignValue):
            store.get("key")

    assert not mark.exists()


async def test_a_foreign_row_fails_its_own_add_and_no_other_of_the_batch(
    tmp_path: Path, mark: Path
) -> None:
    _plant(tmp_path, "planted", 1, 4, pickle.dumps(Bomb(mark)))
    failed: list[str] = []

    async def add(store: DiskStore, key: str) -> None:
        try:
            await store.add(key, b"value")
        except ForeignValue:
            failed.append(key)

    async with open_store(tmp_path) as store:
        async with anyio.create_task_group() as tasks:
            for key in ("one", "planted", "two"):
                tasks.start_soon(add, store, key)

        assert (store.get("one"), store.get("two")) == (b"value", b"value")
    assert failed == ["planted"]
    assert not mark.exists()


async def test_a_pickled_key_of_the_same_bytes_is_another_row(tmp_path: Path, mark: Path) -> None:
    _plant(tmp_path, "key", 0, 4, pickle.dumps(Bomb(mark)))

    async with open_store(tmp_path) as store:
        assert store.get("key") is None
        assert await store.add("key", b"value") == b"value"
        assert store.get("key") == b"value"

    assert not mark.exists()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("mode", "value"), [(1, "text"), (1, 7), (1, None), (2, b"value"), (3, "text"), (9, b"value")]
)
async def test_other_values_that_are_no_plain_bytes_are_refused(
    tmp_path: Path, mode: int, value: object
) -> None:
    _plant(tmp_path, "key", 1, mode, value)

    async with open_store(tmp_path) as store:
        with pytest.raises(ForeignValue):
            store.get("key")


async def test_a_value_in_a_file_outside_the_folder_is_not_read(tmp_path: Path) -> None:
    folder, secret = tmp_path / "cache", tmp_path / "secret"
    secret.write_bytes(b"secret")
    _plant(folder, "key", 1, 2, None)
    with closing(sqlite3.connect(folder / "cache.db", isolation_level=None)) as connection:
        connection.execute("UPDATE Cache SET filename = '../secret'")

    async with open_store(folder) as store:
        with pytest.raises(ForeignValue):
            store.get("key")


async def test_our_own_side_stores_bytes_under_text_only(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        with pytest.raises(TypeError, match="a value must be bytes, got str"):
            await store.add("key", "text")  # type: ignore[arg-type]  # what a caller may get wrong
        with pytest.raises(TypeError, match="a key must be a str, got bytes"):
            store.get(b"key")  # type: ignore[arg-type]  # what a caller may get wrong

        assert await store.add("key", b"value") == b"value"
