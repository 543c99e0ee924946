"""How alike two texts are, without a judge: measures that any reader can compute again.

Every measure is symmetric, gives 1 for equal texts and lies in [0, 1]. None knows a language:
Chinese counts as English does. Two texts in which a measure finds nothing to compare, such as no
word at all, are 1 alike when they are equal and 0 otherwise.

All run in time that the length of the texts bounds, whatever is in them; a pair of answers takes a
few milliseconds, a pair of 1 MB texts seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import fsum
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

Measure = Literal["chars", "rouge-l", "length", "markdown"]

MEASURES: tuple[Measure, ...] = get_args(Measure)
VERSION = "likeness-1"  # stands beside every score: other formulas are another version

LONGEST = 1 << 15  # words of a text that rouge_l reads: far more than an answer has

_GRAMS = (3, 4, 5)

# Scripts without spaces between words: their characters stand for words. Thai, Lao, Myanmar,
# Khmer, kana, Han.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
# \w lacks the vowel signs of Indic scripts and combining accents; without them words fall apart.
_WORD = re.compile(
    rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])[\w\u0300-\u036f\u0900-\u0dff])++(?:['’]\w++)*+"
)

_FENCE = re.compile(r"```|~~~")
_MARK = re.compile(
    r"(?P<heading>#{1,6}[ \t]+\S)"
    r"|(?P<bullet>[-*+•][ \t]+\S)"
    r"|(?P<numbered>\d{1,3}(?:[.)](?!\d)|、)[ \t]*\S)"
    r"|(?P<quote>>)"
    r"|(?P<table>\|.*\|$)"
)
_SPANS = {
    "bold": re.compile(r"\*\*[^*\n]++\*\*"),
    "italic": re.compile(r"(?<![*\w])\*[^*\s][^*\n]*+\*(?!\*)"),
    "inline code": re.compile(r"`[^`\n]++`"),
    "formula": re.compile(r"\$[^$\n]++\$|\\[(\[]"),
}


def likeness(measure: Measure, reference: str, target: str) -> float:
    """Return what *measure* says of two texts."""
    return _FUNCTIONS[measure](reference, target)


def chars(reference: str, target: str) -> float:
    """Return how many character n-grams two texts share, n from 3 to 5; in [0, 1].

    For each n, 2 |A ∩ B| / (|A| + |B|) over the multisets of n-grams, then the mean over the n of
    which either text has any. That is chrF with recall and precision weighing the same. Case is
    folded and a run of white space counts as one space.

    M. Popović, "chrF: character n-gram F-score for automatic MT evaluation", WMT 2015, 392-395.
    """
    first, second = (" ".join(text.casefold().split()) for text in (reference, target))
    both = np.concatenate([_code_points(first), _code_points(second)])
    # Every n-gram gets the number of its place in the sorted list of those that occur: exact for
    # any alphabet, where packing characters into an integer would overflow or collide.
    letters = np.unique(both, return_inverse=True)[1].astype(np.int64)
    numbers, found = letters, []
    for n in range(2, max(_GRAMS) + 1):
        if len(first) < n and len(second) < n:
            break
        pairs = numbers[: len(both) - n + 1] * (letters.max() + 1) + letters[n - 1 :]
        numbers = np.unique(pairs, return_inverse=True)[1].astype(np.int64)
        if n in _GRAMS:
            ours = numbers[: max(0, len(first) - n + 1)]
            theirs = numbers[len(first) :]  # what lies between the two spans both texts
            found.append(_overlap(ours, theirs))
    return fsum(found) / len(found) if found else float(first == second)


def rouge_l(reference: str, target: str) -> float:
    """Return the F1 of the longest common subsequence of words; in [0, 1].

    2 LCS / (words of one + words of the other), case folded, punctuation left out. A character of
    a script that puts no spaces between words is a word. Only the first LONGEST words of a text
    are read.

    C.-Y. Lin, "ROUGE: a package for automatic evaluation of summaries", ACL 2004, 74-81.
    """
    first, second = words(reference)[:LONGEST], words(target)[:LONGEST]
    if not first and not second:
        return float(reference == target)
    return 2 * common_subsequence(first, second) / (len(first) + len(second))


def length(reference: str, target: str) -> float:
    """Return the shorter text's length over the longer one's, in characters; in [0, 1].

    A run of white space counts as one character.
    """
    return _ratio(*(len(" ".join(text.split())) for text in (reference, target)))


def markdown(reference: str, target: str) -> float:
    """Return how alike the layout of two texts is, whatever their words; in [0, 1].

    Both are reduced to a profile (see *layout*). Each feature that either text has is compared as
    min / max, and the mean is taken over these features: a feature that both lack says nothing.
    """
    first, second = layout(reference), layout(target)
    features = [name for name in first if first[name] or second[name]]
    if not features:
        return float(reference == target)
    return fsum(_ratio(first[name], second[name]) for name in features) / len(features)


def words(text: str) -> list[str]:
    """Return the words of *text*, case folded; see *rouge_l* for scripts without spaces."""
    return _WORD.findall(text.casefold())


def common_subsequence(first: Sequence[str], second: Sequence[str]) -> int:
    """Return the length of the longest common subsequence.

    Bit-parallel on Python's long integers: one addition moves a whole row of the usual table on,
    so no table is held, and a pair of answers takes a millisecond or two. Bit i of *row*
    is 0 where the row's value grows at item i.

    H. Hyyrö, "Bit-parallel LCS-length computation revisited", AWOCA 2004, 16-27.
    """
    places: dict[str, int] = {}
    shared = set(second)
    for index, item in enumerate(first):
        if item in shared:
            places[item] = places.get(item, 0) | 1 << index
    row = full = (1 << len(first)) - 1
    for item in second:
        matches = row & places.get(item, 0)
        if matches:
            row = (row + matches | row - matches) & full
    return len(first) - row.bit_count()


def layout(text: str) -> dict[str, float]:
    """Return what Markdown does to *text*: counts, and the mean length of a paragraph.

    Counted are lines of headings, bullet and numbered lists, quotes, tables and fenced code (a
    fence that never closes runs to the end), fenced blocks, spans of bold, italic, inline code and
    formulas outside of them, and paragraphs: lines without a mark that follow each other and don't
    continue a list. Their mean length is in characters.
    """
    profile = dict.fromkeys((*_MARK.groupindex, "code", "code block", *_SPANS), 0.0)
    visible: list[str] = []
    paragraphs: list[int] = []
    fenced = False
    after = ""  # what a line without a mark would continue
    for line in map(str.strip, text.splitlines()):
        if _FENCE.match(line):
            fenced = not fenced
            profile["code block"] += fenced
            after = ""
        elif fenced:
            profile["code"] += 1
        elif not line:
            after = ""
        else:
            visible.append(line)
            after = _count_line(line, after, profile, paragraphs)
    plain = "\n".join(visible)
    for kind, pattern in _SPANS.items():
        profile[kind] = float(len(pattern.findall(plain)))
    profile["paragraph"] = float(len(paragraphs))
    profile["paragraph length"] = sum(paragraphs) / len(paragraphs) if paragraphs else 0.0
    return profile


def _count_line(line: str, after: str, profile: dict[str, float], paragraphs: list[int]) -> str:
    """Count one line that has text; return what the next one would continue."""
    if mark := _MARK.match(line):
        kind = str(mark.lastgroup)
        profile[kind] += 1
        return "" if kind == "heading" else kind
    if after == "paragraph":
        paragraphs[-1] += len(line)
    elif not after:
        paragraphs.append(len(line))
        return "paragraph"
    return after


def _code_points(text: str) -> npt.NDArray[np.uint32]:
    """Return the characters as numbers; half of a surrogate pair is a character too."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _overlap(ours: npt.NDArray[np.int64], theirs: npt.NDArray[np.int64]) -> float:
    top = int(max(ours.max(initial=0), theirs.max(initial=0))) + 1
    counts = [np.bincount(numbers, minlength=top) for numbers in (ours, theirs)]
    return 2 * float(np.minimum(*counts).sum()) / (ours.size + theirs.size)


def _ratio(first: float, second: float) -> float:
    return min(first, second) / max(first, second) if first or second else 1.0


_FUNCTIONS: dict[Measure, Callable[[str, str], float]] = {
    "chars": chars,
    "rouge-l": rouge_l,
    "length": length,
    "markdown": markdown,
}
