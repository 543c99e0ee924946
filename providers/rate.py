"""When the next call may be sent so that no minute holds more than the endpoint allows.

The window slides: at every instant the calls of the last 60 seconds, the new one included, stay
within rpm and tpm. A token bucket of the same rate would let nearly twice as much into some
minute (a full bucket, then its refill), and endpoints that count minutes answer that with 429.

Nothing here waits or reads a clock. The caller asks `wait_s`, waits that long, asks again (a
correction may have arrived meanwhile), and on zero calls `record` with the same *now*. Whoever
asks must be alone in doing so, which also makes the order first come, first served.
"""

from __future__ import annotations

import math
from collections import deque

from .types import Request, Response, Usage

WINDOW_S = 60.0

# Rounding in a clock must not leave a wait an instant too short: the caller would ask again and
# be told to wait for a time that no longer moves the clock.
_MARGIN_S = 0.001
_CHARACTERS_PER_TOKEN = 3.5
_UNKNOWN_OUTPUT_TOKENS = 512


class Sent:
    """One call as the window counts it."""

    __slots__ = ("at_s", "expired", "tokens")

    def __init__(self, at_s: float, tokens: int) -> None:
        self.at_s = at_s
        self.tokens = tokens
        self.expired = False


class RateWindow:
    """The calls of the last 60 seconds, held against *rpm* and *tpm*; None is no limit.

    A call of more than *tpm* tokens counts as *tpm*: it waits for an empty window, not forever.
    """

    def __init__(self, *, rpm: int | None, tpm: int | None) -> None:
        self._rpm = rpm
        self._tpm = tpm
        self._sent: deque[Sent] = deque()  # oldest first
        self._tokens = 0  # of all of them

    def wait_s(self, now: float, tokens: int) -> float:
        """Return how long a call of *tokens* has to wait from *now*; 0.0 is not at all."""
        self._forget(now)
        blocker = self._blocker(tokens)
        return 0.0 if blocker is None else blocker.at_s + WINDOW_S - now + _MARGIN_S

    def record(self, now: float, tokens: int) -> Sent:
        """Count a call that is sent *now*."""
        sent = Sent(now, self._counted(tokens))
        self._sent.append(sent)
        self._tokens += sent.tokens
        return sent

    def correct(self, sent: Sent, tokens: int) -> None:
        """Replace the estimate for *sent* by what the endpoint reported."""
        if not sent.expired:
            self._tokens += tokens - sent.tokens
            sent.tokens = tokens

    def _counted(self, tokens: int) -> int:
        return tokens if self._tpm is None else min(tokens, self._tpm)

    def _forget(self, now: float) -> None:
        while self._sent and now - self._sent[0].at_s >= WINDOW_S:
            old = self._sent.popleft()
            old.expired = True
            self._tokens -= old.tokens

    def _blocker(self, tokens: int) -> Sent | None:
        """Return the youngest call that has to leave the window before the next fits in."""
        surplus_calls = 0 if self._rpm is None else len(self._sent) + 1 - self._rpm
        surplus_tokens = 0
        if self._tpm is not None:
            surplus_tokens = self._tokens + self._counted(tokens) - self._tpm
        if surplus_calls <= 0 and surplus_tokens <= 0:
            return None
        for sent in self._sent:
            surplus_calls -= 1
            surplus_tokens -= sent.tokens
            if surplus_calls <= 0 and surplus_tokens <= 0:
                return sent
        raise RuntimeError("an empty window refuses a call")


def estimate_tokens(request: Request) -> int:
    """Return a guess at what *request* will be charged, answer included."""
    prompt = sum(len(message.content) for message in request.messages)
    return _to_tokens(prompt) + (request.sampling.max_tokens or _UNKNOWN_OUTPUT_TOKENS)


def estimate_usage(request: Request, response: Response) -> Usage:
    """Return a guess at the usage of a call whose endpoint reported none."""
    prompt = sum(len(message.content) for message in request.messages)
    return Usage(
        input_tokens=_to_tokens(prompt),
        output_tokens=_to_tokens(len(response.text) + len(response.reasoning)),
    )


def _to_tokens(characters: int) -> int:
    return math.ceil(characters / _CHARACTERS_PER_TOKEN)
