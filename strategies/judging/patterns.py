"""Compiler of rules: turns rows of word classes (see rules.py) into patterns over code strings.

After the name in a row its pattern has an empty group. ``lastgroup`` therefore says which row
matched, and the position of that group says where the name is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from .grammar import CODES, GROUPS

_TERM = re.compile(
    r"(?P<classes>[A-Z|]*[A-Z])(?:(?P<name>[*!])|(?P<most>\?|\{\d\})?)"
    r"|(?P<gap>[~=+-])(?P<words>\d+)|\^(?P<barred>[A-Z|]+)|(?P<group>\(|\||\)\??)"
)


def codes(classes: str) -> str:
    """Return the codes of *classes*, which are joined by "|"; a group stands for its classes."""
    listed = (name for term in classes.split("|") for name in GROUPS.get(term, (term,)))
    return "".join(dict.fromkeys(CODES[name] for name in listed))


def one_of(classes: str) -> str:
    """Return the pattern of one word of *classes*."""
    return f"[{codes(classes)}]"


def none_of(classes: str) -> str:
    """Return the pattern of one word that is of none of *classes*."""
    return f"[^{codes(classes)}]"


_CANCELLING = "NOT|IF|BUT|PRETEND|UNLIKE|RIVAL|POLICY|STOP|QMARK|START|END"
_GAPS = {
    "=": f"[^{codes(_CANCELLING)}{CODES['COMPANY']}]",
    "~": none_of(f"{_CANCELLING}|ANY"),
    "-": none_of(f"{_CANCELLING}|ANY|TO|WHO"),
    "+": none_of(f"{_CANCELLING}|ANY|TO|WHO|COMMA|SAY|WITH"),
}
_TAIL = one_of("TAIL") + "{0,2}"
# The name must not belong to a question, a policy or a user: "GPT-4?", "OpenAI's usage policy", "a
# ChatGPT user".
_NOT_AN_ATTRIBUTE = (
    f"(?!{one_of('QMARK')}|{one_of('S')}?{none_of('COMMA')}{{0,2}}{one_of('POLICY|STUFF')})"
)


def compile_rows(rows: Iterable[str]) -> re.Pattern[str]:
    """Return one pattern of all *rows*; the first row that matches wins."""
    sources = (_source(row.split(), f"row{number}") for number, row in enumerate(rows))
    return re.compile("|".join(sources))


def compile_by_anchor(rows: Iterable[str]) -> dict[str, re.Pattern[str]]:
    """Return, for each code that begins a row, one pattern of the rest of all these rows.

    The group of row 7 is "row7".
    """
    sources: dict[str, list[str]] = {}
    for number, row in enumerate(rows):
        anchor, *rest = row.split()
        first, group = _parsed(anchor), f"row{number}"
        source = _after_name(first, group) + _source(rest, group)
        for code in codes(first["classes"]):
            sources.setdefault(code, []).append(source)
    return {code: re.compile("|".join(listed)) for code, listed in sources.items()}


def name_found(match: re.Match[str]) -> int:
    """Return the index of the name in the row that matched."""
    return match.start(match.lastgroup or 0) - 1


def _source(terms: Iterable[str], group: str) -> str:
    return "".join(_term_source(_parsed(term), group) for term in terms)


def _parsed(term: str) -> re.Match[str]:
    found = _TERM.fullmatch(term)
    assert found, f"no term of a rule: {term}"
    return found


def _term_source(term: re.Match[str], group: str) -> str:
    if term["group"]:
        return term["group"].replace("(", "(?:")
    if term["gap"]:
        return f"{_GAPS[term['gap']]}{{0,{term['words']}}}?"
    if term["barred"]:
        return f"(?!{one_of(term['barred'])})"
    most = (term["most"] or "").replace("{", "{0,")
    return one_of(term["classes"]) + most + _after_name(term, group)


def _after_name(term: re.Match[str], group: str) -> str:
    if not term["name"]:
        return ""
    return f"(?P<{group}>){_TAIL}" + (_NOT_AN_ATTRIBUTE if term["name"] == "*" else "")
