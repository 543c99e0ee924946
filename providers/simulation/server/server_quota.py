"""What a simulated endpoint admits a minute, and its clock, by which a minute may be short."""

from __future__ import annotations

from collections import deque
from math import ceil

from ...base import Clock

SPAN_S = 60.0


class ScaledClock:
    """A clock on which *scale* seconds pass in one of *clock*.

    A client on such a clock understands what a simulated endpoint of the same scale says of time.
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
    """Calls and tokens of the last 60 seconds, against what a minute may have.

    A sliding window: no minute, wherever it starts, holds more. A call that is refused uses
    nothing up. One that is larger than a minute's tokens is refused for ever. *most_calls* and
    *most_tokens* are what the fullest minute so far held, with or without a limit.
    """

    def __init__(self, *, rpm: int | None, tpm: int | None) -> None:
        self._rpm = rpm
        self._tpm = tpm
        self._taken: deque[tuple[float, int]] = deque()
        self._tokens = 0
        self.most_calls = 0
        self.most_tokens = 0

    def admit(self, now: float, tokens: int) -> float:
        """Return 0 and count a call of *tokens*, or the seconds until it might be admitted."""
        self._forget(now)
        wait_s = max(self._wait_for_calls(now), self._wait_for_tokens(now, tokens))
        if wait_s > 0.0:
            return wait_s
        self._taken.append((now, tokens))
        self._tokens += tokens
        self.most_calls = max(self.most_calls, len(self._taken))
        self.most_tokens = max(self.most_tokens, self._tokens)
        return 0.0

    def headers(self, now: float) -> dict[str, str]:
        """Return what is left as the headers that OpenAI-compatible endpoints send.

        A reset is when the first of what was used is free again, not all of it.
        """
        if self._rpm is None and self._tpm is None:
            return {}
        self._forget(now)
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

    def _forget(self, now: float) -> None:
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
    """Return the headers that ask to wait for *wait_s*, in whole seconds and exactly."""
    return {"retry-after": str(ceil(wait_s)), "retry-after-ms": str(ceil(wait_s * 1000))}
