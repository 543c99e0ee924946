"""Identical calls in flight share one call.

States of a key: no flight, or one flight with a leader and any number of waiters.

- No flight: the caller becomes the leader, and its call runs in its own task.
- The leader's call ends, with a value or an error: every waiter gets that value, or an equal error.
  A waiter that asked again would only send the request that has just failed for good once more.
- The leader is cancelled: the flight ends without an outcome. Waiters look again, the first to wake
  leads anew and the others wait for it, so one impatient caller costs the others no answer.
- A waiter is cancelled: nobody else notices.

A flight leaves the table in the step in which it gets its outcome, so nobody joins one that has
landed. What the call stores is stored before that: a late caller finds it in the store.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio

from .errors import own_copy

Value = TypeVar("Value")


class _Flight(Generic[Value]):
    def __init__(self) -> None:
        self.landed: anyio.Event | None = None  # made by the first who waits; most fly alone
        self.values: tuple[Value, ...] = ()  # one, when there is one: a value may be None
        self.error: Exception | None = None


class InFlight(Generic[Value]):
    """The calls that are running now, by key."""

    def __init__(self) -> None:
        self._flights: dict[str, _Flight[Value]] = {}

    def __len__(self) -> int:
        return len(self._flights)

    def __contains__(self, key: str) -> bool:
        return key in self._flights

    async def run(self, key: str, call: Callable[[], Awaitable[Value]]) -> Value:
        """Return what *call* returns, or what the call already in flight under *key* does."""
        while (flight := self._flights.get(key)) is not None:
            flight.landed = flight.landed or anyio.Event()
            await flight.landed.wait()
            if flight.error is not None:
                raise own_copy(flight.error)
            if flight.values:
                return flight.values[0]
        return await self._lead(key, call)

    async def _lead(self, key: str, call: Callable[[], Awaitable[Value]]) -> Value:
        flight = self._flights[key] = _Flight()
        try:
            value = await call()
            flight.values = (value,)
        except Exception as error:
            flight.error = error
            raise
        finally:
            del self._flights[key]
            if flight.landed is not None:
                flight.landed.set()
        return value
