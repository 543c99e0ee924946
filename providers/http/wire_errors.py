"""Error replies: their meaning, and a safe excerpt of what the server wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from ..errors import (
    AccessDenied,
    ProviderError,
    RateLimited,
    RequestRejected,
    ServiceFailed,
    TimedOut,
)
from ..key_shapes import IN_MESSAGE
from ..quota import read_quota, retry_after_s

EXCERPT_CHARACTERS = 200

_MASK = "[key]"
_ECHO = "…"  # in place of text that repeats the prompt
_ECHO_CHARACTERS = 20  # shorter matches are chance; a shorter prompt must match as a whole
_SHORTEST_PROMPT = 4
_READ_CHARACTERS = 2000  # of the server's text; bounds the work that a hostile body can cause
_TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


def error_from(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    model: str,
    now: float,
    secrets: Sequence[str] = (),
    prompts: Sequence[str] = (),
) -> ProviderError:
    """Return the error for a reply with a status outside 2xx.

    *headers* are case-insensitive, *now* is Unix time. The message repeats no part of *secrets* and
    *prompts*.
    Besides 401, 403 and 404, some replies are AccessDenied because no later call can succeed: no
    money left (402, or 429 with the code insufficient_quota), and redirects. Following a redirect
    would send the key and the prompts to an address that the user did not configure.
    """
    words, code = _read_error(body, secrets, prompts)
    if 300 <= status < 400:
        words = "the endpoint redirects, and redirects are not followed"
    message = f"{model} answered {status}: {words}" if words else f"{model} answered {status}"
    out_of_quota = status == 429 and code == "insufficient_quota"
    if 300 <= status < 400 or status in (401, 402, 403, 404) or out_of_quota:
        return AccessDenied(message, status=status)
    if status == 408:
        return TimedOut(message)
    if status == 429:
        asked_s, quota = retry_after_s(headers, now), read_quota(headers)
        if asked_s is None and quota is not None:
            asked_s = quota.asked_s or None
        return RateLimited(message, retry_after_s=asked_s, quota=quota)
    if status >= 500:
        return ServiceFailed(message, status=status, retry_after_s=retry_after_s(headers, now))
    return RequestRejected(message, status=status, code=code)


def to_excerpt(text: str, secrets: Sequence[str] = (), prompts: Sequence[str] = ()) -> str:
    """Return one short line of *text*. *secrets*, and everything that looks like a key, are masked.

    Text that repeats *prompts* is cut out.
    """
    for secret in secrets:
        text = text.replace(secret, _MASK)
    text = "".join(char if char.isprintable() else " " for char in text[:_READ_CHARACTERS])
    line = " ".join(IN_MESSAGE.sub(_MASK, text).split())
    for prompt in prompts:
        line = _without_echo(line, " ".join(prompt.split()))
    line = line.rstrip(".")
    return line if len(line) <= EXCERPT_CHARACTERS else line[: EXCERPT_CHARACTERS - 3] + "..."


def _without_echo(line: str, prompt: str) -> str:
    """Return *line* without the parts that it shares with *prompt*."""
    size = min(_ECHO_CHARACTERS, len(prompt))
    if size < _SHORTEST_PROMPT:
        return line
    kept, at = "", 0
    while at < len(line):
        end = at + size
        if line[at:end] in prompt and end <= len(line):
            while end < len(line) and line[at : end + 1] in prompt:
                end += 1
            kept, at = kept + _ECHO, end
        else:
            kept, at = kept + line[at], at + 1
    return kept


def to_token(value: object, secrets: Sequence[str] = ()) -> str:
    """Return *value* if it is a short name that is safe to print, else an empty string."""
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        return ""
    return value if to_excerpt(value, secrets) == value else ""


def _read_error(body: bytes, secrets: Sequence[str], prompts: Sequence[str]) -> tuple[str, str]:
    """Return the server's message, safe to print, and its error code if that is a name."""
    text = body.decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        # The first 200 characters of an HTML page say nothing.
        return ("" if text.lstrip().startswith("<") else to_excerpt(text, secrets, prompts)), ""
    inner = found.get("error", found) if isinstance(found, dict) else found
    if not isinstance(inner, dict):
        return (to_excerpt(inner, secrets, prompts) if isinstance(inner, str) else ""), ""
    words = next((inner[name] for name in ("message", "detail") if inner.get(name)), "")
    return (
        to_excerpt(words, secrets, prompts) if isinstance(words, str) else "",
        to_token(inner.get("code"), secrets),
    )
