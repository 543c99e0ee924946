"""What a run may spend at most, shared by all of its pools."""

from __future__ import annotations

import msgspec

from .errors import BudgetReached
from .types import Usage


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What has been spent so far; calls under way are counted, their tokens not yet."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0


class Budget:
    """Limits on calls, tokens and money; what is None is not limited.

    Calls are exact, because each is counted before it is sent. Tokens and money are known only
    afterwards, so a run can exceed those by what the calls under way turn out to use.
    """

    def __init__(
        self,
        *,
        calls: int | None = None,
        tokens: int | None = None,
        cost_usd: float | None = None,
    ) -> None:
        self._calls_limit = calls
        self._tokens_limit = tokens
        self._cost_limit_usd = cost_usd
        self._calls = 0
        self._input_tokens = 0
        self._output_tokens = 0
        self._cost_usd = 0.0

    def admit(self) -> None:
        """Count one call that is about to be sent, or raise BudgetReached."""
        if self._calls_limit is not None and self._calls >= self._calls_limit:
            raise BudgetReached(
                f"budget calls = {self._calls_limit} is reached: {self._calls} calls sent"
            )
        tokens = self._input_tokens + self._output_tokens
        if self._tokens_limit is not None and tokens >= self._tokens_limit:
            raise BudgetReached(
                f"budget tokens = {self._tokens_limit} is reached: {tokens} tokens spent"
            )
        if self._cost_limit_usd is not None and self._cost_usd >= self._cost_limit_usd:
            raise BudgetReached(
                f"budget cost_usd = {self._cost_limit_usd} is reached: "
                f"{self._cost_usd:.4f} USD spent"
            )
        self._calls += 1

    def spend(self, usage: Usage, cost_usd: float) -> None:
        """Add what one call turned out to use."""
        self._input_tokens += usage.input_tokens
        self._output_tokens += usage.output_tokens
        self._cost_usd += cost_usd

    def spent(self) -> Spent:
        """Return what has been spent so far."""
        return Spent(
            calls=self._calls,
            input_tokens=self._input_tokens,
            output_tokens=self._output_tokens,
            cost_usd=self._cost_usd,
        )
