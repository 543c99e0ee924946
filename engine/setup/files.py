"""File reader: returns texts and bytes, and reports an unreadable file in one line."""

from __future__ import annotations

import errno
from importlib import resources
from pathlib import Path

from ..errors import FileInvalid


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file. Raises FileInvalid in one line."""
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileInvalid(
            f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8"
        ) from None


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a file. Raises FileInvalid in one line."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileInvalid(f"{path} cannot be read: {cause_of(error)}") from None


def builtin_text(name: str) -> str:
    """Return the text of a file in hydrometer/data."""
    return resources.files("hydrometer.data").joinpath(name).read_text(encoding="utf-8")


def text_of(setting: str, builtin: str, folder: Path) -> tuple[str, str]:
    """Return the text that *setting* names, and the name of that text in error messages.

    The setting "builtin" means the file *builtin* of hydrometer/data. Any other value is a path,
    relative to *folder*.
    """
    if setting == "builtin":
        return builtin_text(builtin), f"builtin {builtin}"
    path = folder / Path(setting).expanduser()
    return read_text(path), str(path)


def cause_of(error: OSError) -> str:
    """Return the operating system's message for *error*, as the end of a sentence."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "the disk is full"
    return (error.strerror or str(error)).lower()
