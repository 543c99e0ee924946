"""Transcripts of other people's, as they publish them: what was asked, answered, and decided."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping

import msgspec

from .errors import FileInvalid
from .rows import read_rows

# The paper's files, and the plain form of anybody else's: template, question, response, verdict.
_FORMS = (
    ("jailbreak_prompt", "query", "target_responses", "eval_results"),
    ("template", "question", "response", "verdict"),
)
_LABELS = ("re_judge", "verdict", "label")
_EXPECTED = "template, question, response and perhaps verdict, or the keys of the published files"

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
    rows = tuple(_read(text, where, verdicts=None))
    if not rows:
        raise FileInvalid(f"{where} holds no transcript")
    return rows


def parse_labels(text: str, where: str) -> Labels:
    """Read the verdicts of people, in one of the columns re_judge, verdict or label.

    The published label files (re_judge) list only what was found positive.
    """
    rows = tuple(_read(text, where, verdicts=_LABELS))
    if not rows:
        raise FileInvalid(f"{where} holds no label")
    published = "re_judge" in next(read_rows(text, where))[1]
    return Labels(rows=rows, positives_only=published)


def _read(text: str, where: str, *, verdicts: tuple[str, ...] | None) -> Iterator[Transcript]:
    for line, row in read_rows(text, where):
        here = f"{where}:{line}"
        form = next((form for form in _FORMS if all(key in row for key in form[:3])), None)
        column = None if form is None else form[3]
        if verdicts is not None:
            column = next((name for name in verdicts if name in row), None)
        if form is None or (verdicts is not None and column is None):
            expected = _EXPECTED if verdicts is None else f"{_EXPECTED}, and re_judge or label"
            raise FileInvalid(f"{here}: found the keys {', '.join(row)}; expected {expected}")
        yield Transcript(
            line=line,
            template=_text(row, form[0], here),
            question=_text(row, form[1], here),
            response=_response(row[form[2]], form[2], here),
            verdict=_truth(row.get(column or ""), column or "", here),
        )


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
