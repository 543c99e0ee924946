"""What can go wrong between us and a model, named by whose fault it was."""

from __future__ import annotations

from typing import Literal

from .quota import Quota
from .types import Usage

# When to make the next attempt: what the endpoint asked for is waited at the least; a backoff will
# do, because what holds that endpoint need not hold the call; or now, at another endpoint.
Again = Literal["as asked", "after backoff", "at once"]


class ProviderError(Exception):
    """Root of every error that a provider raises."""


class TransientError(ProviderError):
    """Theirs, and worth another attempt."""

    retry_after_s: float | None = None
    waited_s: float = 0.0  # how long the attempt had waited for its turn before it was sent
    again: Again = "as asked"


class RateLimited(TransientError):
    """The endpoint answered 429; *retry_after_s* is what it asked for, if it did.

    *quota* is what its headers say is left.
    """

    def __init__(
        self, message: str, *, retry_after_s: float | None = None, quota: Quota | None = None
    ) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.quota = quota


class ServiceFailed(TransientError):
    """The endpoint answered 5xx."""

    def __init__(self, message: str, *, status: int, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s


class ConnectionFailed(TransientError):
    """No complete HTTP reply arrived: refused, reset, cut; *sent* is whether a request may have."""

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class TimedOut(TransientError):
    """No complete HTTP reply arrived within the model's timeout_s."""


class ReplyMalformed(TransientError):
    """A complete reply arrived that is not what the API promises: not JSON, no choices."""

    usage: Usage | None = None  # what it says it cost


class RequestRejected(ProviderError):
    """Ours: this request will never be answered (4xx other than access and rate)."""

    def __init__(self, message: str, *, status: int, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class ReplyUnusable(ProviderError):
    """A reply arrived that is no answer, and another attempt cannot mend that: too large, empty."""

    usage: Usage | None = None  # what it says it cost


class AttemptsExhausted(ProviderError):
    """Every allowed attempt failed, though the endpoint does answer; *attempts* were sent."""

    def __init__(self, message: str, *, attempts: int) -> None:
        super().__init__(message)
        self.attempts = attempts


class PoolUnavailable(ProviderError):
    """No further call to this pool can succeed now: the run has to pause, not the probe to fail."""


class AccessDenied(PoolUnavailable):
    """The endpoint answered 401, 403 or 404: key, permission or model name is wrong."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class Outage(PoolUnavailable):
    """Attempts or time were used up, and the endpoint answered nobody in the meantime."""


class BudgetReached(PoolUnavailable):
    """The next attempt would exceed a budget of the run or of its model."""


class SettingsInvalid(ProviderError):
    """A model's settings cannot be used; the message names the setting."""
