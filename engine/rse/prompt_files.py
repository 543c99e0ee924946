"""Parser for prompt files: from the bytes of a file, in a published format, to a prompt set.

The format is detected by content: JSON, JSON Lines, CSV or Parquet. Rows of JSON and Parquet have
no line numbers, so messages name them by row number. The key of a row that has the prompt is the
first one of SHAPES: NuminaMath has ``problem``, ShareGPT ``conversations``, ArenaHard ``turns`` or
``prompt``. A list of plain texts is a conversation only under the key ``turns``. This module opens
no file.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from itertools import pairwise

import msgspec

from ..errors import FileInvalid
from ..setup.tabular import read_rows
from .prompt_keys import (
    CONVERSATIONS,
    IDS,
    IN_TURNS,
    LANGUAGE,
    SHAPES,
    STRATA,
    misshapen,
    shapes_in,
)
from .prompt_sets import HUMAN, MAX_CHARS, Conversation, LoadedPrompts, Turn, Unit, build_prompts
from .prompt_tables import table_in

PromptRow = tuple[int, Mapping[str, object]]

_PARQUET = b"PAR1"
_BATCH = 1024  # rows of Parquet that are converted to Python objects at a time
_LITERAL_ERRORS = (ValueError, TypeError, SyntaxError, MemoryError, RecursionError)


def parse_prompts(
    data: bytes,
    *,
    name: str,
    where: str,
    max_chars: int = MAX_CHARS,
    max_turns: int | None = None,
) -> LoadedPrompts:
    """Return the prompts in the bytes of one file. Raises FileInvalid."""
    unit, rows = _rows(data, where)
    conversations = (
        _conversation(place, row, f"{where}:{place}" if unit == "line" else f"{where}, row {place}")
        for place, row in rows
    )
    return build_prompts(
        conversations, name=name, where=where, unit=unit, max_chars=max_chars, max_turns=max_turns
    )


def _rows(data: bytes, where: str) -> tuple[Unit, Iterator[PromptRow]]:
    if data.startswith(_PARQUET):
        return "row", _parquet_rows(data, where)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileInvalid(
            f"{where} is not UTF-8 text (byte {error.start}); save it as UTF-8"
        ) from None
    items = table_in(text, where)
    if items is None:
        return "line", read_rows(text, where)
    return "row", _decoded(items, where)


def _decoded(items: Iterable[msgspec.Raw], where: str) -> Iterator[PromptRow]:
    """Yield the objects of a JSON array. Each is decoded when it is needed: files are large."""
    for number, item in enumerate(items, start=1):
        try:
            row = msgspec.json.decode(item)
        except (msgspec.DecodeError, RecursionError) as error:
            raise FileInvalid(f"{where}, row {number}: not JSON: {error}") from error
        if not isinstance(row, dict):
            raise FileInvalid(f"{where}, row {number}: must be a JSON object")
        yield number, row


def _parquet_rows(data: bytes, where: str) -> Iterator[PromptRow]:
    """Yield the rows of a Parquet file, with only the columns that prompts are made from."""
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
        if not shapes_in(names):
            raise misshapen(names, where)
        wanted = [key for key in (*SHAPES, *IDS, *STRATA, *LANGUAGE) if key in names]
        batches = file.iter_batches(batch_size=_BATCH, columns=wanted)
        rows = (row for batch in batches for row in batch.to_pylist())
        yield from enumerate(rows, start=1)
    except (arrow.ArrowException, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise FileInvalid(f"{where}: not Parquet that can be read: {reason}") from error


def _conversation(place: int, row: Mapping[str, object], here: str) -> Conversation:
    """Return the conversation in one row. Raises FileInvalid if no key of SHAPES is there."""
    keys = shapes_in(row)
    if not keys:
        raise misshapen(row, here)
    # In a table that mixes formats, each row has the keys of all formats, but values in only some.
    key = next((key for key in keys if row[key]), keys[0])
    return Conversation(
        place=place,
        turns=tuple(_turns(row[key], key, f"{here}: {key}")),
        id=_first(row, IDS),
        language=_first(row, LANGUAGE),
        stratum=_first(row, STRATA),
    )


def _turns(value: object, key: str, here: str) -> Iterator[Turn]:
    if isinstance(value, str) and value.strip() and key in IN_TURNS:
        value = _parse_cell(value, here)
    if value is None or isinstance(value, str):
        yield Turn(speaker="human", text=value or "")
        return
    if not isinstance(value, list):
        raise FileInvalid(f"{here} must be a text or a list of turns")
    for number, item in enumerate(value):
        if isinstance(item, str) and key not in IN_TURNS:
            raise FileInvalid(
                f"{here} holds a list of texts; needs one text, or the key turns where they are "
                "the turns of one conversation"
            )
        yield _turn(item, f"{here}[{number}]", anonymous=key not in CONVERSATIONS)


def _turn(item: object, here: str, *, anonymous: bool) -> Turn:
    """Return one turn. If *anonymous* is true, a turn without a speaker counts as the human's."""
    if isinstance(item, str) and anonymous:
        return Turn(speaker="human", text=item)
    if not isinstance(item, Mapping):
        raise FileInvalid(f"{here} must be an object with from and value, or role and content")
    speaker = item.get("from") or item.get("role") or ("human" if anonymous else None)
    texts = [item[key] for key in ("value", "content") if key in item]
    if not isinstance(speaker, str) or not texts:
        found = ", ".join(map(str, item)) or "(none)"
        raise FileInvalid(
            f"{here}: found the keys {found}; needs from and value, or role and content"
        )
    speaker, text = speaker.strip().casefold(), texts[0]
    if speaker in HUMAN and not isinstance(text, str | None):
        raise FileInvalid(f"{here} must hold a text, and nothing but text")
    return Turn(speaker=speaker, text=text if isinstance(text, str) else "")


def _parse_cell(cell: str, here: str) -> object:
    """Return the list in a *cell* of CSV, which is JSON or a Python literal."""
    try:
        return msgspec.json.decode(cell)
    except (msgspec.DecodeError, RecursionError):
        pass  # it may still be a Python literal
    try:
        # Through JSON and back: that rejects bytes, sets and halves of surrogate pairs.
        value = msgspec.json.decode(msgspec.json.encode(ast.literal_eval(cell)))
        adjacent = _has_adjacent_strings(cell)
    except (*_LITERAL_ERRORS, tokenize.TokenError) as error:
        raise FileInvalid(f"{here} must be a list of turns, written as JSON") from error
    if adjacent:
        raise FileInvalid(
            f"{here} has texts with no comma between them, as numpy prints an array; write the "
            "list as JSON"
        )
    return value


def _has_adjacent_strings(cell: str) -> bool:
    """Return whether two strings have no comma between them. Python joins such strings."""
    tokens = tokenize.generate_tokens(io.StringIO(cell.strip()).readline)
    kinds = [token.type for token in tokens if token.type in (tokenize.STRING, tokenize.OP)]
    return any(one == other == tokenize.STRING for one, other in pairwise(kinds))


def _first(row: Mapping[str, object], keys: tuple[str, ...]) -> str:
    """Return the first value under *keys* that is a non-empty text or an integer, as text."""
    for key in keys:
        value = row.get(key)
        if type(value) in (str, int) and (text := str(value).strip()):
            return text
    return ""
