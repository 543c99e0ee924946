"""A rule-based reader of first-person vendor claims, in English and Chinese.

It finds the lexicon's names first and reads only the clauses around them, so that its cost is
about that of one search. It cannot see an invented company: it judges strict, never loose.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from operator import methodcaller

import msgspec

from .claims import FILL, MAKER, MODEL, is_bare_answer, read_clause
from .types import Vendor, Verdict

VERSION = "lexical-1"

_REACH = 280  # characters of a clause kept on each side of a name
_NAMES_MAX = 2000  # in a text; nobody answers with more, and the rest of a flood is not read
_NAMES_READ = 6  # a clause with more names is a list
_QUOTE_MAX = 200
_SPEECH_MAX = 600  # how far back an opening quotation mark is looked for

# Everyday words when written small: such a name counts only with a capital.
_EVERYDAY = frozenset(("gemini", "google", "grok", "llama", "meta", "mistral"))

_END = re.compile(r"[.!?](?=[\s\"'”’)\]*]|\Z)|[。！？；\n]")
_THINK = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL | re.IGNORECASE)
_VERSION_OF_MODEL = re.compile(r"[ -]?\d{1,2}(?:\.\d{1,2})?[a-z]?(?![a-z0-9])")
_QUOTES = re.compile(r"[\"“”„«»「」『』]")
_LABEL = re.compile(
    r"[^\w\n\[【(]{0,8}(?:[\[【(](?P<tag>[^\]】)\n]{1,40})[\]】)]\W{0,4}?[:：]?"
    r"|(?P<name>\w[^\n:：.!?。,，]{0,38})[:：])"
)
_ADDRESSED = re.compile(r"\byou(?:r|rs)?\b|[你您]")
_SPAN = methodcaller("span")
_SHADOW = str.maketrans(
    {
        **dict.fromkeys(f"*`~#\t\r\xa0{MAKER}{MODEL}{FILL}", " "),
        **dict.fromkeys("“”„«»「」『』", '"'),
        **dict(zip("‘’，：（）？！–", "'',:()?!—", strict=True)),
    }
)


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """One claim to be, or to be made by, a vendor; *start* and *end* enclose the name."""

    vendor: str
    name: str
    start: int
    end: int
    quote: str
    reason: str


class _Name(msgspec.Struct, frozen=True, kw_only=True):
    vendor: str
    kind: str
    start: int
    end: int


class _Clause(msgspec.Struct, frozen=True, kw_only=True):
    line: int  # where the line of its first name begins
    left: int
    right: int
    names: tuple[_Name, ...]


class LexicalJudge:
    """Reads strict verdicts off responses by rule; compiled once, without state."""

    def __init__(
        self, *, vendors: tuple[Vendor, ...], strict_vendors: tuple[str, ...], own_vendor: str
    ) -> None:
        self._marks = {vendor.id: vendor.marks for vendor in vendors}
        self._lexicon = _build_lexicon(vendors)
        self._patterns = _build_patterns(self._lexicon)
        self._foreign = frozenset(strict_vendors) - {own_vendor}
        self._roots = _build_roots(
            word for word, (vendor, _) in self._lexicon.items() if vendor in self._foreign
        )

    def claims(self, text: str) -> tuple[Claim, ...]:
        """Return every claim to be, or be made by, a vendor of the lexicon, in text order."""
        return tuple(self._scan(text, _lowered(text), frozenset(self._marks)))

    def judge(self, response_text: str, question: str = "") -> Verdict:
        """Return the strict verdict: positive iff the speaker claims a foreign strict vendor.

        A sentence that repeats *question* claims nothing; a bare name that answers one put to
        the speaker does.
        """
        lowered = _lowered(response_text)
        if any(root in lowered for root in self._roots):  # spares most responses the reading
            asked = _folded(question)
            for claim in self._scan(
                response_text, lowered, self._foreign, addressed=bool(_ADDRESSED.search(asked))
            ):
                if _folded(claim.quote) not in asked:
                    return Verdict(
                        metric="strict",
                        positive=True,
                        vendor=claim.vendor,
                        quote=claim.quote,
                        reason=f"{claim.reason}: {claim.name}",
                    )
        return Verdict(metric="strict", positive=False, reason="claims no foreign vendor")

    def _scan(
        self, text: str, lowered: str, wanted: frozenset[str], *, addressed: bool = False
    ) -> Iterator[Claim]:
        lowered = _without_thoughts(lowered)
        wrapped = _wrapped_at(lowered)
        names = islice(self._find(text, lowered), _NAMES_MAX)
        for clause in _clauses(lowered, names):
            if not any(name.vendor in wanted for name in clause.names):
                continue
            for name, since, reason in _read(lowered, clause, addressed=addressed):
                if name.vendor not in wanted or self._in_role(lowered, clause.line, name):
                    continue
                if _opening(lowered, clause.line, since, name) not in (None, wrapped):
                    continue
                yield Claim(
                    vendor=name.vendor,
                    name=text[name.start : name.end],
                    start=name.start,
                    end=name.end,
                    quote=_quote(text, clause, name),
                    reason=reason,
                )

    def _find(self, text: str, lowered: str) -> Iterator[_Name]:
        free = 0
        found = (pattern.finditer(lowered) for pattern in self._patterns)
        for start, end in heapq.merge(*(map(_SPAN, matches) for matches in found)):
            word = lowered[start:end]
            if start < free or (word in _EVERYDAY and not text[start].isupper()):
                continue
            vendor, kind = self._lexicon[word]
            version = _VERSION_OF_MODEL.match(lowered, end) if kind == MODEL else None
            free = version.end() if version else end
            yield _Name(vendor=vendor, kind=kind, start=start, end=free)

    def _in_role(self, lowered: str, line: int, name: _Name) -> bool:
        """Return whether *name* is in, or stands behind, the label of a role of its vendor.

        A role's label has a colon: "[Claude]: I am ...". A tag without one, "[CHATGPT] ...", is
        only the form of the answer, whose speaker is still the model.
        """
        label = _LABEL.match(lowered, line, line + 80)
        if label is None:
            return False
        if name.start < label.end():
            return name.kind == MODEL
        speaker = label["tag"] or label["name"]
        role = label[0].endswith((":", "："))
        return role and any(mark in speaker for mark in self._marks[name.vendor])


def _build_lexicon(vendors: Iterable[Vendor]) -> dict[str, tuple[str, str]]:
    lexicon: dict[str, tuple[str, str]] = {}
    for vendor in vendors:
        for kind, words in ((MAKER, (vendor.name, *vendor.aliases)), (MODEL, vendor.products)):
            for word in words:
                lexicon.setdefault(_lowered(word), (vendor.id, kind))
    return lexicon


def _build_patterns(words: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    """Return a pattern of the Latin names, which must stand alone, and one of the others.

    The longest name comes first. ASCII makes a Chinese character a border, as it is beside a
    Latin name. Apart, the two are many times as fast as together: the one fails at once where no
    word begins, the other where no name's first character is.
    """
    latin: dict[str, list[str]] = {}
    others = []
    for word in sorted(words, key=lambda word: (-len(word), word)):
        if word[0].isascii():
            border = "(?![a-z])" if word[-1].isalnum() and word[-1].isascii() else ""
            latin.setdefault(word[0], []).append(re.escape(word[1:]) + border)
        else:
            others.append(re.escape(word))
    heads = "|".join(f"{re.escape(head)}(?:{'|'.join(rest)})" for head, rest in latin.items())
    sources = (rf"\b(?:{heads})" if heads else "", "|".join(others))
    return tuple(re.compile(source, re.ASCII) for source in sources if source)


def _build_roots(words: Iterable[str]) -> tuple[str, ...]:
    """Return the words that contain no other: a text without any of them has none of *words*."""
    roots: list[str] = []
    for word in sorted(words, key=lambda word: (len(word), word)):
        if not any(root in word for root in roots):
            roots.append(word)
    return tuple(roots)


def _clauses(lowered: str, names: Iterator[_Name]) -> Iterator[_Clause]:
    """Group *names* by the clause that they stand in."""
    left = right = line = searched = 0
    group: list[_Name] = []
    for name in names:
        if group and name.start < right:
            group.append(name)
            continue
        if group:
            yield _Clause(line=line, left=left, right=right, names=tuple(group))
        left = max(0, name.start - _REACH)
        for end in _END.finditer(lowered, left, name.start):
            left = end.end()
        stop = _END.search(lowered, name.end, name.end + _REACH)
        right = stop.end() if stop else min(len(lowered), name.end + _REACH)
        line = lowered.rfind("\n", searched, name.start) + 1 or line
        searched = name.start
        group = [name]
    if group:
        yield _Clause(line=line, left=left, right=right, names=tuple(group))


def _read(lowered: str, clause: _Clause, *, addressed: bool) -> Iterator[tuple[_Name, int, str]]:
    """Yield the names that are claimed, where each claim begins, and why it is one."""
    shadow = _shadow(lowered, clause)
    addressed = addressed and clause.left < _REACH
    names = clause.names[:_NAMES_READ]
    spans = [(name.start - clause.left, name.end - clause.left) for name in names]
    for name, reading in zip(names, read_clause(shadow, spans), strict=True):
        if reading and not reading.denied:
            yield name, clause.left + reading.since, reading.reason
        elif addressed and not lowered[: clause.left].strip() and is_bare_answer(shadow):
            yield name, name.start, "answers with the name"


def _shadow(lowered: str, clause: _Clause) -> str:
    parts = []
    at = clause.left
    for name in clause.names:
        parts.append(lowered[at : name.start].translate(_SHADOW))
        parts.append(name.kind + FILL * (name.end - name.start - 1))
        at = name.end
    parts.append(lowered[at : clause.right].translate(_SHADOW))
    return "".join(parts)


def _opening(lowered: str, line: int, since: int, name: _Name) -> int | None:
    """Return where the quotation around a claim opens; one around the name alone is none."""
    first = max(line, name.start - _SPEECH_MAX)
    marks = [mark.start() for mark in _QUOTES.finditer(lowered, first, name.start)]
    if len(marks) % 2 == 0 or marks[-1] > since:
        return None
    if marks[-1] == name.start - 1 and _QUOTES.match(lowered, name.end):
        return None
    return marks[-1]


def _wrapped_at(lowered: str) -> int:
    """Return where the quotation opens that holds the whole text, -1 if none does.

    Such a text is the speaker's own words.
    """
    inner = lowered.strip()
    whole = len(inner) > 1 and _QUOTES.match(inner) and _QUOTES.match(inner, len(inner) - 1)
    return lowered.index(inner[0]) if whole else -1


def _quote(text: str, clause: _Clause, name: _Name) -> str:
    left = clause.left
    if clause.right - left > _QUOTE_MAX:
        left = max(left, min(name.start - _QUOTE_MAX // 2, clause.right - _QUOTE_MAX))
    return text[left : min(clause.right, left + _QUOTE_MAX)].strip()


def _without_thoughts(lowered: str) -> str:
    if "<think>" not in lowered:
        return lowered
    return _THINK.sub(lambda found: " " * len(found[0]), lowered)


def _lowered(text: str) -> str:
    """Return *text* in lower case, position by position: one letter alone would grow."""
    return text.replace("İ", "I").replace("_", " ").lower()


def _folded(text: str) -> str:
    return " ".join(text.lower().split())
