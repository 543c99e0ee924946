"""Identity texts: parsers for the files of questions, templates, facts and vendors."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from ...strategies.types import SLOT, Question, Template, Vendor
from ..errors import FileInvalid
from ..setup.files import builtin_text, text_of
from ..setup.languages import language_of
from ..setup.tabular import read_rows

_QUESTION_COLUMNS = ("text", "question", "query", "prompt")
_TEMPLATE_COLUMNS = ("text", "template")


class ModelFact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The vendor of a model family, and one sentence that says who its models are."""

    vendor: str
    fact: str


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """The content of all files that an ICE plan is made from."""

    questions: tuple[Question, ...]
    templates: tuple[Template, ...]
    vendors: tuple[Vendor, ...]
    facts: Mapping[str, ModelFact]


def load_texts(questions: str, templates: str, folder: Path) -> Texts:
    """Return the texts that a config names.

    *questions* and *templates* are paths relative to *folder*, or "builtin" for the files in
    hydrometer/data. Raises FileInvalid.
    """
    return Texts(
        questions=parse_questions(*text_of(questions, "questions.csv", folder)),
        templates=parse_templates(*text_of(templates, "templates.jsonl", folder)),
        vendors=load_vendors(),
        facts=load_facts(),
    )


def load_vendors() -> tuple[Vendor, ...]:
    """Return the built-in vendors."""
    return parse_vendors(builtin_text("vendors.toml"), "builtin vendors.toml")


def load_facts() -> dict[str, ModelFact]:
    """Return the built-in facts, by model family."""
    return parse_facts(builtin_text("facts.toml"), "builtin facts.toml")


def parse_questions(text: str, where: str) -> tuple[Question, ...]:
    """Parse questions in CSV or JSON Lines.

    The question is in the first of the columns ``text``, ``question``, ``query`` and ``prompt``.
    """
    questions = []
    for number, (line, row) in enumerate(_rows(text, where, _QUESTION_COLUMNS), start=1):
        body = row["text"].strip()
        if not body:
            raise FileInvalid(f"{where}:{line}: the question is empty")
        questions.append(
            Question(
                id=row.get("id") or f"q{number}",
                text=body,
                language=row.get("language") or language_of(body),
                category=row.get("category") or "",
            )
        )
    if not questions:
        raise FileInvalid(f"{where} holds no question")
    _require_distinct([question.text for question in questions], where, "question")
    _require_distinct([question.id for question in questions], where, "id")
    return tuple(questions)


def parse_templates(text: str, where: str) -> tuple[Template, ...]:
    """Parse templates in CSV or JSON Lines, with the column ``text`` or ``template``."""
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
    """Parse the vendor lexicon: TOML with one table for each vendor id."""
    tables = _toml(text, where)
    try:
        vendors = [msgspec.convert({"id": key, **table}, Vendor) for key, table in tables.items()]
    except (msgspec.ValidationError, TypeError) as error:
        raise FileInvalid(f"{where}: {error}") from error
    return tuple(vendors)


def parse_facts(text: str, where: str) -> dict[str, ModelFact]:
    """Parse facts: TOML with one table for each model family."""
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
    """Yield (line, row). The first of *columns* that a row has is renamed to "text"."""
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
            raise FileInvalid(f"{where}: {noun} {value[:60]!r} occurs twice")
        seen.add(value)
