"""A key is refused in a config and masked in a message, whichever provider's it is."""

from __future__ import annotations

import pytest

from hydrometer.providers.key_shapes import IN_CONFIG, IN_MESSAGE, PREFIXES

KEYS = [f"{prefix}-{'a1B2' * 6}" for prefix in PREFIXES.split("|")] + [
    "AIzaSyA1234567890abcdefghijk",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0",
    "Bearer a1b2c3d4e5f6",
]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_known_in_a_config_and_in_a_message(key: str) -> None:
    assert IN_CONFIG.search(f"x {key}")
    assert key.removeprefix("Bearer ") not in IN_MESSAGE.sub("***", f"no access: {key}")


@pytest.mark.parametrize(
    "text",
    [
        "Qwen2.5-7B-Instruct-AWQ",
        "gpt-4o-mini-2024-07-18",
        "hf.co/unsloth/gemma-3-270m",
        "I am Qwen, a large language model developed by Alibaba Cloud.",
        "task-force-with-a-long-name",
    ],
)
def test_a_model_or_a_sentence_is_no_key(text: str) -> None:
    assert not IN_CONFIG.search(text)
