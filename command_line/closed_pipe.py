"""Closed pipes: what a command does when the program that reads its output has ended."""

from __future__ import annotations

import os
import sys

EXIT_PIPE = 141  # 128 + SIGPIPE, as a shell reports it


def drop_output() -> None:
    """Send what is still buffered for a closed pipe to nowhere: Python writes it at the exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
