"""Option --format: the output formats of scores."""

from __future__ import annotations

from typing import Annotated

import typer

FORMATS = ("table", "json", "csv", "md")


def _known(name: str) -> str:
    if name not in FORMATS:
        raise typer.BadParameter(f"{name!r} is not one of {', '.join(FORMATS)}.")
    return name


FormatOption = Annotated[
    str,
    typer.Option("--format", metavar="|".join(FORMATS), help="Output format.", callback=_known),
]
