"""Real processes that share a store, are killed, or run out of room."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from hydrometer.cache.disk import open_store

_WORKER = [sys.executable, str(Path(__file__).with_name("disk_worker.py"))]


class Filled(msgspec.Struct):
    """What a process that ran out of room has to say."""

    error: str
    stored: list[str]
    readable: list[str]


def _values(key: str) -> bytes:
    return f"value of {key} ".encode() * 100


async def test_four_processes_agree_on_the_first_answer_and_lose_none(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen([*_WORKER, "race", str(tmp_path), name], stdout=subprocess.PIPE, text=True)
        for name in ("a", "b", "c", "d")
    ]

    answers = [json.loads(worker.communicate(timeout=60)[0]) for worker in workers]

    assert [worker.returncode for worker in workers] == [0, 0, 0, 0]
    assert [len(stored) for stored in answers] == [300] * 4
    async with open_store(tmp_path) as store:
        assert store.info().entries == len(list(store.keys())) == 4 * 150 + 150
        for stored in answers:
            for key, value in stored.items():
                assert store.get(key) == value.encode()


async def test_a_writer_killed_in_mid_stream_had_stored_all_that_it_told_of(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*_WORKER, "stream", str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdout is not None
        told = [worker.stdout.readline() for _ in range(200)]
        worker.kill()
        told += worker.stdout.readlines()
    keys = [line.strip() for line in told if line.endswith("\n")]

    async with open_store(tmp_path) as store:
        assert [key for key in keys if store.get(key) != _values(key)] == []
        assert all(store.get(key) == _values(key) for key in store.keys())  # noqa: SIM118
        assert await store.add("next", b"value") == b"value"


async def test_a_file_size_limit_is_an_error_and_costs_nothing_stored_before(
    tmp_path: Path,
) -> None:
    filled = _fill([*_WORKER, "fill", str(tmp_path), "1000000"])

    assert filled.error == f"answers cannot be stored in {tmp_path}: disk I/O error"
    assert filled.stored[-1] == "lifted"
    await _assert_all_readable(filled, tmp_path)


async def test_a_full_disk_is_an_error_and_costs_nothing_stored_before(tmp_path: Path) -> None:
    """A file system of 1 MB, in a mount namespace that ends with the process."""
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    disk.mkdir()
    script = 'mount -t tmpfs -o size=1m none "$1" && "${@:3}" && cp -r "$1/cache" "$2"'
    in_namespace = ["unshare", "-rm", "bash", "-c", script, "fill", str(disk), str(copy)]
    if not shutil.which("unshare") or not _succeeds([*in_namespace, "mkdir", str(disk / "cache")]):
        pytest.skip("mounting a small file system is not permitted here")
    shutil.rmtree(copy)

    filled = _fill([*in_namespace, *_WORKER, "fill", str(disk / "cache"), "0"])

    assert filled.error == (
        f"answers cannot be stored in {disk / 'cache'}: database or disk is full"
    )
    await _assert_all_readable(filled, copy)


async def test_a_read_only_disk_is_an_error_that_names_the_folder(tmp_path: Path) -> None:
    script = 'mount -t tmpfs -o ro none "$1" && "${@:2}"'
    in_namespace = ["unshare", "-rm", "bash", "-c", script, "fill", str(tmp_path)]
    if not shutil.which("unshare") or not _succeeds([*in_namespace, "true"]):
        pytest.skip("mounting a read-only file system is not permitted here")

    ended = subprocess.run(
        [*in_namespace, *_WORKER, "fill", str(tmp_path / "cache"), "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    last_line = ended.stderr.strip().splitlines()[-1]
    assert last_line == (
        "hydrometer.cache.errors.CacheUnwritable: answers cannot be stored in "
        f"{tmp_path / 'cache'}: Read-only file system"
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_folder_without_permission_is_an_error_that_names_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    ended = subprocess.run(
        [*_WORKER, "fill", str(tmp_path / "cache"), "0"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ended.stderr.strip().endswith(f"in {tmp_path / 'cache'}: Permission denied")


def _fill(command: list[str]) -> Filled:
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60)
    return msgspec.json.decode(ended.stdout, type=Filled)


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


async def _assert_all_readable(filled: Filled, folder: Path) -> None:
    assert len(filled.stored) > 10
    assert filled.readable == filled.stored
    async with open_store(folder) as store:
        assert [key for key in filled.stored if store.get(key) != bytes(10_000)] == []
        assert await store.add("with room again", b"value") == b"value"
