"""Name of the command, as the user can type it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from shutil import which

_NAME = "hydrometer"


def typed_name() -> str:
    """Return "hydrometer" if the shell finds it, else how this process was started."""
    started = Path(sys.argv[0])
    if which(_NAME) is not None or started.name not in {_NAME, "__main__.py"}:
        return _NAME
    if started.name == _NAME:
        return shlex.quote(sys.argv[0])
    return f"{shlex.quote(sys.executable)} -m {_NAME}"
