"""Many writers, one transaction at a time.

Whoever adds to an empty batch leads it: it waits until the batch before is written, closes its
own to newcomers and writes it in a worker thread. The others wait for their batch's event. So a
lone write starts at once, and while one transaction runs the next batch gathers by itself.

The leader is shielded from cancellation, since it carries the answers of the others. A follower
that is cancelled leaves its row in the batch: it is written all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import anyio
from anyio import to_thread

from .errors import CacheError, own_copy

Rows = Mapping[str, bytes]
Outcomes = Mapping[str, bytes | CacheError]


class _Batch:
    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}
        self.outcomes: Outcomes = {}
        self.written = anyio.Event()


class BatchWriter:
    """Collects rows for *write*, which runs in a worker thread and returns what became of each."""

    def __init__(self, write: Callable[[Rows], Outcomes]) -> None:
        self._write = write
        self._gathering = _Batch()
        self._turn = anyio.Lock()
        self._thread = anyio.CapacityLimiter(1)  # its own: busy workers elsewhere delay no write

    async def add(self, key: str, data: bytes) -> bytes:
        """Return what is stored under *key* once its batch is written, or raise its error."""
        batch = self._gathering
        leads = not batch.rows
        batch.rows.setdefault(key, data)
        if leads:
            with anyio.CancelScope(shield=True):
                await self._write_out(batch)
        else:
            await batch.written.wait()
        outcome = batch.outcomes[key]
        if isinstance(outcome, CacheError):
            raise own_copy(outcome)
        return outcome

    async def _write_out(self, batch: _Batch) -> None:
        async with self._turn:
            self._gathering = _Batch()
            try:
                batch.outcomes = await to_thread.run_sync(
                    self._write, batch.rows, limiter=self._thread
                )
            finally:
                batch.written.set()
