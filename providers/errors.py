"""What can go wrong between us and a model, named by whose fault it was."""

from __future__ import annotations


class ProviderError(Exception):
    """Root of every error that a provider raises."""


class TransientError(ProviderError):
    """Theirs, and worth another attempt."""

    retry_after_s: float | None = None


class RateLimited(TransientError):
    """The endpoint answered 429; *retry_after_s* is what it asked for, if it did."""

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ServiceFailed(TransientError):
    """The endpoint answered 5xx."""

    def __init__(self, message: str, *, status: int, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s


class ConnectionFailed(TransientError):
    """No complete HTTP reply arrived: refused, reset, cut."""


class TimedOut(TransientError):
    """No complete HTTP reply arrived within the model's timeout_s."""


class RequestRejected(ProviderError):
    """Ours: this request will never be answered (4xx other than access and rate)."""

    def __init__(self, message: str, *, status: int, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class ReplyUnusable(ProviderError):
    """A complete reply arrived that is no answer: not JSON, no choices, too large."""


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
    """Attempts were used up and the endpoint answered nobody in the meantime."""


class BudgetReached(PoolUnavailable):
    """The next attempt would exceed a budget of the run."""


class SettingsInvalid(ProviderError):
    """A model's settings cannot be used; the message names the setting."""
