"""Quota of a simulated endpoint per minute, and a clock that can run faster than ours."""

from __future__ import annotations

from collections import deque
from math import ceil

from ...base import Clock

SPAN_S = 60.0


class ScaledClock:
    """A clock on which *scale* seconds pass in one second of *clock*.

    A client on such a clock agrees with a simulated endpoint of the same scale about durations.
    """

    def __init__(self, clock: Clock, scale: float) -> None:
        self._clock = clock
        self._scale = scale

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        return self._clock.now() * self._scale

    async def sleep(self, seconds: float) -> None:
        """Wait, cancellably."""
        await self._clock.sleep(seconds / self._scale)


class ServerQuota:
    """Calls and tokens of the last 60 seconds, and the limits on them.

    The window slides: no 60 seconds hold more than the limits. A refused call uses no quota. A call
    with more tokens than a minute may have is always refused. *most_calls* and *most_tokens* are
    the counts of the fullest 60 seconds so far, with or without a limit.
    """

    def __init__(self, *, rpm: int | None, tpm: int | None) -> None:
        self._rpm = rpm
        self._tpm = tpm
        self._taken: deque[tuple[float, int]] = deque()
        self._tokens = 0
        self.most_calls = 0
        self.most_tokens = 0

    def admit(self, now: float, tokens: int) -> float:
        """Count a call of *tokens* and return 0, or return the seconds until it may be admitted."""
        self._expire(now)
        wait_s = max(self._wait_for_calls(now), self._wait_for_tokens(now, tokens))
        if wait_s > 0.0:
            return wait_s
        self._taken.append((now, tokens))
        self._tokens += tokens
        self.most_calls = max(self.most_calls, len(self._taken))
        self.most_tokens = max(self.most_tokens, self._tokens)
        return 0.0

    def headers(self, now: float) -> dict[str, str]:
        """Return the remaining quota as headers of OpenAI-compatible endpoints.

        A reset is the time until the first call leaves the window, not all of them.
        """
        if self._rpm is None and self._tpm is None:
            return {}
        self._expire(now)
        reset_s = self._taken[0][0] + SPAN_S - now if self._taken else 0.0
        found: dict[str, str] = {}
        for kind, limit, used in (
            ("requests", self._rpm, len(self._taken)),
            ("tokens", self._tpm, self._tokens),
        ):
            if limit is not None:
                found[f"x-ratelimit-limit-{kind}"] = str(limit)
                found[f"x-ratelimit-remaining-{kind}"] = str(limit - used)
                found[f"x-ratelimit-reset-{kind}"] = f"{reset_s:.3f}s"
        return found

    def _expire(self, now: float) -> None:
        while self._taken and self._taken[0][0] <= now - SPAN_S:
            self._tokens -= self._taken.popleft()[1]

    def _wait_for_calls(self, now: float) -> float:
        if self._rpm is None or len(self._taken) < self._rpm:
            return 0.0
        return self._taken[0][0] + SPAN_S - now

    def _wait_for_tokens(self, now: float, tokens: int) -> float:
        if self._tpm is None:
            return 0.0
        over = self._tokens + tokens - self._tpm
        wait_s = 0.0
        for then, used in self._taken:  # the oldest leave the window first
            if over <= 0:
                break
            over -= used
            wait_s = then + SPAN_S - now
        return wait_s if over <= 0 else SPAN_S


def wait_headers(wait_s: float) -> dict[str, str]:
    """Return the headers that ask for a wait of *wait_s*: in whole seconds and in milliseconds."""
    return {"retry-after": str(ceil(wait_s)), "retry-after-ms": str(ceil(wait_s * 1000))}
