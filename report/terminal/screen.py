"""The terminal: where views are printed."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, RenderableType


class _Console(Console):
    """A console that leaves a closed pipe to the command; rich would end the process with 1."""

    def on_broken_pipe(self) -> None:
        """Raise the BrokenPipeError again that rich is handling."""
        raise  # noqa: PLE0704 (rich calls this in its except clause)


def print_view(view: RenderableType, *, crop: bool = True, stderr: bool = False) -> None:
    """Print *view*, as wide as the terminal allows; without *crop* lines may be longer."""
    _Console(stderr=stderr).print(view, crop=crop)


def print_either(view: RenderableType, lines: Iterable[str]) -> None:
    """Print *view* to a terminal, and *lines* to anything else."""
    console = _Console()
    if console.is_terminal:
        console.print(view)
    else:
        print("\n".join(lines), flush=True)  # noqa: T201 (rich would wrap and colour the lines)


def stderr_console() -> Console:
    """Return where progress goes: stderr, so that stdout holds results alone."""
    return Console(stderr=True)
