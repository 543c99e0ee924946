"""Quota headers of a reply: the limit, what is left of it, and when it resets.

The headers are ``x-ratelimit-limit-requests``, ``-remaining-requests`` and ``-reset-requests``, and
the same for tokens. A 429 may add Retry-After. Values are checked: one that cannot be a limit per
minute or a sensible wait is None.

The meaning of "reset" differs. Endpoints with a sliding minute mean the time until the first call
leaves it. Endpoints with a bucket mean the time until it is full. For both, a reset of more than a
minute does not belong to a limit per minute. Such a limit is one per hour or day, and taking it for
one per minute would let a run send everything at once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

import msgspec

MINUTE_S = 60.0
LONGEST_ASKED_S = 300.0  # bound on a cooldown, whatever the endpoint asks for

_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|h|m|s|d)")
_DURATION = re.compile(rf"(?:{_PART.pattern})+")
_LAST_OF_UNITS = ("d", "h", "m", "s")
_UNITS_S = {
    "d": 86400.0,
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
}


class Allowance(msgspec.Struct, frozen=True, kw_only=True):
    """One quota as an endpoint states it; None for what it does not state."""

    limit: int | None = None
    remaining: int | None = None
    reset_s: float | None = None

    @property
    def per_minute(self) -> int | None:
        """The limit per minute; None where there is none, or where it may be a limit per day."""
        if self.limit is None or self.reset_s is None or self.reset_s > MINUTE_S:
            return None
        return self.limit

    @property
    def asked_s(self) -> float:
        """Seconds of cooldown because nothing is left."""
        if self.remaining is None or self.remaining > 0:
            return 0.0
        return min(self.reset_s or 0.0, LONGEST_ASKED_S)


_NOTHING = Allowance()


class Quota(msgspec.Struct, frozen=True, kw_only=True):
    """What the headers of one reply state about the limits of its endpoint."""

    requests: Allowance = _NOTHING
    tokens: Allowance = _NOTHING

    @property
    def asked_s(self) -> float:
        """Seconds of cooldown because no requests or no tokens are left."""
        return max(self.requests.asked_s, self.tokens.asked_s)


def read_quota(headers: Mapping[str, str]) -> Quota | None:
    """Return the quota in *headers*, which are case-insensitive; None where they hold none."""
    # Most endpoints send no such headers, and this runs for every reply: two look-ups must do.
    requests = headers.get("x-ratelimit-remaining-requests")
    tokens = headers.get("x-ratelimit-remaining-tokens")
    if requests is None and tokens is None:
        return None
    return Quota(
        requests=_NOTHING if requests is None else _read(headers, "requests", requests),
        tokens=_NOTHING if tokens is None else _read(headers, "tokens", tokens),
    )


def retry_after_s(headers: Mapping[str, str], now: float) -> float | None:
    """Return the cooldown in seconds that *headers* ask for; *now* is Unix time.

    In order: ``retry-after-ms``, ``retry-after`` in seconds, as a duration or as an HTTP date.
    """
    if (wait_ms := _to_number(headers.get("retry-after-ms"))) is not None:
        return max(0.0, wait_ms / 1000)
    text = headers.get("retry-after", "")
    if (wait_s := to_seconds(text)) is not None:
        return wait_s
    try:
        date = parsedate_to_datetime(text)
        if date.tzinfo is None:
            date = date.replace(tzinfo=UTC)
        return max(0.0, date.timestamp() - now)
    except (ValueError, OverflowError):
        return None


def to_seconds(text: str | None) -> float | None:
    """Return the duration in *text*, such as "6m0s", "120ms", "1s" or "0.5"; None if there is none.

    A negative number, as from an endpoint whose clock differs, counts as 0.
    """
    if text is None:
        return None
    if text[-1:] not in _LAST_OF_UNITS:
        number = _to_number(text)
        return None if number is None else max(0.0, number)
    if not _DURATION.fullmatch(text):
        return None
    return sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))


def _read(headers: Mapping[str, str], kind: str, remaining: str) -> Allowance:
    return Allowance(
        limit=_to_count(headers.get(f"x-ratelimit-limit-{kind}"), least=1),
        remaining=_to_count(remaining, least=0),
        reset_s=to_seconds(headers.get(f"x-ratelimit-reset-{kind}")),
    )


def _to_count(text: str | None, *, least: int) -> int | None:
    number = _to_number(text)
    return None if number is None or number < least else int(number)


def _to_number(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
