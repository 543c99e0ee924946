"""Batch writer: joins the writes of many tasks into one transaction at a time.

The first writer of an empty batch is its leader. The leader waits until the previous batch is
written, closes its own batch to new rows, and writes it in a worker thread. The other writers, the
followers, wait for the event of their batch. A single write therefore starts at once, and the next
batch collects rows while a transaction runs.

The leader is shielded from cancellation, because its batch holds the rows of the followers. When a
follower is cancelled, its row stays in the batch and is written.
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
        self.failure: BaseException | None = None  # of the whole batch: a bug, or cancellation
        self.written = anyio.Event()


class BatchWriter:
    """Collects rows for *write*, which runs in a worker thread and returns the outcome of each."""

    def __init__(self, write: Callable[[Rows], Outcomes]) -> None:
        self._write = write
        self._gathering = _Batch()
        self._turn = anyio.Lock()
        # Its own limiter: other users of worker threads must not delay a write.
        self._thread = anyio.CapacityLimiter(1)

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
            if batch.failure is not None:
                raise RuntimeError("the batch of this row was not written") from batch.failure
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
            except BaseException as error:
                batch.failure = error
                raise
            finally:
                batch.written.set()
