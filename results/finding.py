"""Search for recorded runs in folders."""

from __future__ import annotations

from pathlib import Path

from ..engine.records.run_directory import ASIDE, RunDirectory


def find_runs(path: Path) -> tuple[Path, ...]:
    """Return *path* if it is a run, else the runs in the folders directly in it.

    Runs that ``--retry-failed`` replaced are left out. If there is no run, the result is *path*
    itself, so that reading it raises an error that names the path.
    """
    if RunDirectory(path).exists() or not path.is_dir():
        return (path,)
    found = tuple(
        inner
        for inner in sorted(path.iterdir())
        if RunDirectory(inner).exists() and ASIDE not in inner.name
    )
    return found or (path,)


def runs_at(base: Path) -> list[Path]:
    """Return all runs of a command with ``--out`` *base*, whose spending counts together.

    They are the run in *base*, the runs in its folders, and the runs that ``--retry-failed``
    replaced.
    """
    base = base.resolve()
    inside = base.iterdir() if base.is_dir() else ()
    siblings = base.parent.iterdir() if base.parent.is_dir() else ()
    replaced = (path for path in siblings if path.name.startswith(f"{base.name}{ASIDE}"))
    return sorted(path for path in (base, *inside, *replaced) if RunDirectory(path).exists())
