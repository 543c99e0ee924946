"""The run directory. With loading.py the only engine module that touches the disk.

A run directory can be cut off at any byte by kill -9 or a full disk. plan.json and status.json
are therefore replaced whole; events.jsonl only grows, and a last line without its newline is
dropped when the run is taken up again: its ticket is done once more from the cache.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec

from ..errors import FileInvalid, InputInvalid, RunConflict, RunStopped
from ..ice.ice_events import CallFailed, Event, decode_event, failures_of
from ..setup.loading import cause_of, read_text
from ..setup.plan import AnyPlan, PlannedJudge, decode_plan, encode_plan, first_difference
from .layers import (
    Layer,
    LayerHead,
    LayerRow,
    decode_layer,
    encode_layer,
    layer_file,
    reading_file,
)

PLAN, EVENTS, STATUS, TIMINGS, LOG = (
    "plan.json",
    "events.jsonl",
    "status.json",
    "timings.jsonl",
    "log.jsonl",
)
LOCK = ".lock"
LAYERS = "layers"
READINGS = "timings"  # the folder of the timings of later judges; none of them is a layer
ASIDE = "-before-retry-"  # and a number: a run that --retry-failed replaced


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """status.json: how a run stands. Not part of the truth."""

    state: Literal["running", "finished", "stopped"]
    reason: str = ""
    cause: str = ""
    cache: str = ""
    hydrometer: str = ""


class RunDirectory:
    """One run on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def exists(self) -> bool:
        """Whether a run was started here."""
        return (self.path / PLAN).exists()

    def begun(self) -> bool:
        """Whether the run that was started here has recorded anything."""
        events = self.path / EVENTS
        return events.exists() and events.stat().st_size > 0

    def make(self) -> None:
        """Make the folder. Raises RunConflict when it holds something else than a run."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            strangers = {path.name for path in self.path.iterdir()} - {LOCK}
        except OSError as error:
            raise InputInvalid(f"{self.path} cannot be written: {cause_of(error)}") from None
        if strangers and not self.exists():
            raise RunConflict(f"{self.path} is not empty, and holds no run")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out: two that append to one recording would spoil it."""
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

    def write_plan(self, plan: AnyPlan) -> None:
        """Write plan.json."""
        try:
            self._replace(PLAN, encode_plan(plan))
        except OSError as error:
            raise InputInvalid(f"{self.path} cannot be written: {cause_of(error)}") from None

    def require(self, plan: AnyPlan) -> None:
        """Raise RunConflict unless this is a run of *plan*."""
        recorded = self.read_plan()
        if recorded != plan:
            raise RunConflict(
                f"{self.path} holds a run of another plan: {first_difference(recorded, plan)}"
            )

    def read_plan(self) -> AnyPlan:
        """Return the plan of this run."""
        path = self.path / PLAN
        if not path.exists():
            raise FileInvalid(f"{self.path} is no run directory: it has no {PLAN}")
        return decode_plan(read_text(path).encode(), str(path))

    def read_status(self) -> Status:
        """Return how the run stands; a missing or damaged file is a run that was cut off."""
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
        """Whether the recording goes to the run's end."""
        last = b""
        for line in self.read_lines():
            last = line
        return b'"type":"finished"' in last[:40]

    def read_layers(self) -> Iterator[Layer]:
        """Yield the layers of this run, by name of their files."""
        for path in sorted((self.path / LAYERS).glob("*.jsonl")):
            yield _read_layer(path)

    def read_layer(self, name: str) -> Layer | None:
        """Return the layer of the judge called *name*, if there is one."""
        path = self.path / LAYERS / layer_file(name)
        return _read_layer(path) if path.exists() else None

    def timings_of(self, judge: PlannedJudge | None = None) -> Path:
        """Return where the run's timings are, or those of *judge*'s readings of its answers."""
        return self.path / (TIMINGS if judge is None else f"{READINGS}/{reading_file(judge)}")

    def write_layer(self, head: LayerHead, rows: Iterable[LayerRow]) -> Path:
        """Replace the layer of one judge as a whole; return its file."""
        name = f"{LAYERS}/{layer_file(head.judge.name)}"
        try:
            (self.path / LAYERS).mkdir(exist_ok=True)
            self._replace(name, b"".join(encode_layer(head, rows)))
        except OSError as error:
            raise disk_stop(error, self.path / name) from None
        return self.path / name

    def write_text(self, name: str, text: str) -> None:
        """Replace a file that is made from the others, such as scores.json."""
        try:
            self._replace(name, text.encode())
        except OSError as error:
            raise disk_stop(error, self.path / name) from None

    def read_lines(self) -> Generator[bytes, None, None]:
        """Yield the whole lines of events.jsonl; a cut last line is left out.

        Close what is returned, if it is not read to its end: it holds the file open.
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

    def read_events(self) -> Iterator[Event]:
        """Yield every recorded event. Raises FileInvalid naming the line that is damaged."""
        for number, line in enumerate(self.read_lines(), start=1):
            try:
                yield decode_event(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise FileInvalid(f"{self.path / EVENTS}:{number}: not an event: {error}") from None

    def read_failures(self) -> dict[str, CallFailed]:
        """Return the calls that failed for good, by key: what a replay takes from the events."""
        failures: dict[str, CallFailed] = {}
        for event in self.read_events():
            for failure in failures_of(event):
                failures[failure.key] = failure
        return failures

    def open_append(self, name: str) -> BinaryIO:
        """Return *name* open for appending, unbuffered: a line is written in one piece."""
        try:
            return (self.path / name).open("ab", buffering=0)
        except OSError as error:
            raise InputInvalid(f"{self.path / name} cannot be written: {cause_of(error)}") from None

    def open_timings(self, judge: PlannedJudge) -> BinaryIO:
        """Return the timings of *judge*'s readings, open for appending; a cut last line goes."""
        path = self.timings_of(judge)
        name = f"{READINGS}/{path.name}"
        try:
            path.parent.mkdir(exist_ok=True)
        except OSError as error:
            raise InputInvalid(f"{path} cannot be written: {cause_of(error)}") from None
        self.drop_cut_line(name)
        return self.open_append(name)

    def drop_cut_line(self, name: str = EVENTS) -> int:
        """Cut a file of lines after its last whole one; return how many bytes went."""
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
        """Move what was recorded to the first free NAME-before-retry-N beside it; return that."""
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
        whole = self.path / name
        draft = whole.with_name(f".{whole.name}.new")
        draft.write_bytes(data)
        draft.replace(whole)


def _read_layer(path: Path) -> Layer:
    return decode_layer(read_text(path).encode().splitlines(), str(path))


def disk_stop(error: OSError, path: Path) -> RunStopped:
    """Return the stop that a failed write to *path* means."""
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
