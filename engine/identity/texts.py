"""Questions, templates, facts and vendors from the text of their files. Nothing here opens one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

import msgspec

from ...strategies.types import SLOT, Question, Template, Vendor
from ..errors import FileInvalid
from ..setup.tabular import read_rows

_CJK = re.compile(r"[\u3400-\u9fff]")
_QUESTION_COLUMNS = ("text", "question", "query", "prompt")
_TEMPLATE_COLUMNS = ("text", "template")


class ModelFact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who the models of one family are."""

    vendor: str
    fact: str


def language_of(text: str) -> str:
    """Return "zh" for text with Chinese characters in it, else "en"."""
    return "zh" if _CJK.search(text) else "en"


def parse_questions(text: str, where: str) -> tuple[Question, ...]:
    """Read CSV or JSON Lines, with the question in ``text``, ``question`` or ``query``."""
    questions = []
    for number, (line, row) in enumerate(_rows(text, where, _QUESTION_COLUMNS), start=1):
        words = row["text"].strip()
        if not words:
            raise FileInvalid(f"{where}:{line}: the question is empty")
        questions.append(
            Question(
                id=row.get("id") or f"q{number}",
                text=words,
                language=row.get("language") or language_of(words),
                category=row.get("category") or "",
            )
        )
    if not questions:
        raise FileInvalid(f"{where} holds no question")
    _require_distinct([question.text for question in questions], where, "question")
    _require_distinct([question.id for question in questions], where, "id")
    return tuple(questions)


def parse_templates(text: str, where: str) -> tuple[Template, ...]:
    """Read CSV or JSON Lines, with the template in ``text`` or ``template``."""
    templates = []
    for number, (line, row) in enumerate(_rows(text, where, _TEMPLATE_COLUMNS), start=1):
        body = row["text"]
        if (slots := body.count(SLOT)) != 1:
            raise FileInvalid(f"{where}:{line}: a template needs exactly one {SLOT}, got {slots}")
        templates.append(
            Template(
                id=row.get("id") or f"t{number}",
                text=body,
                language=row.get("language") or language_of(body),
                frame=row.get("frame") or "",
                vendors=tuple(row.get("vendors", "").split()),
            )
        )
    if not templates:
        raise FileInvalid(f"{where} holds no template")
    _require_distinct([template.text for template in templates], where, "template")
    return tuple(templates)


def parse_vendors(text: str, where: str) -> tuple[Vendor, ...]:
    """Read the vendor lexicon: one TOML table for each vendor id."""
    tables = _toml(text, where)
    try:
        vendors = [msgspec.convert({"id": key, **table}, Vendor) for key, table in tables.items()]
    except (msgspec.ValidationError, TypeError) as error:
        raise FileInvalid(f"{where}: {error}") from error
    return tuple(vendors)


def parse_facts(text: str, where: str) -> dict[str, ModelFact]:
    """Read facts: one TOML table for each model family."""
    try:
        return msgspec.convert(_toml(text, where), dict[str, ModelFact])
    except msgspec.ValidationError as error:
        raise FileInvalid(f"{where}: {error}") from error


def _toml(text: str, where: str) -> dict[str, dict[str, object]]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FileInvalid(f"{where} is not TOML: {error}") from error


def _rows(text: str, where: str, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield (line, row) with the wanted column renamed to "text"."""
    for line, found in read_rows(text, where):
        row = {key: _as_text(value) for key, value in found.items()}
        column = next((name for name in columns if name in row), None)
        if column is None:
            raise FileInvalid(
                f"{where}:{line}: needs one of {', '.join(columns)}; found {', '.join(row) or 'no'}"
                " keys"
            )
        yield line, {**row, "text": row[column]}


def _as_text(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    return "" if value is None else str(value)


def _require_distinct(values: list[str], where: str, noun: str) -> None:
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise FileInvalid(f"{where}: {noun} {value[:60]!r} is there twice")
        seen.add(value)
