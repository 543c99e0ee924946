"""Errors of model calls, named by what happened and whose fault it was."""

from __future__ import annotations

from typing import Literal

from .quota import Quota
from .types import Usage

# When to retry. "as asked": wait at least Retry-After. "after backoff": wait only the backoff,
# because another endpoint may serve the call. "at once": another endpoint can serve it now.
Again = Literal["as asked", "after backoff", "at once"]


class ProviderError(Exception):
    """Root of every error that a provider raises."""


class TransientError(ProviderError):
    """A fault of the endpoint or the network that another attempt may not meet."""

    retry_after_s: float | None = None
    waited_s: float = 0.0  # seconds that the attempt was queued before it was sent
    again: Again = "as asked"


class RateLimited(TransientError):
    """The endpoint answered 429; *retry_after_s* is the cooldown that it asked for, if any.

    *quota* is what its headers say about its limits.
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
    """No complete HTTP reply arrived: the connection was refused, reset or closed early.

    *sent* is False where the request cannot have reached the endpoint.
    """

    def __init__(self, message: str, *, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class TimedOut(TransientError):
    """No complete HTTP reply arrived within the model's timeout_s."""


class ReplyMalformed(TransientError):
    """A complete reply arrived that breaks the API's contract: not JSON, no choices."""

    usage: Usage | None = None  # what the reply says it used


class RequestRejected(ProviderError):
    """The request is at fault and will never be answered (4xx other than access and rate)."""

    def __init__(self, message: str, *, status: int, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class ReplyUnusable(ProviderError):
    """A valid reply holds no answer (too large, empty), and a retry would not change that."""

    usage: Usage | None = None  # what the reply says it used


class AttemptsExhausted(ProviderError):
    """Every attempt failed although the endpoint answers other calls; *attempts* were sent."""

    def __init__(self, message: str, *, attempts: int) -> None:
        super().__init__(message)
        self.attempts = attempts


class PoolUnavailable(ProviderError):
    """No further call to this pool can succeed now: pause the run, do not fail the probe."""


class AccessDenied(PoolUnavailable):
    """The endpoint answered 401, 403 or 404: key, permission or model name is wrong."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class Outage(PoolUnavailable):
    """Attempts or time were used up, and the endpoint answered no call in the meantime."""


class BudgetReached(PoolUnavailable):
    """The next attempt would exceed a budget of the run or of its model.

    *setting* is the path of the limit in the config.
    """

    def __init__(self, message: str, *, setting: str = "the budget") -> None:
        super().__init__(message)
        self.setting = setting


class SettingsInvalid(ProviderError):
    """A model's settings cannot be used; the message names the setting."""
