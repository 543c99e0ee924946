"""Simulated similarity judge: grades two responses by their overlap, and errs at a planted rate.

Content is the share of common words, style that of common trigrams of characters, logic that of
common pairs of neighbouring lines by kind. Fixed bounds turn each share into a grade. The order of
the two responses changes nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TypeVar

from ..types import Request
from .draws import Dice, blocks_of, dice_for
from .planting import Planting

T = TypeVar("T")

_WORD = re.compile(r"[a-z]{4,}|[\u3400-\u9fff]{2}|\d+")
_BOUNDS = {  # the lowest share for grades 2, 3, 4 and 5
    "style": (0.15, 0.30, 0.55, 0.87),
    "logic": (0.30, 0.60, 0.85, 0.97),
    "content": (0.12, 0.30, 0.55, 0.87),
}
_UNREADABLE = (
    "They are rather alike: 4 of 5.",
    "<style>3.5</style>\n<logic>4</logic>\n<content>4</content>",
    "",
)


def compare_text(request: Request, prompt: str, model: str, planting: Planting) -> str:
    """Return a judge's reply to a prompt that shows two responses."""
    dice = dice_for(request, model, planting)
    if dice.uniform("error") < planting.error and dice.uniform("how") < 0.5:
        return dice.pick("unreadable", _UNREADABLE)
    a, b = _answers_of(prompt, "response-a"), _answers_of(prompt, "response-b")
    shares = {
        "style": _trigram_share(a, b),
        "logic": _line_share(a, b),
        "content": _word_share(a, b),
    }
    grades = {
        aspect: _with_error(
            1 + sum(share >= bound for bound in _BOUNDS[aspect]), aspect, dice, planting
        )
        for aspect, share in shares.items()
    }
    reason = "They share much." if sum(grades.values()) > 9 else "They differ in most things."
    if (
        '{"analysis"' in prompt.rpartition("</")[2]
    ):  # the answer format, which stands behind the responses
        inner = ", ".join(f'"{aspect}": {grade}' for aspect, grade in sorted(grades.items()))
        return f'{{"analysis": "{reason}", {inner}}}'
    tags = "\n".join(f"<{aspect}>{grade}</{aspect}>" for aspect, grade in grades.items())
    return f"<analysis>{reason}</analysis>\n{tags}"


def _answers_of(prompt: str, name: str) -> str:
    """Return one model's answers to all turns."""
    texts = []
    number = 1
    while found := blocks_of(prompt, f"{name}-{number}"):
        texts.append(found[0])
        number += 1
    return "\n\n".join(texts)


def _with_error(grade: int, aspect: str, dice: Dice, planting: Planting) -> int:
    if dice.uniform(f"{aspect} error") >= planting.error:
        return grade
    return min(5, max(1, grade + (1 if dice.uniform(f"{aspect} up") < 0.5 else -1)))


def _trigram_share(a: str, b: str) -> float:
    counts = (Counter(text[i : i + 3] for i in range(len(text) - 2)) for text in (a, b))
    return _overlap(*counts, neither=a == b)


def _word_share(a: str, b: str) -> float:
    counts = (Counter(_WORD.findall(text.lower())) for text in (a, b))
    return _overlap(*counts, neither=a == b)


def _line_share(a: str, b: str) -> float:
    """Compare pairs of neighbouring lines by their kinds."""
    kinds = [[_kind(line) for line in text.splitlines() if line.strip()] for text in (a, b)]
    return _overlap(*(Counter(zip(["", *row], [*row, ""], strict=True)) for row in kinds))


def _kind(line: str) -> str:
    start = line.lstrip()[:2]
    if start[:1] in "#|>`":
        return start[:1]
    if start in {"- ", "* "}:
        return "-"
    if start[:1].isdigit():
        return "1"
    return "long" if len(line) > 160 else "short"


def _overlap(a: Counter[T], b: Counter[T], *, neither: bool = True) -> float:
    """Return the common share; *neither* decides when both are empty."""
    every = (a | b).total()
    return (a & b).total() / every if every else float(neither)
