"""Parser for published transcripts: files with templates, questions, responses and verdicts."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain

import msgspec

from ...errors import FileInvalid
from ...setup.tabular import csv_header, read_rows

# Column names for template, question, response and verdict: in the files of the paper, and in
# files of other users.
_COLUMN_SETS = (
    ("jailbreak_prompt", "query", "target_responses", "eval_results"),
    ("template", "question", "response", "verdict"),
)
_EXPECTED = "template, question, response and perhaps verdict, or the keys of the published files"
_EXPECTED_LABELS = f"{_EXPECTED}, and re_judge or label"

_SURROGATE = re.compile(r"[\ud800-\udfff]")  # a Python list literal may contain one as an escape

_TRUTHS = {
    **dict.fromkeys(("true", "yes", "1"), True),
    **dict.fromkeys(("false", "no", "0"), False),
    **dict.fromkeys(("", "none", "null"), None),
}


class Transcript(msgspec.Struct, frozen=True, kw_only=True):
    """One probe. *response* is None if there was no answer, *verdict* if nobody judged it."""

    line: int
    template: str
    question: str
    response: str | None
    verdict: bool | None = None


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """Verdicts on transcripts.

    If *positives_only*, a transcript that is not listed was judged negative.
    """

    rows: tuple[Transcript, ...]
    positives_only: bool


def parse_transcripts(text: str, where: str) -> tuple[Transcript, ...]:
    """Parse JSON Lines or CSV. Raises FileInvalid, with the keys found, for unknown columns."""
    as_csv = csv_header(text, where) is not None
    rows = tuple(_read(read_rows(text, where), where, _EXPECTED, as_csv=as_csv))
    if not rows:
        raise FileInvalid(f"{where} holds no transcript")
    return rows


def parse_labels(text: str, where: str) -> Labels:
    """Parse labels by people, from the column re_judge or label, or else from verdict.

    The published label files (re_judge) list only positive verdicts, and may list none.
    """
    header = csv_header(text, where)
    found = tuple(read_rows(text, where))
    keys = dict.fromkeys(chain(header or (), *(row for _, row in found)))
    column = _label_column(keys, where)
    positives_only = column == "re_judge"
    if not found and not (positives_only and _columns(keys)):
        raise FileInvalid(f"{where} holds no label")
    if column is None:
        line, row = found[0]
        raise _unknown(f"{where}:{line}", row, _EXPECTED_LABELS)
    rows = _read(found, where, _EXPECTED_LABELS, as_csv=header is not None, column=column)
    return Labels(rows=tuple(rows), positives_only=positives_only)


def _label_column(keys: Collection[str], where: str) -> str | None:
    """Return the label column, the same for all rows. A row without that column has no label."""
    if "re_judge" in keys and "label" in keys:
        raise FileInvalid(
            f"{where} has both re_judge and label; keep the one that says what people decided"
        )
    return next((name for name in ("re_judge", "label", "verdict") if name in keys), None)


def _read(
    rows: Iterable[tuple[int, Mapping[str, object]]],
    where: str,
    expected: str,
    *,
    as_csv: bool,
    column: str | None = None,
) -> Iterator[Transcript]:
    for line, row in rows:
        here = f"{where}:{line}"
        columns = _columns(row)
        if columns is None:
            raise _unknown(here, row, expected)
        template, question, response, verdict = columns
        cell = row[response]
        yield Transcript(
            line=line,
            template=_text(row, template, here),
            question=_text(row, question, here),
            # In CSV an empty cell means that the call failed, so there is no response.
            response=None if as_csv and not cell else _response(cell, response, here),
            verdict=_truth(row.get(column or verdict), column or verdict, here),
        )


def _columns(keys: Collection[str]) -> tuple[str, str, str, str] | None:
    """Return the set of column names that *keys* use; the verdict column may be missing."""
    return next((names for names in _COLUMN_SETS if all(name in keys for name in names[:3])), None)


def _unknown(here: str, keys: Collection[str], expected: str) -> FileInvalid:
    return FileInvalid(f"{here}: found the keys {', '.join(keys)}; expected {expected}")


def _text(row: Mapping[str, object], key: str, here: str) -> str:
    value = row[key]
    if not isinstance(value, str) or not value:
        raise FileInvalid(f"{here}: {key} must be a text that is not empty")
    return value


def _response(value: object, key: str, here: str) -> str | None:
    """Return the response. The files of the paper put it into a list, in CSV a Python literal."""
    if isinstance(value, str) and key == "target_responses":
        try:
            value = ast.literal_eval(value)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
            raise FileInvalid(f"{here}: {key} must be a list of one text") from error
    if isinstance(value, list) and key == "target_responses":
        if len(value) > 1:
            raise FileInvalid(f"{here}: {key} must hold one response, got {len(value)}")
        value = value[0] if value else None
    if value is not None and not isinstance(value, str):
        raise FileInvalid(f"{here}: {key} must be a text, or null where there was no answer")
    if value is not None and _SURROGATE.search(value):
        raise FileInvalid(f"{here}: {key} has half of a surrogate pair, which no text has")
    return value


def _truth(value: object, key: str, here: str) -> bool | None:
    text = "" if value is None else str(value).strip().lower()
    if text not in _TRUTHS:
        raise FileInvalid(f"{here}: {key} must be true or false, got {text[:40]!r}")
    return _TRUTHS[text]
