"""Run directory: the files of one run on disk.

kill -9 or a full disk can interrupt a write at any byte. So plan.json and status.json are replaced
as a whole. events.jsonl only grows. If its last line has no newline, that line is dropped when the
run is resumed, and its ticket is done again from the cache.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from ..errors import FileInvalid, InputInvalid, RunConflict, RunStopped
from ..setup.files import cause_of, read_text
from ..setup.plan import Plan, PlannedJudge, encode_plan
from .events import FINISHED_START
from .layers import Layer, LayerHead, LayerRow, decode_layer, encode_layer, layer_file, reading_file

PLAN, EVENTS, STATUS, TIMINGS, LOG = (
    "plan.json",
    "events.jsonl",
    "status.json",
    "timings.jsonl",
    "log.jsonl",
)
LOCK = ".lock"
DRAFT = ".new"  # ends the name of a file that is to replace another; kill -9 may leave one
LAYERS = "layers"
READINGS = "timings"  # the folder with the timings of later judges
ASIDE = (
    "-before-retry-"  # infix of the name of a run that --retry-failed replaced; a number follows
)


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The content of status.json: the state of a run. It is not part of the run's result."""

    state: Literal["running", "finished", "stopped"]
    reason: str = ""
    cause: str = ""
    cache: str = ""
    hydrometer: str = ""


class RunDirectory:
    """The folder of one run on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def exists(self) -> bool:
        """Return whether a run was started here."""
        return (self.path / PLAN).exists()

    def begun(self) -> bool:
        """Return whether the run has recorded an event."""
        events = self.path / EVENTS
        return events.exists() and events.stat().st_size > 0

    def make(self) -> None:
        """Create the folder. Raises RunConflict if it contains files but no run."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            names = {path.name for path in self.path.iterdir()} - {LOCK}
            others = [name for name in names if not (name[0] == "." and name.endswith(DRAFT))]
        except OSError as error:
            raise InputInvalid(f"{self.path} cannot be written: {cause_of(error)}") from None
        if others and not self.exists():
            raise RunConflict(f"{self.path} is not empty, and holds no run")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the directory: two processes that append to one recording would damage it.

        Raises RunConflict if another process has the lock.
        """
        try:
            file = (self.path / LOCK).open("wb")
        except OSError as error:
            raise InputInvalid(f"{self.path} cannot be written: {cause_of(error)}") from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RunConflict(f"{self.path} is being run by another process") from None
            yield

    def write_plan(self, plan: Plan) -> None:
        """Write plan.json."""
        try:
            self._replace(PLAN, encode_plan(plan))
        except OSError as error:
            raise InputInvalid(f"{self.path} cannot be written: {cause_of(error)}") from None

    def read_plan_text(self) -> tuple[bytes, str]:
        """Return the content of plan.json and its path. Raises FileInvalid if there is none."""
        path = self.path / PLAN
        if not path.exists():
            raise FileInvalid(f"{self.path} is no run directory: it has no {PLAN}")
        return read_text(path).encode(), str(path)

    def read_status(self) -> Status:
        """Return the state of the run. A missing or damaged status.json means "running"."""
        try:
            return msgspec.json.decode((self.path / STATUS).read_bytes(), type=Status)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return Status(state="running")

    def write_status(self, status: Status) -> None:
        """Replace status.json."""
        try:
            self._replace(STATUS, msgspec.json.format(msgspec.json.encode(status), indent=1))
        except OSError as error:
            raise disk_stop(error, self.path / STATUS) from None

    def finished(self) -> bool:
        """Return whether the recording ends with a Finished event."""
        last = b""
        for line in self.read_lines():
            last = line
        return last.startswith(FINISHED_START)

    def read_layers(self) -> Iterator[Layer]:
        """Yield the layers of this run, in the order of their file names."""
        for path in sorted((self.path / LAYERS).glob("*.jsonl")):
            yield _read_layer(path)

    def read_layer(self, name: str) -> Layer | None:
        """Return the layer of the judge called *name*, if there is one."""
        path = self.path / LAYERS / layer_file(name)
        return _read_layer(path) if path.exists() else None

    def timings_of(self, judge: PlannedJudge | None = None) -> Path:
        """Return the path of the run's timings, or of the timings of the later *judge*."""
        return self.path / (TIMINGS if judge is None else f"{READINGS}/{reading_file(judge)}")

    def write_layer(self, head: LayerHead, rows: Iterable[LayerRow]) -> Path:
        """Replace the layer of one judge as a whole, and return the path of its file."""
        name = f"{LAYERS}/{layer_file(head.judge.name)}"
        try:
            (self.path / LAYERS).mkdir(exist_ok=True)
            self._replace(name, b"".join(encode_layer(head, rows)))
        except OSError as error:
            raise disk_stop(error, self.path / name) from None
        return self.path / name

    def write_text(self, name: str, text: str) -> None:
        """Replace a file that is derived from the recording, such as scores.json."""
        write_derived(self.path / name, text)

    def read_lines(self) -> Generator[bytes, None, None]:
        """Yield the lines of events.jsonl, without a last line that has no newline.

        The generator keeps the file open. Close it if you do not read it to its end.
        """
        path = self.path / EVENTS
        if not path.exists():
            return
        try:
            with path.open("rb") as file:
                for line in file:
                    if line.endswith(b"\n"):
                        yield line
        except OSError as error:
            raise FileInvalid(f"{path} cannot be read: {cause_of(error)}") from None

    def open_append(self, name: str) -> BinaryIO:
        """Return the file *name*, open for appending and unbuffered: each write is one call."""
        try:
            return (self.path / name).open("ab", buffering=0)
        except OSError as error:
            raise InputInvalid(f"{self.path / name} cannot be written: {cause_of(error)}") from None

    def open_timings(self, judge: PlannedJudge) -> BinaryIO:
        """Return the timings file of the later *judge*, open for appending.

        A last line without newline is dropped first.
        """
        path = self.timings_of(judge)
        name = f"{READINGS}/{path.name}"
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise InputInvalid(f"{path} cannot be written: {cause_of(error)}") from None
        self.drop_cut_line(name)
        return self.open_append(name)

    def drop_cut_line(self, name: str = EVENTS) -> int:
        """Truncate a file after its last newline, and return how many bytes were dropped."""
        path = self.path / name
        if not path.exists():
            return 0
        try:
            with path.open("r+b") as file:
                size = file.seek(0, os.SEEK_END)
                keep = _end_of_last_line(file, size)
                if keep < size:
                    file.truncate(keep)
                return size - keep
        except OSError as error:
            raise InputInvalid(f"{path} cannot be repaired: {cause_of(error)}") from None

    def set_aside(self) -> Path:
        """Move all files to a new folder NAME-before-retry-N beside this one. Return its path."""
        whole = self.path.resolve()
        number = 1
        while (aside := whole.with_name(f"{whole.name}{ASIDE}{number}")).exists():
            number += 1
        try:
            aside.mkdir()
            for file in sorted(whole.iterdir()):
                if file.name != LOCK:
                    file.rename(aside / file.name)
        except OSError as error:
            raise InputInvalid(f"{aside} cannot be written: {cause_of(error)}") from None
        return aside

    def _replace(self, name: str, data: bytes) -> None:
        _replace_file(self.path / name, data)


def write_derived(path: Path, text: str) -> None:
    """Replace a file that is derived from recordings. Raises RunStopped when the disk is full."""
    try:
        _replace_file(path, text.encode())
    except OSError as error:
        raise disk_stop(error, path) from None


def _replace_file(path: Path, data: bytes) -> None:
    """Replace the file as a whole: a reader sees the old content or the new, never a part."""
    draft = path.with_name(f".{path.name}{DRAFT}")
    try:
        draft.write_bytes(data)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise


def _read_layer(path: Path) -> Layer:
    return decode_layer(read_text(path).encode().splitlines(), str(path))


def disk_stop(error: OSError, path: Path) -> RunStopped:
    """Return the RunStopped for a failed write to *path*."""
    return RunStopped(f"{path} cannot be written: {cause_of(error)}", cause="disk")


def _end_of_last_line(file: BinaryIO, size: int) -> int:
    end = size
    while end > 0:
        start = max(0, end - 65536)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
