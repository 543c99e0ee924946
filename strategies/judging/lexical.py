"""Lexical judge: finds first-person vendor claims by rule, in English and Chinese.

It searches for the names of vendors first and reads only the clauses around them, so it costs
little more than one text search. It does not know invented companies. It therefore gives strict
verdicts and no loose ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from ..types import Vendor, Verdict
from .claims import read_answer, read_clause
from .grammar import CODES
from .names import Lexicon, Name, Roots, lower

_REACH = 280  # characters of a clause that are read on each side of a name
_PLACES_MAX = 2000  # occurrences of one name that are read in a text
_LINE_MAX = 2000  # characters before a name that are searched for the label of its line
_SPEECH_MAX = 600  # characters before a name that are searched for an opening quotation mark
_QUOTE_MAX = 200

# The end of a sentence. After Latin punctuation a space or the like must follow. The pattern begins
# with one character class because that is fast to search for.
_END = re.compile(r"[.!?。！？；\n](?:(?<![.!?])|(?=[\s\"'”’)\]*]|\Z))")
_THINK = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_QUOTES = re.compile(r"[\"“”„«»「」『』]")
_LABEL = re.compile(
    r"[^\w\n\[【(]{0,8}(?:[\[【(](?P<tag>[^\]】)\n]{1,40})[\]】)]\W{0,4}?[:：]?"
    r"|(?P<name>\w[^\n:：.!?。,，]{0,38})[:：])"
)
_ADDRESSED = re.compile(r"\byou(?:r|rs)?\b|[你您]")
_FIRST_PERSON = re.compile(r"\b(?:i|i'm|i’m|my|me|we|our)\b|我")
_NOTHING = Verdict(metric="strict", positive=False, reason="claims no foreign vendor")


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One claim to be, or to be made by, a vendor; *start* and *end* enclose the name."""

    vendor: str
    name: str
    start: int
    end: int
    quote: str
    reason: str


class _Text(NamedTuple):
    written: str
    lowered: str  # the same, character by character
    question: str = ""


class LexicalJudge:
    """Strict verdicts by rule; compiled once for a target, without state."""

    def __init__(
        self, *, vendors: tuple[Vendor, ...], strict_vendors: tuple[str, ...], own_vendor: str
    ) -> None:
        self._marks = {vendor.id: vendor.marks for vendor in vendors}
        self._lexicon = Lexicon(vendors)
        self._foreign = frozenset(strict_vendors) - {own_vendor}
        names = self._lexicon.names
        self._roots = Roots(names)
        self._foreign_roots = Roots(
            word for word, name in names.items() if name.vendor in self._foreign
        )

    def claims(self, text: str) -> tuple[Claim, ...]:
        """Return every claim to be, or be made by, a vendor of the lexicon, in text order."""
        lowered = lower(text)
        roots = self._roots.found_in(lowered)
        return tuple(self._claims(_Text(text, lowered), roots, frozenset(self._marks)))

    def first_claim(self, response_text: str, question: str = "") -> Claim | None:
        """Return the first claim to be of a foreign strict vendor, or None.

        A sentence that repeats *question* is no claim. A bare name is a claim if *question* asks
        about "you".
        """
        lowered = lower(response_text)
        roots = self._foreign_roots.found_in(lowered)
        if not roots:  # true for most responses, which then need no reading
            return None
        text = _Text(response_text, lowered, question)
        for claim in self._claims(text, roots, self._foreign):
            if not _repeats(claim, question):
                return claim
        return None

    def judge(self, response_text: str, question: str = "") -> Verdict:
        """Return the strict verdict: positive iff there is a first claim."""
        claim = self.first_claim(response_text, question)
        if claim is None:
            return _NOTHING
        return Verdict(
            metric="strict",
            positive=True,
            vendor=claim.vendor,
            quote=claim.quote,
            reason=f"{claim.reason}: {claim.name} (characters {claim.start}-{claim.end})",
        )

    def _claims(self, text: _Text, roots: list[str], wanted: frozenset[str]) -> Iterator[Claim]:
        if "<think>" in text.lowered:
            visible = _THINK.sub(lambda found: " " * len(found[0]), text.lowered)
            text = _Text(text.written, visible, text.question)
        read = 0
        for place in _places(text.lowered, roots):
            if place >= read:
                left, right = _clause_around(text.lowered, place, read)
                yield from self._claims_in(text, left, right, wanted)
                read = right

    def _claims_in(
        self, text: _Text, left: int, right: int, wanted: frozenset[str]
    ) -> Iterator[Claim]:
        """Yield the claims that the speaker makes in one clause."""
        words = self._lexicon.words(text.written, text.lowered, left, right)
        codes = self._lexicon.codes(words)
        statements = read_clause(codes)
        if not statements and _answers(text, left):
            statements = read_answer(codes)
        for statement in statements:
            number = statement.name - 1  # the first code is that of START
            name = self._lexicon.names[words[number]]
            if name.vendor not in wanted:
                continue
            start, end = self._lexicon.span(words, number, text.lowered, left, right)
            inner = codes.count(CODES["QUOTE"], statement.since, statement.name)
            if not (
                self._in_role(text.lowered, start, name)
                or _is_quoted(text.lowered, start, end, inner)
            ):
                yield Claim(
                    vendor=name.vendor,
                    name=text.written[start:end],
                    start=start,
                    end=end,
                    quote=_quote(text.written, left, right, start),
                    reason=statement.reason,
                )

    def _in_role(self, lowered: str, start: int, name: Name) -> bool:
        """Return whether the name at *start* is in, or after, the label of a role of its vendor.

        The label of a role has a colon: "[Claude]: I am ...". A tag without a colon, as in
        "[CHATGPT] ...", is only a format; the speaker is still the model.
        """
        line = _line_around(lowered, start)
        label = _LABEL.match(lowered, line, line + 80)
        if label is None:
            return False
        speaker = label["tag"] or label["name"]
        if start < label.end():
            return name.code != CODES["COMPANY"] and not _FIRST_PERSON.search(speaker)
        role = label[0].endswith((":", "："))
        return role and any(mark in speaker for mark in self._marks[name.vendor])


def _places(lowered: str, roots: list[str]) -> list[int]:
    """Return where the *roots* are, in order; at most _PLACES_MAX places of each."""
    places = []
    for root in roots:
        place = lowered.find(root)
        for _ in range(_PLACES_MAX):
            if place < 0:
                break
            places.append(place)
            place = lowered.find(root, place + 1)
    places.sort()
    return places


def _clause_around(lowered: str, place: int, read: int) -> tuple[int, int]:
    """Return the bounds of the clause at *place*, with a question before it that it may answer."""
    first = max(read, place - _REACH)
    ends = [first, first, *(end.end() for end in _END.finditer(lowered, first, place))]
    left = ends[-2] if lowered[ends[-1] - 1] in "?？" else ends[-1]
    after = _END.search(lowered, place, place + _REACH)
    return left, after.end() if after else min(len(lowered), place + _REACH)


def _answers(text: _Text, left: int) -> bool:
    """Return whether the clause from *left* on answers a question about "you"."""
    return (
        left < _REACH
        and not text.lowered[:left].strip()
        and _ADDRESSED.search(text.question.lower()) is not None
    )


def _is_quoted(lowered: str, start: int, end: int, inner: int) -> bool:
    """Return whether the claim with the name at *start* is inside a quotation.

    That is so if a quotation opens before the claim and does not close before it. *inner* is the
    number of quotation marks between the first word of the claim and the name. Quotation marks
    around the name alone, or around the whole text, do not count.
    """
    first = max(_line_around(lowered, start), start - _SPEECH_MAX)
    marks = [mark.start() for mark in _QUOTES.finditer(lowered, first, start)]
    if marks and marks[-1] == start - 1 and not inner and _QUOTES.match(lowered, end):
        del marks[-1]
    outer = marks[: len(marks) - inner]
    return len(outer) % 2 == 1 and outer[-1] != _wrapped_at(lowered)


def _wrapped_at(lowered: str) -> int:
    """Return where the quotation around the whole text opens, or -1 if there is none."""
    inner = lowered.strip()
    whole = len(inner) > 1 and _QUOTES.match(inner) and _QUOTES.match(inner, len(inner) - 1)
    return lowered.index(inner[0]) if whole else -1


def _line_around(lowered: str, start: int) -> int:
    """Return where the line around *start* begins, but at most _LINE_MAX characters before it."""
    first = max(0, start - _LINE_MAX)
    return max(first, lowered.rfind("\n", first, start) + 1)


def _quote(text: str, left: int, right: int, start: int) -> str:
    if right - left > _QUOTE_MAX:
        left = max(left, min(start - _QUOTE_MAX // 2, right - _QUOTE_MAX))
    return text[left : min(right, left + _QUOTE_MAX)].strip()


def _repeats(claim: Claim, question: str) -> bool:
    """Return whether the claim's clause is part of *question*."""
    return lower(claim.name) in lower(question) and _folded(claim.quote) in _folded(question)


def _folded(text: str) -> str:
    return " ".join(text.lower().split())
