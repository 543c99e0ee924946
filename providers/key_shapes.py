"""Shapes of API keys: how a text that may hold a key is told from others.

A config file is refused when it holds a key. An error message of an endpoint is masked where it may
hold one. A message may lose harmless words, so masking is the broader of the two.
"""

from __future__ import annotations

import re

PREFIXES = "sk|pk|rk|ak|hf|gsk|xai|nvapi"  # before a dash or an underscore, at the usual providers

IN_CONFIG = re.compile(
    rf"\b(?:{PREFIXES}|key|tok)[-_][A-Za-z0-9_-]{{16,}}"
    r"|\b(?:AIza|eyJ)[-_.A-Za-z0-9]{20,}"
    r"|Bearer\s+\S{8,}"
)
# Also UUIDs, and long runs that mix letters with digits. A word such as context_length_exceeded has
# no digit, and dashes split the name of a model into short runs.
IN_MESSAGE = re.compile(
    rf"\b(?:{PREFIXES})[-_][-_.*A-Za-z0-9]{{6,}}"
    r"|\b(?:AIza|eyJ)[-_.A-Za-z0-9]{10,}"
    r"|(?<=[Bb]earer )\S+"
    r"|\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b"
    r"|\b(?=[A-Za-z_]*[0-9])(?=[0-9_]*[A-Za-z])[A-Za-z0-9_]{24,}"
)
