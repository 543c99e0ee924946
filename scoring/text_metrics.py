"""Text metrics: the similarity of two texts, computed without a judge.

Every metric is symmetric, lies in [0, 1], and is 1 for equal texts. None depends on a language:
Chinese is compared as English is. If a metric finds nothing to compare, for example no word at all,
the value is 1 for equal texts and 0 otherwise.

The running time is bounded by the length of the texts, whatever they contain. A pair of responses
takes a few milliseconds, a pair of 1 MB texts takes seconds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from math import fsum
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

TextMetric = Literal["chars", "rouge-l", "length", "markdown"]

TEXT_METRICS: tuple[TextMetric, ...] = get_args(TextMetric)
VERSION = "likeness-1"  # written into every score; raise it with any change to a formula

LONGEST = 1 << 15  # rouge_l reads this many words of a text, far more than a response has

_GRAMS = (3, 4, 5)

# Scripts without spaces between words; each of their characters counts as a word. Thai, Lao,
# Myanmar, Khmer, kana, Han.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
# \w lacks the vowel signs of Indic scripts and combining accents, which would split words.
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


def compare_texts(metric: TextMetric, reference: str, target: str) -> float:
    """Return the value of *metric* for two texts."""
    return _FUNCTIONS[metric](reference, target)


def chars(reference: str, target: str) -> float:
    """Return the share of character n-grams in common to two texts, n from 3 to 5; in [0, 1].

    For each n it is 2 |A ∩ B| / (|A| + |B|) over the multisets of n-grams. The result is the mean
    over the n for which either text has an n-gram. That is chrF with equal weights of recall and
    precision. Case is folded, and a run of white space counts as one space.

    M. Popović, "chrF: character n-gram F-score for automatic MT evaluation", WMT 2015, 392-395.
    """
    first, second = (" ".join(text.casefold().split()) for text in (reference, target))
    both = np.concatenate([_code_points(first), _code_points(second)])
    # Every n-gram is numbered by its place in the sorted list of those that occur. That is exact
    # for any alphabet; packing characters into an integer would overflow or collide.
    letters = np.unique(both, return_inverse=True)[1].astype(np.int64)
    numbers, found = letters, []
    for n in range(2, max(_GRAMS) + 1):
        if len(first) < n and len(second) < n:
            break
        pairs = numbers[: len(both) - n + 1] * (letters.max() + 1) + letters[n - 1 :]
        numbers = np.unique(pairs, return_inverse=True)[1].astype(np.int64)
        if n in _GRAMS:
            ours = numbers[: max(0, len(first) - n + 1)]
            theirs = numbers[len(first) :]  # the n-grams in between span both texts
            found.append(_overlap(ours, theirs))
    return fsum(found) / len(found) if found else float(first == second)


def rouge_l(reference: str, target: str) -> float:
    """Return the F1 of the longest common subsequence of words; in [0, 1].

    It is 2 LCS / (words of one + words of the other), with case folded and without punctuation. A
    character of a script that has no spaces between words counts as a word. Only the first LONGEST
    words of a text are read.

    C.-Y. Lin, "ROUGE: a package for automatic evaluation of summaries", ACL 2004, 74-81.
    """
    first, second = words(reference)[:LONGEST], words(target)[:LONGEST]
    if not first and not second:
        return float(reference == target)
    return 2 * common_subsequence(first, second) / (len(first) + len(second))


def length(reference: str, target: str) -> float:
    """Return the length of the shorter text over that of the longer, in characters; in [0, 1].

    A run of white space counts as one character.
    """
    return _ratio(*(len(" ".join(text.split())) for text in (reference, target)))


def markdown(reference: str, target: str) -> float:
    """Return the similarity of the layout of two texts, whatever their words; in [0, 1].

    Both texts are reduced to a profile (see *layout*). Each feature that either text has is
    compared as min / max, and the result is the mean over these features. Features that both texts
    lack are ignored.
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

    The algorithm is bit-parallel on Python's long integers. One addition computes a whole row of
    the usual table, so no table is kept, and a pair of responses takes a millisecond or two. Bit i
    of *row* is 0 where the value in the row grows at item i.

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
    """Return the Markdown profile of *text*: counts, and the mean length of a paragraph.

    The counts are: lines of headings, bullet lists, numbered lists, quotes, tables and fenced code;
    fenced blocks (one that is never closed runs to the end); spans of bold, italic, inline code and
    formulas outside fenced blocks; and paragraphs. A paragraph is a run of lines without a mark
    that does not continue a list. Its length is in characters.
    """
    profile = dict.fromkeys((*_MARK.groupindex, "code", "code block", *_SPANS), 0.0)
    visible: list[str] = []
    paragraphs: list[int] = []
    fenced = False
    after = ""  # the kind of element that a line without a mark continues
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
    """Count one line that has text; return the kind of element that the next line continues."""
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
    """Return the characters as numbers; an unpaired surrogate counts as a character."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _overlap(ours: npt.NDArray[np.int64], theirs: npt.NDArray[np.int64]) -> float:
    top = int(max(ours.max(initial=0), theirs.max(initial=0))) + 1
    counts = [np.bincount(numbers, minlength=top) for numbers in (ours, theirs)]
    return 2 * float(np.minimum(*counts).sum()) / (ours.size + theirs.size)


def _ratio(first: float, second: float) -> float:
    return min(first, second) / max(first, second) if first or second else 1.0


_FUNCTIONS: dict[TextMetric, Callable[[str, str], float]] = {
    "chars": chars,
    "rouge-l": rouge_l,
    "length": length,
    "markdown": markdown,
}
