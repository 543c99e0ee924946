"""Entry point of ``hydrometer`` and ``python -m hydrometer``: sets signal handlers, then imports.

Importing the command line takes most of a second. During that time a signal ends the process at
once, because there is nothing to save. Later a signal ends the command (cli.py), or stops a run
after its calls in flight have ended (command_line/process.py).
"""

from __future__ import annotations

import os
import signal
from types import FrameType


def main() -> None:
    """Run the command line. A signal that ends it always prints a message."""
    # SIG_IGN, not a handler: Python removes handlers at exit, and the default of SIGUSR1 kills.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, leave)

    from .cli import main as run_command  # noqa: PLC0415 (takes most of a second)

    try:
        run_command()
    finally:  # nothing is left to stop, and a traceback of the exit would help nobody
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


def leave(number: int, frame: FrameType | None) -> None:
    """End the process at once. An exception could be swallowed by the import that is running."""
    os.write(2, b"hydrometer: interrupted\n")
    os._exit(130)  # cli.py's EXIT_INTERRUPTED


if __name__ == "__main__":
    main()
