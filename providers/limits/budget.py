"""Budget of a run, or of one model in it: limits on calls, tokens and money."""

from __future__ import annotations

import anyio
import msgspec

from ..errors import BudgetReached
from ..types import Usage


class Spent(msgspec.Struct, frozen=True, kw_only=True):
    """What has been spent so far. Calls in flight are counted, their tokens not yet."""

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0


_NO_USAGE = Usage()


class Budget:
    """Limits on calls, tokens and money; None means no limit.

    A call is counted before it is sent. Its tokens and cost are reserved as estimates and replaced
    by the real values when it ends. So the limit on calls is exact. Tokens and money exceed their
    limit only by what calls in flight use beyond their estimates, and an estimate includes the
    longest response that was asked for. If nobody knows what a call used, its estimate stays.

    A budget under *parent* admits what both admit. *path* is the setting that holds its limits.
    *spent* counts against it from the start, as when a run is resumed.
    """

    def __init__(
        self,
        *,
        calls: int | None = None,
        tokens: int | None = None,
        cost_usd: float | None = None,
        spent: Spent | None = None,
        parent: Budget | None = None,
        path: str = "budget",
    ) -> None:
        spent = spent or Spent()
        self._calls_limit = calls
        self._tokens_limit = tokens
        self._cost_limit_usd = cost_usd
        self._parent = parent
        self._path = path
        self._calls = spent.calls
        self._input_tokens = spent.input_tokens
        self._output_tokens = spent.output_tokens
        self._cost_usd = spent.cost_usd
        self._in_flight = 0
        self._reserved_tokens = 0
        self._reserved_usd = 0.0
        self._settled: anyio.Event | None = None  # created by the first caller that waits
        needs_estimate = tokens is not None or cost_usd is not None
        self.needs_estimate: bool = needs_estimate or (parent is not None and parent.needs_estimate)

    def admit(self, need: Usage = _NO_USAGE, cost_usd: float = 0.0) -> bool:
        """Count one call that is about to be sent, and reserve what it is estimated to use.

        Return False, and count nothing, when there may be room once calls in flight have ended.
        Raise BudgetReached when there will be none. *need* and *cost_usd* matter only to a budget
        with `needs_estimate`.
        """
        if not self._has_room_itself(need, cost_usd):
            return False
        if self._parent is not None and not self._parent.admit(need, cost_usd):
            return False
        self._calls += 1
        self._in_flight += 1
        if self.needs_estimate:
            self._reserved_tokens += need.input_tokens + need.output_tokens
            self._reserved_usd += cost_usd
        return True

    def has_room(self, need: Usage = _NO_USAGE, cost_usd: float = 0.0) -> bool:
        """Return what `admit` would, or raise as it does, and count nothing."""
        if not self._has_room_itself(need, cost_usd):
            return False
        return self._parent is None or self._parent.has_room(need, cost_usd)

    def settle(
        self,
        used: Usage,
        cost_usd: float,
        *,
        need: Usage = _NO_USAGE,
        need_usd: float = 0.0,
    ) -> None:
        """Replace what was reserved for a call by what it used."""
        self._in_flight -= 1
        if self.needs_estimate:
            self._reserved_tokens -= need.input_tokens + need.output_tokens
            self._reserved_usd -= need_usd
        if not self._in_flight:
            self._reserved_usd = 0.0  # a rounding error must not keep a call waiting forever
        self._input_tokens += used.input_tokens
        self._output_tokens += used.output_tokens
        self._cost_usd += cost_usd
        if self._settled is not None:
            self._settled.set()
            self._settled = None
        if self._parent is not None:
            self._parent.settle(used, cost_usd, need=need, need_usd=need_usd)

    async def wait(self) -> None:
        """Return when a call has ended that counts against this budget or its parent."""
        if self._parent is not None:
            await self._parent.wait()
            return
        if self._settled is None:
            self._settled = anyio.Event()
        await self._settled.wait()

    def spent(self) -> Spent:
        """Return what has been spent so far."""
        return Spent(
            calls=self._calls,
            input_tokens=self._input_tokens,
            output_tokens=self._output_tokens,
            cost_usd=self._cost_usd,
        )

    def _has_room_itself(self, need: Usage, cost_usd: float) -> bool:
        if self._calls_limit is not None and self._calls >= self._calls_limit:
            raise BudgetReached(
                f"{self._path} calls = {self._calls_limit} is reached: {self._calls} "
                f"{'call' if self._calls == 1 else 'calls'} sent",
                setting=f"{self._path}.calls",
            )
        if not self.needs_estimate:
            return True
        return self._has_tokens(need) and self._has_money(cost_usd)

    def _has_tokens(self, need: Usage) -> bool:
        limit, spent = self._tokens_limit, self._input_tokens + self._output_tokens
        if limit is None:
            return True
        more = need.input_tokens + need.output_tokens
        if spent >= limit or spent + more > limit:
            next_call = f", and the next call may use {more}" if spent < limit else ""
            raise BudgetReached(
                f"{self._path} tokens = {limit} is reached: {spent} tokens spent{next_call}",
                setting=f"{self._path}.tokens",
            )
        return spent + self._reserved_tokens + more <= limit

    def _has_money(self, more_usd: float) -> bool:
        limit, spent = self._cost_limit_usd, self._cost_usd
        if limit is None:
            return True
        if spent >= limit or spent + more_usd > limit:
            next_call = f", and the next call may cost {more_usd:.4f} USD" if spent < limit else ""
            raise BudgetReached(
                f"{self._path} cost_usd = {limit} is reached: {spent:.4f} USD spent{next_call}",
                setting=f"{self._path}.cost_usd",
            )
        return spent + self._reserved_usd + more_usd <= limit
