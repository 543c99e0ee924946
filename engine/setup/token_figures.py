"""Default token counts and durations for estimates, used before any real usage is known."""

from __future__ import annotations

CHARS_PER_TOKEN = 3.5  # for mixed English and Chinese text
ANSWER_TOKENS = 300  # tokens of one answer of a measured model, if max_tokens is not set
CALL_S = 2.0  # duration of one call
