"""Table of the calls in flight, which lets identical calls share one.

A key has no call in flight, or one call with a leader and any number of waiters.

- No call in flight: the caller becomes the leader and makes the call in its own task.
- The leader's call ends with a value or an error: every waiter gets that value or an equal error.
  The error is final: a waiter that tried again would repeat a request that has just failed.
- The leader is cancelled: its call ends without an outcome. The first waiter to wake becomes the
  new leader, and the others wait for it. One cancelled caller costs the others no response.
- A waiter is cancelled: nothing changes for the others.

A call leaves the table in the same step in which it gets its outcome, so no caller joins a call
that has ended. The leader stores its response before that, so a later caller finds it in the store.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio

from .errors import own_copy

Value = TypeVar("Value")


class _SharedCall(Generic[Value]):
    def __init__(self) -> None:
        self.ended: anyio.Event | None = None  # made by the first waiter: most calls have none
        self.values: tuple[Value, ...] = ()  # holds one item after success: a value may be None
        self.error: Exception | None = None


class InFlight(Generic[Value]):
    """The calls in flight, by key."""

    def __init__(self) -> None:
        self._calls: dict[str, _SharedCall[Value]] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def __contains__(self, key: str) -> bool:
        return key in self._calls

    async def run(self, key: str, call: Callable[[], Awaitable[Value]]) -> Value:
        """Return the result of the call in flight under *key*, or of *call* if there is none."""
        while (shared := self._calls.get(key)) is not None:
            shared.ended = shared.ended or anyio.Event()
            await shared.ended.wait()
            if shared.error is not None:
                raise own_copy(shared.error)
            if shared.values:
                return shared.values[0]
        return await self._lead(key, call)

    async def _lead(self, key: str, call: Callable[[], Awaitable[Value]]) -> Value:
        shared = self._calls[key] = _SharedCall()
        try:
            value = await call()
            shared.values = (value,)
        except Exception as error:
            shared.error = error
            raise
        finally:
            del self._calls[key]
            if shared.ended is not None:
                shared.ended.set()
        return value
