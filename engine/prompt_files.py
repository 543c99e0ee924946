"""Prompt sets from the bytes of their files, in the forms in which they are published.

A file is JSON, JSON Lines, CSV or Parquet, told by its content; elements of a JSON array and rows
of Parquet have no lines, so they are named by number. The shape of a row is the first of its keys
that is one of SHAPES: NuminaMath has ``problem``, ShareGPT ``conversations``, ArenaHard ``turns``
or ``prompt``. Nothing here opens a file.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module

import msgspec

from .errors import FileInvalid
from .prompts import HUMAN, MAX_CHARS, Conversation, Reading, Turn, Unit, build_prompts
from .rows import read_rows

# The prompt sets that come with Hydrometer, by the names that they have in a config.
BUILTIN = {
    "general": "rse_general.jsonl",
    "math": "rse_math.jsonl",
    "chat": "rse_chat.jsonl",
}

Row = tuple[int, Mapping[str, object]]

_CONVERSATIONS = ("conversations", "conversation", "messages")
SHAPES = ("problem", *_CONVERSATIONS, "turns", "prompt")
_IDS = ("id", "question_id", "uid", "uuid", "conversation_id")
# The cluster comes first: published ArenaHard has one category for all of its prompts.
_STRATA = ("stratum", "cluster", "subcategory", "category", "source")
_LANGUAGE = ("language",)

_EXPECTED = "prompt, turns (ArenaHard), problem (NuminaMath), or conversations or messages"
_PARQUET = b"PAR1"
_BATCH = 1024  # rows of Parquet that are Python objects at a time


def parse_prompts(
    data: bytes,
    *,
    name: str,
    where: str,
    max_chars: int = MAX_CHARS,
    max_turns: int | None = None,
) -> Reading:
    """Return the prompts in the bytes of one file. Raises FileInvalid."""
    unit, rows = _rows(data, where)
    conversations = (
        _conversation(place, row, f"{where}:{place}" if unit == "line" else f"{where}, row {place}")
        for place, row in rows
    )
    return build_prompts(
        conversations, name=name, where=where, unit=unit, max_chars=max_chars, max_turns=max_turns
    )


def _rows(data: bytes, where: str) -> tuple[Unit, Iterator[Row]]:
    if data.startswith(_PARQUET):
        return "row", _parquet_rows(data, where)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileInvalid(
            f"{where} is not UTF-8 text (byte {error.start}); save it as UTF-8"
        ) from None
    start = text.lstrip()[:1]
    table = text if start == "[" else _table_in(text, where) if start == "{" else None
    if table is None:
        return "line", read_rows(text, where)
    return "row", _array_rows(table, where)


def _table_in(text: str, where: str) -> msgspec.Raw | str | None:
    """Return the list of rows in a text that is one JSON object, or None for JSON Lines.

    One object over several lines that is itself a row comes back as a list of one.
    """
    first, _, rest = text.strip().partition("\n")
    head = _object(first)
    if head is not None and (rest.strip() or _shapes(head)):
        return None
    whole = _object(text)
    if whole is None:
        return None  # broken somewhere: reading it by lines names the line
    if _shapes(whole):
        return f"[{text}]"
    lists = [key for key in whole if bytes(memoryview(whole[key])[:1]) == b"["]
    if len(lists) > 1:
        raise FileInvalid(f"{where}: found the lists {', '.join(lists)}; needs one, of the prompts")
    if not lists:
        raise _misshapen(whole, where)
    return whole[lists[0]]


def _object(text: str) -> dict[str, msgspec.Raw] | None:
    try:
        return msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError):
        return None


def _array_rows(text: str | msgspec.Raw, where: str) -> Iterator[Row]:
    """Yield the objects of a JSON array, each decoded when its turn comes: files are large."""
    try:
        items = msgspec.json.decode(text, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        raise FileInvalid(f"{where}: not JSON: {error}") from error
    for number, item in enumerate(items, start=1):
        try:
            row = msgspec.json.decode(item)
        except (msgspec.DecodeError, RecursionError) as error:
            raise FileInvalid(f"{where}, row {number}: not JSON: {error}") from error
        if not isinstance(row, dict):
            raise FileInvalid(f"{where}, row {number}: must be a JSON object")
        yield number, row


def _parquet_rows(data: bytes, where: str) -> Iterator[Row]:
    """Yield the rows of a Parquet file, with the columns that a prompt is made from."""
    try:
        arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise FileInvalid(
            f"{where} is Parquet, which needs the pyarrow package: "
            "pip install 'hydrometer[parquet]'"
        ) from error
    try:
        file = parquet.ParquetFile(arrow.BufferReader(data))
        names: list[str] = file.schema_arrow.names
        if not _shapes(names):
            raise _misshapen(names, where)
        wanted = [key for key in (*SHAPES, *_IDS, *_STRATA, *_LANGUAGE) if key in names]
        batches = file.iter_batches(batch_size=_BATCH, columns=wanted)
        rows = (row for batch in batches for row in batch.to_pylist())
        yield from enumerate(rows, start=1)
    except (arrow.ArrowException, OSError, ValueError) as error:
        said = str(error).partition("\n")[0]
        raise FileInvalid(f"{where}: not Parquet that can be read: {said}") from error


def _conversation(place: int, row: Mapping[str, object], here: str) -> Conversation:
    """Return what is said in one row. Raises FileInvalid when it has another shape."""
    keys = _shapes(row)
    if not keys:
        raise _misshapen(row, here)
    # A table of several shapes has all their keys in each row, and values in some.
    key = next((key for key in keys if row[key]), keys[0])
    return Conversation(
        place=place,
        turns=tuple(_turns(row[key], key, f"{here}: {key}")),
        id=_first(row, _IDS),
        language=_first(row, _LANGUAGE),
        stratum=_first(row, _STRATA),
    )


def _turns(value: object, key: str, here: str) -> Iterator[Turn]:
    if isinstance(value, str) and value.strip() and key in (*_CONVERSATIONS, "turns"):
        value = _unpacked(value, here)
    if value is None or isinstance(value, str):
        yield Turn(speaker="human", text=value or "")
        return
    if not isinstance(value, list):
        raise FileInvalid(f"{here} must be a text or a list of turns")
    for number, item in enumerate(value):
        yield _turn(item, f"{here}[{number}]", anonymous=key not in _CONVERSATIONS)


def _turn(item: object, here: str, *, anonymous: bool) -> Turn:
    """Return one turn; where turns may be *anonymous*, those without a speaker are human."""
    if isinstance(item, str) and anonymous:
        return Turn(speaker="human", text=item)
    if not isinstance(item, Mapping):
        raise FileInvalid(f"{here} must be an object with from and value, or role and content")
    speaker = item.get("from") or item.get("role") or ("human" if anonymous else None)
    words = [item[key] for key in ("value", "content") if key in item]
    if not isinstance(speaker, str) or not words:
        found = ", ".join(map(str, item)) or "(none)"
        raise FileInvalid(
            f"{here}: found the keys {found}; needs from and value, or role and content"
        )
    speaker, text = speaker.strip().casefold(), words[0]
    if speaker in HUMAN and not isinstance(text, str | None):
        raise FileInvalid(f"{here} must hold a text, and nothing but text")
    return Turn(speaker=speaker, text=text if isinstance(text, str) else "")


def _unpacked(cell: str, here: str) -> object:
    """Return the list in a *cell* of CSV, where it stands as JSON or as Python writes it."""
    try:
        return msgspec.json.decode(cell)
    except (msgspec.DecodeError, RecursionError):
        pass  # then it may be Python's
    try:  # and back through JSON, which has no half surrogates, bytes or sets
        return msgspec.json.decode(msgspec.json.encode(ast.literal_eval(cell)))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise FileInvalid(f"{here} must be a list of turns, written as JSON") from error


def _first(row: Mapping[str, object], keys: tuple[str, ...]) -> str:
    """Return the first value that is a text or a whole number, as text."""
    for key in keys:
        value = row.get(key)
        if type(value) in (str, int) and (text := str(value).strip()):
            return text
    return ""


def _shapes(keys: Iterable[str]) -> list[str]:
    """Return those of *keys* that can hold a prompt, the one to take first."""
    held = set(keys)
    return [key for key in SHAPES if key in held]


def _misshapen(keys: Iterable[str], here: str) -> FileInvalid:
    return FileInvalid(f"{here}: found the keys {', '.join(keys) or '(none)'}; needs {_EXPECTED}")
