"""Lexicon of the names of vendors and models, and a tokenizer that finds them in a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import chain, islice, repeat

import msgspec

from ..types import Vendor
from .grammar import CODES, build_words

# These names are also everyday words, so they count only with a capital letter.
_EVERYDAY = frozenset(("gemini", "google", "grok", "llama", "meta", "mistral"))
# These words count only in lower case: "US" is not "us".
_SMALL = frozenset(("us",))

_WORD = r"[a-z\u00df-\u02af\u0370-\u052f][a-z0-9\u00df-\u02af\u0370-\u052f]*"
_SYLLABLE = r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
_NAME_WITH_VERSION = r"[ -]?[a-z]?\d"  # company and version: "DeepSeek-V3", "Mistral 7B"
_VERSION = re.compile(r"[ -]?\d{1,2}(?:\.\d{1,2})?[a-z]?(?![a-z0-9])")
_PLAIN, _START, _END = CODES["PLAIN"], CODES["START"], CODES["END"]


class Name(msgspec.Struct, frozen=True, kw_only=True):
    """A name of the lexicon: its vendor, and the code of its class (company, model or both)."""

    vendor: str
    code: str


class Lexicon:
    """One tokenizer for the names of *vendors* and the words of the grammar."""

    def __init__(self, vendors: Iterable[Vendor]) -> None:
        self.names = _build_names(vendors)
        self._codes = build_words() | {word: name.code for word, name in self.names.items()}
        self._tokens = _build_tokens(self._codes, self.names)
        self._capital = _EVERYDAY & self.names.keys()
        self._by_case = self._capital | _SMALL

    def words(self, text: str, lowered: str, left: int, right: int) -> list[str]:
        """Return the words between *left* and *right*; a word in the wrong case becomes "".

        *lowered* is *text* in lower case, with every character at the same position.
        """
        words = self._tokens.findall(lowered, left, right)
        if self._by_case.isdisjoint(words):
            return words
        tokens = self._tokens.finditer(lowered, left, right)
        return [token[1] if self._is_in_case(text, token) else "" for token in tokens]

    def codes(self, words: Iterable[str]) -> str:
        """Return the code of START, then one code for each word, then the code of END."""
        return _START + "".join(map(self._codes.get, words, repeat(_PLAIN))) + _END

    def span(
        self, words: list[str], number: int, lowered: str, left: int, right: int
    ) -> tuple[int, int]:
        """Return where the name *words[number]* is; the name of a model includes its version.

        *words* are the words between *left* and *right*.
        """
        name = words[number]
        if lowered.count(name, left, right) == 1:  # true for most names: no second pass is needed
            start = lowered.index(name, left)
        else:
            start = next(islice(self._tokens.finditer(lowered, left, right), number, None)).start(1)
        end = start + len(name)
        version = _VERSION.match(lowered, end)
        if version and self.names[name].code != CODES["COMPANY"]:
            return start, version.end()
        return start, end

    def _is_in_case(self, text: str, token: re.Match[str]) -> bool:
        if token[1] in self._capital:
            return text[token.start(1)].isupper()
        return token[1] not in _SMALL or text[token.end() - 1].islower()


class Roots:
    """The *words* that contain no other of them, for a fast first search.

    A text that has none of the roots has none of the words.
    """

    def __init__(self, words: Iterable[str]) -> None:
        roots: dict[str, list[str]] = {}
        for word in sorted(words, key=lambda word: (len(word), word)):
            if not any(root in word for listed in roots.values() for root in listed):
                roots.setdefault(_rare(word), []).append(word)
        self._by_rare = tuple(roots.items())

    def found_in(self, lowered: str) -> list[str]:
        """Return the roots that are in *lowered*."""
        return [
            root
            for rare, roots in self._by_rare
            if rare in lowered  # searching one character is much faster than a word
            for root in roots
            if root in lowered
        ]


def _rare(word: str) -> str:
    """Return a character of *word* that is rare in texts: a digit or a mark, or "" if none is."""
    digits = (letter for letter in word if letter.isdigit())
    marks = (letter for letter in word if not letter.isalnum() and letter != " ")
    return next(chain(digits, marks), "")


def lower(text: str) -> str:
    """Return *text* in lower case with the same length; İ alone would become two characters."""
    return text.replace("İ", "I").lower()


def _build_names(vendors: Iterable[Vendor]) -> dict[str, Name]:
    """Return the names in lower case. If two vendors have the same name, the first gets it.

    A name is of class BOTH if it is the company's and, with or without a version, a model's.
    """
    names: dict[str, Name] = {}
    for vendor in vendors:
        products = {lower(product) for product in vendor.products}
        for word in map(lower, (vendor.name, *vendor.aliases)):
            versioned = re.compile(re.escape(word) + _NAME_WITH_VERSION)
            both = word in products or any(map(versioned.match, products))
            code = CODES["BOTH" if both else "COMPANY"]
            names.setdefault(word, Name(vendor=vendor.id, code=code))
        for word in sorted(products):
            names.setdefault(word, Name(vendor=vendor.id, code=CODES["MODEL"]))
    return names


def _build_tokens(words: Iterable[str], names: Mapping[str, Name]) -> re.Pattern[str]:
    """Return the pattern of one word: the longest of *words*, else any word or syllable.

    A word that is a plain run of letters is found without being listed in the pattern. A name is
    always listed, because a version may follow it. After a Latin name no Latin letter may follow;
    after a Chinese name it may.
    """
    single = re.compile(_WORD)
    listed = [word for word in words if word in names or not single.fullmatch(word)]
    latin = [word for word in listed if word[0].isascii()]
    other = [word for word in listed if not word[0].isascii()]
    choices = (
        _one_of_heads(latin) + _build_choice(latin, border="(?![a-z])"),
        _WORD,
        _one_of_heads(other) + _build_choice(other),
        _SYLLABLE,
    )
    # The pattern includes the space before a word. A failed match at the space would take half as
    # long as the word itself.
    return re.compile(f" ?({'|'.join(choices)})")


def _one_of_heads(words: Iterable[str]) -> str:
    """Return a look-ahead that fails at once if none of *words* can begin here."""
    return f"(?=[{''.join(re.escape(head) for head in sorted({word[0] for word in words}))}])"


def _build_choice(words: Iterable[str], *, border: str = "") -> str:
    """Return a pattern of the longest of *words*, as a prefix tree."""
    by_head: dict[str, list[str]] = {}
    for word in words:
        by_head.setdefault(word[0], []).append(word[1:])
    choices = []
    for head, rests in by_head.items():
        longer = _build_choice(filter(None, rests), border=border)
        ends = [border if head.isalnum() else ""] if "" in rests else []
        rest = "|".join([longer, *ends] if longer else ends)
        choices.append(re.escape(head) + (f"(?:{rest})" if longer and ends else rest))
    return f"(?:{'|'.join(choices)})" if len(choices) > 1 else "".join(choices)
