"""Reader for text files with rows: JSON Lines or CSV. Each row comes with its line number."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec

from ..errors import FileInvalid

_FIELD_MAX = 1 << 28  # characters in a CSV field; a long answer exceeds the csv module's default


def read_rows(text: str, where: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Yield (line, row) for each row. Values in CSV rows are text. Raises FileInvalid."""
    start = text.lstrip()[:1]
    if not start:
        return iter(())
    if start == "[":
        raise FileInvalid(f"{where} is a JSON array; write one object a line (JSON Lines)")
    return _json_rows(text, where) if start == "{" else _csv_rows(text, where)


def csv_header(text: str, where: str) -> tuple[str, ...] | None:
    """Return the column names of a CSV text, or None if *text* is not CSV. Raises FileInvalid."""
    if text.lstrip()[:1] in ("", "[", "{"):
        return None
    return tuple(_open_csv(text, where).fieldnames or ())


def _json_rows(text: str, where: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    # Not splitlines(): that also splits at U+2028, which JSON strings may contain.
    for line, raw in enumerate(text.split("\n"), start=1):
        if not raw.strip():
            continue
        try:
            row = msgspec.json.decode(raw)
        except (msgspec.DecodeError, RecursionError) as error:
            raise FileInvalid(f"{where}:{line}: not JSON: {error}") from error
        if not isinstance(row, dict):
            raise FileInvalid(f"{where}:{line}: must be a JSON object")
        yield line, row


def _csv_rows(text: str, where: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    reader = _open_csv(text, where)
    while True:
        with _csv_errors(reader, where):
            row = next(reader, None)
        if row is None:
            return
        if None in row:
            raise FileInvalid(f"{where}:{reader.line_num}: more fields than the header names")
        # A row may be shorter than the header. A missing field is left out, not set to "".
        yield reader.line_num, {key: value for key, value in row.items() if value is not None}


def _open_csv(text: str, where: str) -> csv.DictReader[str]:
    """Return a reader. Raises FileInvalid if two columns have the same name.

    DictReader would keep only the last of the two.
    """
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    with _csv_errors(reader, where):
        names = [name for name in reader.fieldnames or () if name]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise FileInvalid(f"{where}:{reader.line_num}: two columns are called {name[:40]!r}")
    return reader


@contextmanager
def _csv_errors(reader: csv.DictReader[str], where: str) -> Iterator[None]:
    """Raise FileInvalid for csv errors, and raise the field size limit inside the block.

    The limit is global to the process, and other code may rely on it. So it is reset after each
    row.
    """
    limit = csv.field_size_limit(_FIELD_MAX)
    try:
        yield
    except csv.Error as error:
        raise FileInvalid(f"{where}:{reader.reader.line_num}: not CSV: {error}") from error
    finally:
        csv.field_size_limit(limit)
