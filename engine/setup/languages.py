"""Language detection: English or Chinese, by the characters of a text."""

from __future__ import annotations

import re

_CJK = re.compile(r"[\u3400-\u9fff]")


def language_of(text: str) -> str:
    """Return "zh" if *text* contains a Chinese character, else "en"."""
    return "zh" if _CJK.search(text) else "en"
