"""Damage done to real files, and what is said of it."""

from __future__ import annotations

import pickle
import threading
from pathlib import Path

import anyio
import msgspec
import pytest
from stored import (
    Value,
    cut,
    entry_of,
    filed,
    flip,
    key_of,
    make_cache,
    snapshot,
    sql,
    text_of,
    zero_page,
)

from hydrometer.cache.disk import open_store
from hydrometer.cache.entry import Entry
from hydrometer.cache.errors import CacheUnreadable
from hydrometer.cache.inspection.verify import Damage, OtherVersion, Verification, verify_cache
from hydrometer.cache.keys import KEY_VERSION
from hydrometer.testing import make_request, make_response

_ADD = "INSERT INTO Cache (key, raw, mode, filename, expire_time, value) VALUES (?, ?, ?, ?, ?, ?)"


class Bomb:
    """A value whose unpickling creates a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self._path,)


def test_a_sound_cache_is_sound_and_left_as_it_is(tmp_path: Path) -> None:
    database = make_cache(tmp_path, 50)
    before = snapshot(tmp_path)

    found = verify_cache(tmp_path)

    assert found == Verification(folder=str(tmp_path), size_bytes=database.stat().st_size, sound=50)
    assert (found.all_sound, found.answers) == (True, 50)
    assert snapshot(tmp_path) == before


def test_a_cache_without_answers_is_sound(tmp_path: Path) -> None:
    make_cache(tmp_path, 0)

    found = verify_cache(tmp_path)

    assert (found.all_sound, found.answers) == (True, 0)


@pytest.mark.parametrize("text", [text_of(7), "answer 00007"])
def test_a_flipped_bit_in_a_value_is_found(tmp_path: Path, text: str) -> None:
    flip(make_cache(tmp_path, 20), text)

    found = verify_cache(tmp_path)

    assert (found.sound, found.damaged, found.database) == (19, 1, ())
    assert found.named == (Damage(key=key_of(7), rule="its digest does not match"),)


def test_a_flipped_bit_in_a_key_is_found(tmp_path: Path) -> None:
    """It stands in the table and in the index; an answer that the index misses is not found."""
    database = make_cache(tmp_path, 20)
    flip(database, key_of(7), in_index=True)

    found = verify_cache(tmp_path)

    assert (found.sound, found.damaged) == (20, 0)
    assert "row 8 missing from index Cache_key_raw" in found.database


def test_a_flipped_bit_in_a_key_of_the_table_is_found(tmp_path: Path) -> None:
    database = make_cache(tmp_path, 20)
    flip(database, key_of(7))

    found = verify_cache(tmp_path)

    assert (found.sound, found.damaged) == (19, 1)


def test_a_key_that_is_no_longer_text_is_named_as_well_as_can_be(tmp_path: Path) -> None:
    database = make_cache(tmp_path, 3)
    sql(database, "UPDATE Cache SET key = CAST(? AS TEXT) WHERE key = ?", b"\xff7", key_of(1))

    found = verify_cache(tmp_path)

    assert found.named == (Damage(key="\ufffd7", rule="its digest does not match"),)


def test_a_value_filed_under_another_key_is_found(tmp_path: Path) -> None:
    database = make_cache(tmp_path, 5)
    sql(database, "UPDATE Cache SET value = ? WHERE key = ?", entry_of(1), key_of(2))

    found = verify_cache(tmp_path)

    assert (found.sound, found.named) == (
        4,
        (Damage(key=key_of(2), rule="its digest does not match"),),
    )


def test_a_value_filed_under_another_key_on_purpose_is_found(tmp_path: Path) -> None:
    entry = Entry(
        key_version=KEY_VERSION, request=make_request(text_of(1)), response=make_response()
    )
    _replace(make_cache(tmp_path, 5), key_of(2), filed(key_of(2), entry))

    found = verify_cache(tmp_path)

    assert found.named == (Damage(key=key_of(2), rule=f"its request has the key {key_of(1)}"),)


@pytest.mark.parametrize(
    ("row", "name", "rule"),
    [
        (("planted", 1, 4, None, None, b"{pickle}"), "planted", "its value is a pickle"),
        ((b"{pickle}", 0, 1, None, None, b"v"), "row 4", "its key is no plain text"),
        (("planted", 0, 1, None, None, b"v"), "planted", "its key is no plain text"),
        ((17, 1, 1, None, None, b"v"), "row 4", "its key is no plain text"),
        (("planted", 1, 2, "../x", None, None), "planted", "its value lies in a file of its own"),
        (("planted", 1, 1, None, None, "text"), "planted", "its value is no plain bytes"),
        (("planted", 1, 3, None, None, b"v"), "planted", "its value is no plain bytes"),
        (("planted", 1, 1, None, 9e9, b"v"), "planted", "it is set to expire"),
    ],
)
def test_a_foreign_row_is_named_and_not_loaded(
    tmp_path: Path, row: tuple[Value, ...], name: str, rule: str
) -> None:
    bomb = pickle.dumps(Bomb(tmp_path / "the pickle was run"))
    database = make_cache(tmp_path / "cache", 3)
    sql(database, _ADD, *(bomb if value == b"{pickle}" else value for value in row))

    found = verify_cache(tmp_path / "cache")

    assert (found.sound, found.damaged) == (3, 1)
    assert found.named == (Damage(key=name, rule=f"foreign, not loaded: {rule}"),)
    assert not (tmp_path / "the pickle was run").exists()


def test_answers_of_other_key_versions_are_counted_apart(tmp_path: Path) -> None:
    database = make_cache(tmp_path, 6)
    older = Entry(key_version=0, request=make_request(), response=make_response())
    _replace(database, key_of(1), filed(key_of(1), older))
    _replace(database, key_of(2), filed(key_of(2), {"key_version": 0, "question": "of old"}))
    _replace(database, key_of(3), filed(key_of(3), msgspec.structs.replace(older, key_version=9)))

    found = verify_cache(tmp_path)

    assert found.all_sound
    assert (found.sound, found.answers) == (3, 6)
    assert found.other_versions == (
        OtherVersion(key_version=0, answers=2),
        OtherVersion(key_version=9, answers=1),
    )


def test_an_answer_of_another_version_is_damaged_when_its_digest_is_wrong(tmp_path: Path) -> None:
    database = make_cache(tmp_path, 2)
    _replace(database, key_of(1), filed(key_of(0), {"key_version": 0}))

    found = verify_cache(tmp_path)

    assert found.named == (Damage(key=key_of(1), rule="its digest does not match"),)


def test_of_much_damage_the_first_is_named_and_the_rest_counted(tmp_path: Path) -> None:
    database = make_cache(tmp_path, 30)
    sql(database, "UPDATE Cache SET value = substr(value, 1, 10) WHERE rowid > 5")

    found = verify_cache(tmp_path)

    assert (found.sound, found.damaged, len(found.named)) == (5, 25, 20)
    assert found.named[0] == Damage(
        key=key_of(5), rule="it is 10 bytes long, shorter than its digest"
    )


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_database_cut_short_is_damage_that_says_how_much_is_there(
    tmp_path: Path, share: float
) -> None:
    database = make_cache(tmp_path, 200)
    whole = database.stat().st_size
    kept = int(whole * share)
    cut(database, kept)
    before = snapshot(tmp_path)

    found = verify_cache(tmp_path)

    assert found == Verification(
        folder=str(tmp_path),
        size_bytes=kept,
        database=(f"cache.db is cut short: {kept:,} of {whole:,} bytes are there",),
    )
    assert not found.all_sound
    assert snapshot(tmp_path) == before


def test_a_database_that_lacks_part_of_its_last_page_is_cut_short_too(tmp_path: Path) -> None:
    """SQLite reads such a page as if it ended in zeros."""
    database = make_cache(tmp_path, 200)
    whole = database.stat().st_size
    cut(database, whole - 1000)

    found = verify_cache(tmp_path)

    assert 190 < found.sound < 200
    assert found.database[0] == (
        f"cache.db is cut short: {whole - 1000:,} of {whole:,} bytes are there"
    )


def test_behind_a_lost_page_every_other_answer_is_still_checked(tmp_path: Path) -> None:
    database = make_cache(tmp_path, 200)
    zero_page(database, text_of(100))

    found = verify_cache(tmp_path)

    lost = {damage.key for damage in found.named}
    assert key_of(100) in lost
    assert lost <= {key_of(number) for number in range(80, 120)}
    assert (found.sound, found.damaged) == (200 - len(lost), len(lost))
    assert {damage.rule for damage in found.named} == {
        "its row cannot be read (database disk image is malformed)"
    }
    assert found.database


def test_answers_that_neither_table_nor_index_leads_to_are_counted(tmp_path: Path) -> None:
    database = make_cache(tmp_path, 200)
    zero_page(database, text_of(100))
    zero_page(database, key_of(150), in_index=True)

    found = verify_cache(tmp_path)

    assert 0 < found.answers < 200
    assert f"{200 - found.answers} of 200 answers cannot be reached" in found.database


@pytest.mark.parametrize("content", [None, b"", b"not a database"])
def test_where_there_is_no_cache_nothing_is_verified(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "cache.db").write_bytes(content)

    with pytest.raises(CacheUnreadable):
        verify_cache(tmp_path)


async def test_a_cache_that_is_open_elsewhere_is_verified_with_its_log(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        for number in range(10):
            await store.add(key_of(number), entry_of(number))

        found = verify_cache(tmp_path)

    assert (found.all_sound, found.sound) == (True, 10)


def test_writers_that_come_and_go_are_no_damage(tmp_path: Path) -> None:
    make_cache(tmp_path, 300)
    numbers = iter(range(300, 10_000))
    ended = threading.Event()

    async def add_some() -> None:
        async with open_store(tmp_path) as store:
            for _ in range(20):
                number = next(numbers)
                await store.add(key_of(number), entry_of(number))

    def write() -> None:
        while not ended.is_set():
            anyio.run(add_some)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        found = [verify_cache(tmp_path) for _ in range(20)]
    finally:
        ended.set()
        writer.join()

    assert [verification for verification in found if not verification.all_sound] == []
    assert 300 <= found[0].sound <= found[-1].sound == found[-1].answers


def _replace(database: Path, key: str, data: bytes) -> None:
    sql(database, "UPDATE Cache SET value = ? WHERE key = ?", data, key)
