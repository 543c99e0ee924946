"""Time as the running event loop sees it."""

from __future__ import annotations

import time

import anyio


class SystemClock:
    """The event loop's clock."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()  # anyio's own costs 2 microseconds, and a call asks three times

    async def sleep(self, seconds: float) -> None:
        """Wait, cancellably; even zero seconds are a checkpoint."""
        await anyio.sleep(seconds)
