"""Options of the command that imports transcripts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Transcripts = Annotated[
    list[Path], typer.Argument(metavar="FILE", help="Transcripts, as JSON Lines or CSV.")
]
ImportOut = Annotated[Path, typer.Option("--out", metavar="PATH", help="Folder for the runs.")]
TargetName = Annotated[
    str,
    typer.Option("--target", metavar="NAME", help="Name of the target (default: the file's name)."),
]
VendorName = Annotated[
    str,
    typer.Option(
        "--vendor", metavar="NAME", help="The target's vendor; claims of it do not count."
    ),
]
Fact = Annotated[
    str,
    typer.Option(
        "--fact",
        metavar="TEXT",
        help="Who the target is, for a judge model; builtin:FAMILY also sets the vendor.",
    ),
]
LabelFiles = Annotated[
    Path | None,
    typer.Option(
        "--labels",
        metavar="PATH",
        help="Verdicts by people as CSV, or a folder of NAME.csv files (columns: see README.md).",
    ),
]
