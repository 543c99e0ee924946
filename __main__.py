"""``python -m hydrometer``, and ``hydrometer``: listens for signals before anything slow is loaded.

From here to the first lines of a command a signal has nothing to save. Inside a command it ends
what runs (cli.py), and inside a run it stops that cleanly (commands/interrupt.py).
"""

from __future__ import annotations

import os
import signal
from types import FrameType


def main() -> None:
    """Run the command line, on which no signal is fatal without a word."""
    # Not a handler: at exit Python takes those away, and then this one kills.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)

    from .cli import main as run_command  # noqa: PLC0415 (takes most of a second)

    run_command()


def leave(number: int, frame: FrameType | None) -> None:
    """End here and now: an exception in the middle of an import may be swallowed."""
    os.write(2, b"hydrometer: interrupted\n")
    os._exit(130)  # cli.py's EXIT_INTERRUPTED


if __name__ == "__main__":
    main()
