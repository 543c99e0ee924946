"""Rows of a text file, JSON Lines or CSV, each with the line it stands on."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec

from ..errors import FileInvalid

_FIELD_MAX = 1 << 28  # characters of a CSV field; the library's own limit is one longish answer


def read_rows(text: str, where: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Yield (line, row) for each row; the values of CSV are text. Raises FileInvalid."""
    start = text.lstrip()[:1]
    if not start:
        return iter(())
    if start == "[":
        raise FileInvalid(f"{where} is a JSON array; write one object a line (JSON Lines)")
    return _json_rows(text, where) if start == "{" else _csv_rows(text, where)


def csv_header(text: str, where: str) -> tuple[str, ...] | None:
    """Return the names in the header of CSV, None for what isn't CSV. Raises FileInvalid."""
    if text.lstrip()[:1] in ("", "[", "{"):
        return None
    return tuple(_open_csv(text, where).fieldnames or ())


def _json_rows(text: str, where: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    for line, raw in enumerate(text.split("\n"), start=1):  # not U+2028
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
        with _reading(reader, where):
            row = next(reader, None)
        if row is None:
            return
        if None in row:
            raise FileInvalid(f"{where}:{reader.line_num}: more fields than the header names")
        # A row may be shorter than the header: what is not there is not an empty text.
        yield reader.line_num, {key: value for key, value in row.items() if value is not None}


def _open_csv(text: str, where: str) -> csv.DictReader[str]:
    """Return a reader of columns with names of their own: of equal ones the last would win."""
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    with _reading(reader, where):
        names = [name for name in reader.fieldnames or () if name]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise FileInvalid(f"{where}:{reader.line_num}: two columns are called {name[:40]!r}")
    return reader


@contextmanager
def _reading(reader: csv.DictReader[str], where: str) -> Iterator[None]:
    """Lift the limit for one row: it belongs to the whole process, and others may rely on it."""
    limit = csv.field_size_limit(_FIELD_MAX)
    try:
        yield
    except csv.Error as error:
        raise FileInvalid(f"{where}:{reader.reader.line_num}: not CSV: {error}") from error
    finally:
        csv.field_size_limit(limit)
