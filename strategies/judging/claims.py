"""Clause reader: finds the vendor names of a clause that belong to a claim about the speaker.

A clause is given as a string of codes, one character for each word (see grammar.py). The rules (see
rules.py) are patterns over such strings. Every gap in a rule is bounded, and rules begin only at
words of a few classes, so a clause of bounded length takes bounded time.
"""

from __future__ import annotations

import re

import msgspec

from .grammar import CODES
from .patterns import codes as codes_of
from .patterns import compile_by_anchor, compile_rows, name_found, none_of, one_of
from .rules import BARE, CARRIED, RULES

_NAMES = codes_of("ANY")
_NOT, _QUOTE, _IF, _SAY = (CODES[name] for name in ("NOT", "QUOTE", "IF", "SAY"))

_REASONS = [reason for reason, rows in RULES.items() for _ in rows]
_BY_ANCHOR = compile_by_anchor(row for rows in RULES.values() for row in rows)
_CARRIED = compile_rows(CARRIED)
_BARE = compile_rows((BARE,))
_NAME = re.compile(one_of("ANY"))
_SPEAKER = re.compile(one_of("I|MY|ME|LIKEME|YOU|AS|THIS|HERE|CALLME"))

# A denial that ends at "but" is removed as a whole: "I'm [not a human but] an AI".
_DENIED = re.compile(
    f"{_NOT}{one_of('ADV')}?(?={one_of('ANY|DET|MADE|BE|BY|FROM|THING|AS')})"
    f"{none_of('NOT|BUT|STOP|QMARK|START|END')}{{0,14}}?"
    f"(?:{one_of('BUT')}(?={one_of('ANY|DET|BY|FROM|MADE|SHI')})|{one_of('COMMA')}(?={one_of('SHI')}))"
)

# Words that may stand between a claim and the "if" or "they say" that governs it.
_LINKS = codes_of("WHO|COMMA|ADV|LE")
_SPEAKER_SAYS = re.compile(  # "I can say that I am", not "if I say" or "it would be wrong to say"
    f"(?:(?<!{_IF}){one_of('I|ME')}|(?<!{_NOT}){one_of('TO')}){none_of('NOT|COMMA')}{{0,2}}{_SAY}\\Z"
)
_UNTRUE = re.compile(f"{_NOT}.{{0,2}}{one_of('TRUE')}\\Z")  # "it is not the case that I am"
_RIVAL = re.compile(f"{one_of('RIVAL')}{one_of('OF|AND|DET|BY')}{{0,2}}\\Z")
_PLAYED = re.compile(
    f"(?:{one_of('NOT|BUT')}.*)?(?:{one_of('PRETEND')}|{one_of('THIS|DET')}{one_of('SCENE')})"
)
_PLAY_MARKERS = codes_of("PRETEND|THIS|DET")
_SENTENCE_END = re.compile(one_of("STOP|QMARK|MA|END"))
_NOT_A_QUESTION = codes_of("STOP|END")
_BREAKS = codes_of("COMMA|QMARK|STOP|START")
_QUESTION = re.compile(f"{one_of('GREET|AND')}*{one_of('ASK|BE|WHO')}{none_of('SHI')}")


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One claim about the speaker: the place of its first word and that of the claimed name.

    *since* and *name* are indices into the codes. *reason* is the name of the rule.
    """

    name: int
    since: int
    reason: str


def read_clause(codes: str) -> list[Statement]:
    """Return what a clause claims about its speaker, in the order of the names.

    *codes* are the coded words of the clause, between the codes of START and END.
    """
    if not _SPEAKER.search(codes):
        return []
    if (_NOT in codes or _QUOTE in codes) and (ignored := _ignored(codes)):
        kept = [at for at in range(len(codes)) if at not in ignored]
        return [
            Statement(
                name=kept[statement.name], since=kept[statement.since], reason=statement.reason
            )
            for statement in _read("".join([codes[at] for at in kept]))
        ]
    return _read(codes)


def read_answer(codes: str) -> list[Statement]:
    """Return the claim of a clause that is only a name, such as a short answer to "who?"."""
    found = _BARE.fullmatch(codes)
    if found is None:
        return []
    name = name_found(found)
    return [Statement(name=name, since=name, reason="answers with the name")]


def _ignored(codes: str) -> set[int]:
    """Return the indices of words that rules skip: quotation marks, and denials before "but"."""
    ignored = {at for at, code in enumerate(codes) if code == _QUOTE}
    for denied in _DENIED.finditer(codes):
        ignored.update(range(*denied.span()))
    return ignored


def _read(codes: str) -> list[Statement]:
    found: dict[int, Statement] = {}
    last = max(map(codes.rfind, _NAMES))  # no rule begins after the last name
    for since, code in enumerate(codes[: last + 1]):
        rules = _BY_ANCHOR.get(code)
        match = rules.match(codes, since + 1) if rules else None
        if match and _is_meant(codes, since, name := name_found(match)):
            reason = _REASONS[int((match.lastgroup or "")[len("row") :])]
            found.setdefault(name, Statement(name=name, since=since, reason=reason))
    return _with_carried(codes, found) if found else []


def _is_meant(codes: str, since: int, name: int) -> bool:
    """Return whether the speaker means a claim.

    That is not so for a condition, hearsay, a statement about a rival, role play and a question.
    """
    before = codes[max(0, since - 8) : since].rstrip(_LINKS)
    if before.endswith(_IF) or (before.endswith(_SAY) and not _SPEAKER_SAYS.search(before)):
        return False
    if _UNTRUE.search(before) or _RIVAL.search(codes, 0, since):
        return False
    played = _PLAYED.search(codes, 0, name)
    if played and played[0][0] in _PLAY_MARKERS:
        return False
    return not _is_asked(codes, since, name)


def _is_asked(codes: str, since: int, name: int) -> bool:
    end = _SENTENCE_END.search(codes, name)
    if end is None or end[0] in _NOT_A_QUESTION:
        return False
    if end[0] == CODES["MA"]:
        return True
    begin = max(map(codes[:since].rfind, _BREAKS))
    return _QUESTION.match(codes, begin + 1) is not None


def _with_carried(codes: str, found: dict[int, Statement]) -> list[Statement]:
    """Return *found*, and the same statement for each name that follows, as in "by X and Y"."""
    earlier: Statement | None = None
    statements = []
    for name in _NAME.finditer(codes):
        statement = found.get(name.start())
        if statement is None and earlier:
            carried = _CARRIED.match(codes, earlier.name + 1)
            if carried and name_found(carried) == name.start():
                statement = Statement(name=name.start(), since=earlier.since, reason=earlier.reason)
        if statement:
            statements.append(statement)
        earlier = statement
    return statements
