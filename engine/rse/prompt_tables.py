"""Row splitter for a JSON text that is one array or one object. Rows are not decoded yet."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import msgspec

from ..errors import FileInvalid
from .prompt_keys import IDS, IN_TURNS, LANGUAGE, STRATA, misshapen, shapes_in


def table_in(text: str, where: str) -> list[msgspec.Raw] | None:
    """Return the rows, or None if *text* is not one JSON value and is to be read by lines.

    Raises FileInvalid.
    """
    start = text.lstrip()[:1]
    if start == "[":
        return _array(text, where)
    return _table_in_object(text, where) if start == "{" else None


def _array(text: str, where: str) -> list[msgspec.Raw]:
    try:
        return msgspec.json.decode(text, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        fault = _fault_in_row(text, where) or f"{where}: not JSON: {error}"
        raise FileInvalid(fault) from error


def _table_in_object(text: str, where: str) -> list[msgspec.Raw] | None:
    """Return the rows in a text that is one object, or None for JSON Lines.

    If the object is itself a row and is written over several lines, it is returned as the only row.
    """
    first, _, rest = text.strip().partition("\n")
    head = _object(first)
    if head is not None and rest.strip():
        return None
    whole = _object(text)
    if whole is None:
        if fault := _fault_in_row(text, where):
            raise FileInvalid(fault)
        return None  # not valid JSON: the reader of lines reports the line of the error
    if shapes_in(whole):
        row = None if head is not None else [msgspec.Raw(text)]
        return _rows_of_columns(whole) or row
    lists = [key for key, value in whole.items() if _opens(value, b"[")]
    if len(lists) > 1:
        raise FileInvalid(f"{where}: found the lists {', '.join(lists)}; needs one, of the prompts")
    if not lists:
        raise misshapen(whole, where)
    return _items(whole[lists[0]])


def _rows_of_columns(table: Mapping[str, msgspec.Raw]) -> list[msgspec.Raw] | None:
    """Return the rows of a *table* stored by columns, or None if *table* is one row.

    pandas and datasets write such tables. All values of a table by columns are lists of equal
    length. But the values of one row with turns or messages may be, too. So the items of the prompt
    column decide, and the presence of a column for id, stratum or language.
    """
    if not all(_opens(value, b"[") for value in table.values()):
        return None
    columns = {key: _items(value) for key, value in table.items()}
    if len(set(map(len, columns.values()))) > 1:
        return None
    prompts = shapes_in(columns)[0]
    if prompts in IN_TURNS:
        is_column = any(_opens(cell, b"[") for cell in columns[prompts])
    else:
        is_column = not any(_opens(cell, b"{") for cell in columns[prompts])
    if not is_column and not any(name in columns for name in (*IDS, *STRATA, *LANGUAGE)):
        return None
    return [
        msgspec.Raw(msgspec.json.encode(dict(zip(columns, cells, strict=True))))
        for cells in zip(*columns.values(), strict=True)
    ]


def _object(text: str) -> dict[str, msgspec.Raw] | None:
    try:
        return msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        return None


def _items(value: msgspec.Raw) -> list[msgspec.Raw]:
    return msgspec.json.decode(value, type=list[msgspec.Raw])


def _opens(value: msgspec.Raw, sign: bytes) -> bool:
    return bytes(memoryview(value)[:1]) == sign


def _fault_in_row(text: str, where: str) -> str:
    """Return an error message that names the row, if Python's json module accepts *text*.

    Unlike msgspec, the json module accepts NaN and half of a surrogate pair. If a text was cut at a
    maximum length, it may end in half a pair. Returns "" if the json module also rejects *text*.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    parts = ((f"{where}, row {number}", row) for number, row in _numbered(value))
    faults = (
        f"{here}: {fault}" for here, part in (*parts, (where, value)) if (fault := _fault(part))
    )
    return next(faults, "")


def _numbered(value: object) -> Iterator[tuple[int, object]]:
    if isinstance(value, dict):
        lists = [inner for inner in value.values() if isinstance(inner, list)]
        value = lists[0] if len(lists) == 1 and not shapes_in(value) else []
    assert isinstance(value, list)
    return enumerate(value, start=1)


def _fault(value: object) -> str:
    try:
        msgspec.json.decode(json.dumps(value, ensure_ascii=False))
    except UnicodeEncodeError as error:
        return f"\\u{ord(error.object[error.start]):04x} is half of a character"
    except msgspec.DecodeError as error:
        return f"not JSON: {error}"
    return ""
