"""Import of published transcripts: it writes them as run directories."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shutil import rmtree
from typing import Any

import msgspec

from ..engine.errors import InputInvalid, RunConflict, RunStopped
from ..engine.measurement import ImportedRun, ImportRequest, Measurements
from ..engine.records.event_log import write_all
from ..engine.records.events import encode_event
from ..engine.records.run_directory import EVENTS, LOCK, RunDirectory, Status, disk_stop
from ..engine.version import __version__


class ImportJob(msgspec.Struct, frozen=True, kw_only=True):
    """One transcript file, already read and checked, and the directory to write its run to."""

    directory: Path
    run: ImportedRun[Any]


def plan_imports(
    files: list[Path],
    out: Path,
    measurements: Measurements,
    *,
    target: str = "",
    vendor: str = "",
    fact: str = "",
    labels: Path | None = None,
) -> list[ImportJob]:
    """Return a job for each file. One file is imported into *out*, several into folders in *out*.

    The default name of a target is the name of its file. *labels* is a CSV file, or a folder with a
    CSV file of the same name for each transcript file. All files are read here, so that an unusable
    file is found before any run is written. Raises InputInvalid.
    """
    several = len(files) > 1
    if target and several:
        raise InputInvalid("--target names one target: import its file alone")
    if labels is not None and not labels.is_dir() and several:
        raise InputInvalid("--labels must be a folder of NAME.csv files when several are imported")
    names = [target or file.stem for file in files]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputInvalid(f"two files are called {min(twice)}: import one of them with --target")
    directories = [out / name if several else out for name in names]
    for directory in (out, *directories):
        _require_free(directory)
    request = ImportRequest(
        files=tuple(files), names=tuple(names), vendor=vendor, fact=fact, labels=labels
    )
    runs = _reader(measurements)(request)
    return [
        ImportJob(directory=directory, run=run)
        for directory, run in zip(directories, runs, strict=True)
    ]


def run_import(job: ImportJob, say: Callable[[str], None]) -> None:
    """Write the run of one file. Raises InputInvalid, and then leaves no run behind."""
    directory = RunDirectory(job.directory)
    directory.make()
    with directory.locked():
        _require_free(job.directory)  # check again: another import may have written it meanwhile
        try:
            _write(job.run, directory)
        except BaseException:
            _clear(job.directory)
            raise
    for remark in job.run.remarks:
        say(remark.replace("{run}", str(job.directory)))


def _reader(
    measurements: Measurements,
) -> Callable[[ImportRequest], tuple[ImportedRun[Any], ...]]:
    """Return what reads transcripts: that of the first measurement which can."""
    for measurement in measurements:
        if measurement.read_transcripts is not None:
            return measurement.read_transcripts
    raise InputInvalid("no measurement here can read transcripts")


def _write(run: ImportedRun[Any], directory: RunDirectory) -> None:
    """Write all files, the plan last. If this is interrupted, a folder without a plan is no run."""
    try:
        with directory.open_append(EVENTS) as file:
            write_all(file, b"".join(map(encode_event, run.events())))
        if run.layer is not None:
            directory.write_layer(*run.layer)
        directory.write_status(Status(state="finished", hydrometer=__version__))
        directory.write_plan(run.plan)
    except OSError as error:
        raise InputInvalid(str(disk_stop(error, directory.path / EVENTS))) from None
    except RunStopped as error:  # an import cannot be resumed
        raise InputInvalid(str(error)) from None


def _require_free(directory: Path) -> None:
    if RunDirectory(directory).exists():
        raise RunConflict(f"{directory} already holds a run: choose another --out")


def _clear(directory: Path) -> None:
    """Remove all files of an import, so that the same command can be repeated."""
    for path in directory.iterdir():
        if path.is_dir():
            rmtree(path)
        elif path.name != LOCK:
            path.unlink()
