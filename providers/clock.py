"""System clock: time as the running event loop sees it."""

from __future__ import annotations

import time

import anyio


class SystemClock:
    """The machine's monotonic clock, and the event loop's sleep."""

    def now(self) -> float:
        """Seconds on a clock that never goes back."""
        return time.monotonic()  # anyio's own takes 2 microseconds, and a call asks three times

    async def sleep(self, seconds: float) -> None:
        """Wait, cancellably. Zero seconds are a checkpoint, too."""
        await anyio.sleep(seconds)
