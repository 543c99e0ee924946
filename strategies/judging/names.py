"""The names of makers and models, and a tokenizer that finds them among the words of a text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import chain, islice, repeat

import msgspec

from ..types import Vendor
from .grammar import CODES, build_words

# Everyday words when written small: such a name counts only with a capital. "US" is no "us".
_EVERYDAY = frozenset(("gemini", "google", "grok", "llama", "meta", "mistral"))
_SMALL = frozenset(("us",))

_WORD = r"[a-z\u00df-\u02af\u0370-\u052f][a-z0-9\u00df-\u02af\u0370-\u052f]*"
_SYLLABLE = r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
_NAME_WITH_VERSION = r"[ -]?[a-z]?\d"  # after the name of a company: "DeepSeek-V3", "Mistral 7B"
_VERSION = re.compile(r"[ -]?\d{1,2}(?:\.\d{1,2})?[a-z]?(?![a-z0-9])")
_PLAIN, _START, _END = CODES["PLAIN"], CODES["START"], CODES["END"]


class Name(msgspec.Struct, frozen=True, kw_only=True):
    """A name of the lexicon: whose it is, and the code of what it names."""

    vendor: str
    code: str


class Lexicon:
    """The names of *vendors* among the words of the grammar, compiled into one tokenizer."""

    def __init__(self, vendors: Iterable[Vendor]) -> None:
        self.names = _build_names(vendors)
        self._codes = build_words() | {word: name.code for word, name in self.names.items()}
        self._tokens = _build_tokens(self._codes, self.names)
        self._capital = _EVERYDAY & self.names.keys()
        self._by_case = self._capital | _SMALL

    def words(self, text: str, lowered: str, left: int, right: int) -> list[str]:
        """Return the words between *left* and *right*, empty ones where the case is wrong.

        *lowered* is *text* in lower case, position by position.
        """
        words = self._tokens.findall(lowered, left, right)
        if self._by_case.isdisjoint(words):
            return words
        tokens = self._tokens.finditer(lowered, left, right)
        return [token[1] if self._is_in_case(text, token) else "" for token in tokens]

    def codes(self, words: Iterable[str]) -> str:
        """Return the code of START, that of every word's class, and that of END."""
        return _START + "".join(map(self._codes.get, words, repeat(_PLAIN))) + _END

    def span(
        self, words: list[str], number: int, lowered: str, left: int, right: int
    ) -> tuple[int, int]:
        """Return where the name *words[number]* is, a model's together with its version.

        *words* are those between *left* and *right*.
        """
        name = words[number]
        if lowered.count(name, left, right) == 1:  # spares most names another reading
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
    """The words that contain no other of *words*: a text without them has none of the words."""

    def __init__(self, words: Iterable[str]) -> None:
        roots: dict[str, list[str]] = {}
        for word in sorted(words, key=lambda word: (len(word), word)):
            if not any(root in word for listed in roots.values() for root in listed):
                roots.setdefault(_rare(word), []).append(word)
        self._by_rare = tuple(roots.items())

    def found_in(self, lowered: str) -> list[str]:
        """Return which of them are in *lowered*."""
        return [
            root
            for rare, roots in self._by_rare
            if rare in lowered  # one character is looked for much faster than a word
            for root in roots
            if root in lowered
        ]


def _rare(word: str) -> str:
    """Return a character of *word* that most texts do without: a digit, a mark, or none."""
    digits = (letter for letter in word if letter.isdigit())
    marks = (letter for letter in word if not letter.isalnum() and letter != " ")
    return next(chain(digits, marks), "")


def lower(text: str) -> str:
    """Return *text* in lower case, position by position: one letter alone would grow."""
    return text.replace("İ", "I").lower()


def _build_names(vendors: Iterable[Vendor]) -> dict[str, Name]:
    """Return the names in lower case. Of two vendors with one name the first has it.

    A company whose models are its own name and a version is called like its models.
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

    Words of one plain run of letters need no place in the pattern, save for names, which may be
    followed by a version. A Latin name ends where no Latin letter follows: a Chinese one may.
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
    # The space before a word comes along: failing at it would take half as long as the word.
    return re.compile(f" ?({'|'.join(choices)})")


def _one_of_heads(words: Iterable[str]) -> str:
    """Return a pattern that fails at once where none of *words* begins."""
    return f"(?=[{''.join(re.escape(head) for head in sorted({word[0] for word in words}))}])"


def _build_choice(words: Iterable[str], *, border: str = "") -> str:
    """Return a pattern of the longest of *words*, with its letters shared as far as can be."""
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
