"""What is stored under one key, and how a key is looked up by its first digits."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from stored import cut, entry_of, filed, flip, key_of, make_cache, snapshot, sql, text_of

from hydrometer.cache.entry import Entry
from hydrometer.cache.errors import CacheUnreadable, KeyAmbiguous, KeyInvalid, KeyUnknown
from hydrometer.cache.inspection.explain import Explanation, explain_key, parse_prefix
from hydrometer.cache.keys import KEY_VERSION
from hydrometer.testing import make_request, make_response

_ENTRY = Entry(
    key_version=KEY_VERSION,
    request=make_request(text_of(7)),
    response=make_response("answer 00007"),
)
_RENAME = "UPDATE Cache SET key = ? WHERE key = ?"


def test_a_sound_answer_is_given_whole(tmp_path: Path) -> None:
    began = time.time()
    make_cache(tmp_path, 20)
    before = snapshot(tmp_path)

    found = explain_key(tmp_path, key_of(7))

    assert found == Explanation(
        key=key_of(7),
        folder=str(tmp_path),
        size_bytes=len(entry_of(7)),
        stored_at=found.stored_at,
        damage="",
        entry=_ENTRY,
        key_version=KEY_VERSION,
    )
    assert found.stored_at is not None
    assert began <= found.stored_at <= time.time()
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("digits", [6, 12, 39])
def test_the_first_digits_of_a_key_will_do(tmp_path: Path, digits: int) -> None:
    make_cache(tmp_path, 20)

    assert explain_key(tmp_path, key_of(7)[:digits]) == explain_key(tmp_path, key_of(7))


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("0123ab", "0123ab"),
        ("0123AB", "0123ab"),
        (" 0123ab... ", "0123ab"),
        ("0123ab…", "0123ab"),
        ("0f" * 20, "0f" * 20),
    ],
)
def test_a_key_is_read_as_it_is_printed(text: str, prefix: str) -> None:
    assert parse_prefix(text) == prefix


@pytest.mark.parametrize(
    "text", ["", "0123a", "0123ag", "0f" * 20 + "0", "runs/qwen", "０１２３ａｂ"]
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(KeyInvalid) as refusal:
        parse_prefix(text)

    assert str(refusal.value) == (
        f"a key is 40 hexadecimal digits, or at least the first 6; got {text!r}"
    )


def test_several_keys_that_begin_so_are_counted(tmp_path: Path) -> None:
    database = make_cache(tmp_path, 5)
    for number in range(3):
        sql(database, _RENAME, "abcdef" + key_of(number)[6:], key_of(number))

    with pytest.raises(KeyAmbiguous) as refusal:
        explain_key(tmp_path, "abcdef")

    assert refusal.value.matches == 3
    assert str(refusal.value) == "3 keys begin with abcdef: give more of its digits"


def test_a_key_that_is_not_there_gets_those_that_begin_alike(tmp_path: Path) -> None:
    database = make_cache(tmp_path, 4)
    for number, beginning in enumerate(("abcd00", "abcd18", "abcd1a", "abcd20")):
        sql(database, _RENAME, beginning + "0" * 34, key_of(number))

    with pytest.raises(KeyUnknown) as refusal:
        explain_key(tmp_path, "abcd19")
    with pytest.raises(KeyUnknown) as distant:
        explain_key(tmp_path, "abcc00")

    assert refusal.value.nearest == ("abcd18" + "0" * 34, "abcd1a" + "0" * 34)
    assert str(refusal.value) == (
        f"no answer in {tmp_path} has a key that begins with abcd19; "
        f"nearest: abcd18{'0' * 34}, abcd1a{'0' * 34}"
    )
    assert distant.value.nearest == ()
    assert str(distant.value).endswith("begins with abcc00; no key is similar")


def test_a_damaged_answer_says_what_it_says_and_that_it_is_damaged(tmp_path: Path) -> None:
    flip(make_cache(tmp_path, 20), "answer 00007")

    found = explain_key(tmp_path, key_of(7))

    assert found.damage == "its digest does not match"
    assert found.key_version == KEY_VERSION
    assert found.entry is not None
    assert found.entry.response == make_response("`nswer 00007")


def test_an_answer_that_cannot_be_read_at_all_is_damage(tmp_path: Path) -> None:
    database = make_cache(tmp_path, 2)
    sql(database, "UPDATE Cache SET value = x'00' WHERE key = ?", key_of(1))

    found = explain_key(tmp_path, key_of(1))

    assert (found.damage, found.entry, found.key_version, found.size_bytes) == (
        "it is 1 bytes long, shorter than its digest",
        None,
        None,
        1,
    )


def test_a_foreign_row_is_explained_without_loading_it(tmp_path: Path) -> None:
    database = make_cache(tmp_path, 2)
    sql(database, "UPDATE Cache SET mode = 4 WHERE key = ?", key_of(1))

    found = explain_key(tmp_path, key_of(1))

    assert (found.damage, found.entry) == ("foreign, not loaded: its value is a pickle", None)


def test_an_answer_of_another_version_is_sound_though_it_cannot_be_read(tmp_path: Path) -> None:
    database = make_cache(tmp_path, 2)
    old = filed(key_of(1), {"key_version": 0, "question": "of old"})
    sql(database, "UPDATE Cache SET value = ? WHERE key = ?", old, key_of(1))

    found = explain_key(tmp_path, key_of(1))

    assert (found.damage, found.entry, found.key_version) == ("", None, 0)


def test_a_broken_database_is_an_error(tmp_path: Path) -> None:
    database = make_cache(tmp_path, 20)
    cut(database, 10_000)

    with pytest.raises(CacheUnreadable, match=r"cache\.db is cut short: 10,000 of"):
        explain_key(tmp_path, key_of(7))
