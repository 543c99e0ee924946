"""Transcripts of other people's, as they publish them: what was asked, answered, and decided."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain

import msgspec

from ..errors import FileInvalid
from ..setup.tabular import csv_header, read_rows

# The paper's files, and the plain form of anybody else's: template, question, response, verdict.
_FORMS = (
    ("jailbreak_prompt", "query", "target_responses", "eval_results"),
    ("template", "question", "response", "verdict"),
)
_EXPECTED = "template, question, response and perhaps verdict, or the keys of the published files"
_EXPECTED_LABELS = f"{_EXPECTED}, and re_judge or label"

_SURROGATE = re.compile(r"[\ud800-\udfff]")  # Python's way of writing a list can smuggle it in

_TRUTHS = {
    **dict.fromkeys(("true", "yes", "1"), True),
    **dict.fromkeys(("false", "no", "0"), False),
    **dict.fromkeys(("", "none", "null"), None),
}


class Transcript(msgspec.Struct, frozen=True, kw_only=True):
    """One probe; *response* is None when there was no answer, *verdict* when nobody decided."""

    line: int
    template: str
    question: str
    response: str | None
    verdict: bool | None = None


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """Verdicts on transcripts; *positives_only*: what is not listed was found negative."""

    rows: tuple[Transcript, ...]
    positives_only: bool


def parse_transcripts(text: str, where: str) -> tuple[Transcript, ...]:
    """Read JSON Lines or CSV. Raises FileInvalid, with the keys found, for an unknown shape."""
    as_csv = csv_header(text, where) is not None
    rows = tuple(_read(read_rows(text, where), where, _EXPECTED, as_csv=as_csv))
    if not rows:
        raise FileInvalid(f"{where} holds no transcript")
    return rows


def parse_labels(text: str, where: str) -> Labels:
    """Read the verdicts of people: re_judge or label, or verdict in a file with neither.

    The published label files (re_judge) list only what was found positive, which may be nothing.
    """
    header = csv_header(text, where)
    found = tuple(read_rows(text, where))
    keys = dict.fromkeys(chain(header or (), *(row for _, row in found)))
    column = _label_column(keys, where)
    positives_only = column == "re_judge"
    if not found and not (positives_only and _form(keys)):
        raise FileInvalid(f"{where} holds no label")
    if column is None:
        line, row = found[0]
        raise _unknown(f"{where}:{line}", row, _EXPECTED_LABELS)
    rows = _read(found, where, _EXPECTED_LABELS, as_csv=header is not None, column=column)
    return Labels(rows=tuple(rows), positives_only=positives_only)


def _label_column(keys: Collection[str], where: str) -> str | None:
    """Return one column for the whole file: a row that lacks it has no label, only a verdict."""
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
        form = _form(row)
        if form is None:
            raise _unknown(here, row, expected)
        template, question, response, verdict = form
        said = row[response]
        yield Transcript(
            line=line,
            template=_text(row, template, here),
            question=_text(row, question, here),
            # Writers of CSV leave the cell empty where a call failed, and nothing was answered.
            response=None if as_csv and not said else _response(said, response, here),
            verdict=_truth(row.get(column or verdict), column or verdict, here),
        )


def _form(keys: Collection[str]) -> tuple[str, str, str, str] | None:
    return next((form for form in _FORMS if all(key in keys for key in form[:3])), None)


def _unknown(here: str, keys: Collection[str], expected: str) -> FileInvalid:
    return FileInvalid(f"{here}: found the keys {', '.join(keys)}; expected {expected}")


def _text(row: Mapping[str, object], key: str, here: str) -> str:
    value = row[key]
    if not isinstance(value, str) or not value:
        raise FileInvalid(f"{here}: {key} must be a text that is not empty")
    return value


def _response(value: object, key: str, here: str) -> str | None:
    """Return the one response; published ones stand in a list, in CSV as Python writes it."""
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
    said = "" if value is None else str(value).strip().lower()
    if said not in _TRUTHS:
        raise FileInvalid(f"{here}: {key} must be true or false, got {said[:40]!r}")
    return _TRUTHS[said]
