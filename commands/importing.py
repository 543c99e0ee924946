"""``hydrometer import``: published transcripts become runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shutil import rmtree

import msgspec

from .. import __version__
from ..engine.errors import InputInvalid, RunConflict, RunStopped
from ..engine.ice.ice_events import encode_event
from ..engine.ice.imported import build_imported_plan, build_label_layer, imported_events
from ..engine.ice.transcripts import Transcript, parse_labels, parse_transcripts
from ..engine.identity.texts import ModelFact, parse_facts, parse_vendors
from ..engine.records.event_log import write_all
from ..engine.records.layers import LayerHead, LayerRow
from ..engine.records.run_directory import EVENTS, LOCK, RunDirectory, Status, disk_stop
from ..engine.setup.config import IceTable
from ..engine.setup.hints import name_hint
from ..engine.setup.loading import builtin_text, read_text
from ..engine.setup.plan import IcePlan
from ..engine.setup.planning import BUILTIN
from ..strategies.types import Vendor


class ImportJob(msgspec.Struct, frozen=True, kw_only=True):
    """One file of transcripts, read and found sound: a run that has only to be written."""

    directory: Path
    plan: IcePlan
    rows: tuple[Transcript, ...]
    layer: tuple[LayerHead, tuple[LayerRow, ...]] | None = None


def plan_imports(
    files: list[Path],
    out: Path,
    *,
    target: str = "",
    vendor: str = "",
    fact: str = "",
    labels: Path | None = None,
) -> list[ImportJob]:
    """Return a job for each file: into *out* itself, or with several files into folders there.

    The target's name comes from the file's. *labels* is a CSV file, or a folder with one of the
    same name for each transcript file. Everything is read here, so that a file that cannot be used
    is found before any run is written. Raises InputInvalid.
    """
    several = len(files) > 1
    if target and several:
        raise InputInvalid("--target names one target: import its file alone")
    if labels is not None and not labels.is_dir() and several:
        raise InputInvalid("--labels must be a folder of NAME.csv files when several are imported")
    names = [target or file.stem for file in files]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputInvalid(f"two files are called {min(twice)}: import one of them with --target")
    _require_free(out)
    vendors = parse_vendors(builtin_text("vendors.toml"), "builtin vendors.toml")
    known = _fact(fact)
    about = _About(
        vendor=_vendor(vendor, vendors) or known.vendor, fact=known.fact, vendors=vendors
    )
    return [
        _read_job(
            file,
            out / name if several else out,
            name,
            about,
            labels / f"{file.stem}.csv" if labels and labels.is_dir() else labels,
        )
        for file, name in zip(files, names, strict=True)
    ]


def run_import(job: ImportJob, say: Callable[[str], None]) -> None:
    """Make the run of one file. Raises InputInvalid; then nothing is left that looks like one."""
    directory = RunDirectory(job.directory)
    directory.make()
    with directory.locked():
        _require_free(job.directory)  # again: another import may have been faster
        try:
            _write(job, directory)
        except BaseException:
            _clear(job.directory)
            raise
    target = job.plan.target
    if missing := sum(row.response is None for row in job.rows):
        some = f"{missing} of {len(job.rows)} rows {'has' if missing == 1 else 'have'}"
        say(f"{target.name}: {some} no response: counted as failed")
    if not target.vendor:
        say(f"{target.name}: no --vendor, so claims of its own vendor count like others")
    if not job.plan.judge.metrics and job.layer is None:
        say(
            f"{target.name}: the file has no verdicts; read it by rule with: "
            f"hydrometer rescore {job.directory} --judge lexical"
        )


class _About(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says of every target."""

    vendor: str
    fact: str
    vendors: tuple[Vendor, ...]


def _read_job(
    file: Path, directory: Path, target: str, about: _About, labels: Path | None
) -> ImportJob:
    _require_free(directory)
    rows = parse_transcripts(read_text(file), str(file))
    plan = build_imported_plan(
        rows,
        target=target,
        vendor=about.vendor,
        fact=about.fact,
        vendors=about.vendors,
        strict_vendors=tuple(sorted({*IceTable().strict_vendors} - {about.vendor})),
    )
    layer = None
    if labels is not None:
        said = parse_labels(read_text(labels), str(labels))
        head, reread = build_label_layer(plan, rows, said, str(labels))
        layer = head, tuple(reread)
    return ImportJob(directory=directory, plan=plan, rows=rows, layer=layer)


def _write(job: ImportJob, directory: RunDirectory) -> None:
    """Write the plan last: a folder without one is no run, whatever cuts this short."""
    try:
        with directory.open_append(EVENTS) as file:
            write_all(file, b"".join(map(encode_event, imported_events(job.plan, job.rows))))
        if job.layer is not None:
            directory.write_layer(*job.layer)
        directory.write_status(Status(state="finished", hydrometer=__version__))
        directory.write_plan(job.plan)
    except OSError as error:
        raise InputInvalid(str(disk_stop(error, directory.path / EVENTS))) from None
    except RunStopped as error:  # what is not there can't be resumed
        raise InputInvalid(str(error)) from None


def _require_free(directory: Path) -> None:
    if RunDirectory(directory).exists():
        raise RunConflict(f"{directory} already holds a run: choose another --out")


def _clear(directory: Path) -> None:
    """Remove all that an import wrote, so that the same command can be given again."""
    for path in directory.iterdir():
        if path.is_dir():
            rmtree(path)
        elif path.name != LOCK:
            path.unlink()


def _vendor(name: str, vendors: tuple[Vendor, ...]) -> str:
    ids = [vendor.id for vendor in vendors]
    if name and name not in ids:
        raise InputInvalid(f"--vendor: unknown vendor {name}; {name_hint(name, ids)}")
    return name


def _fact(fact: str) -> ModelFact:
    """Return who the target is; a built-in fact says whose it is too, as in a config."""
    if not fact.startswith(BUILTIN):
        return ModelFact(fact=fact, vendor="")
    family = fact.removeprefix(BUILTIN)
    facts = parse_facts(builtin_text("facts.toml"), "builtin facts.toml")
    if family not in facts:
        raise InputInvalid(f"--fact: no built-in fact {family}; {name_hint(family, facts)}")
    return facts[family]
