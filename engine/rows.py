"""Rows of a text file, JSON Lines or CSV, each with the line it stands on."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import msgspec

from .errors import FileInvalid

_FIELD_MAX = 1 << 28  # characters of a CSV field; the library's own limit is one longish answer


def read_rows(text: str, where: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Yield (line, row) for each row; the values of CSV are text. Raises FileInvalid."""
    start = text.lstrip()[:1]
    if not start:
        return iter(())
    if start == "[":
        raise FileInvalid(f"{where} is a JSON array; write one object a line (JSON Lines)")
    return _json_rows(text, where) if start == "{" else _csv_rows(text, where)


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
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    while True:
        try:
            with _long_fields():
                row = next(reader, None)
        except csv.Error as error:
            raise FileInvalid(f"{where}:{reader.reader.line_num}: not CSV: {error}") from error
        if row is None:
            return
        if None in row:
            raise FileInvalid(f"{where}:{reader.line_num}: more fields than the header names")
        # A row may be shorter than the header: what is not there is not an empty text.
        yield reader.line_num, {key: value for key, value in row.items() if value is not None}


@contextmanager
def _long_fields() -> Iterator[None]:
    """Lift the limit for one row: it belongs to the whole process, and others may rely on it."""
    limit = csv.field_size_limit(_FIELD_MAX)
    try:
        yield
    finally:
        csv.field_size_limit(limit)
