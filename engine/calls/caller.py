"""Model caller: sends the calls of stages, and decides which failures pause the run.

An error that pauses the run (no endpoint, no budget, no disk) is raised at once. The task group
around the caller then cancels the other calls. The pool waits for the attempts in flight, and the
cache stores their answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TypeVar

import anyio
from anyio.lowlevel import checkpoint

from ...cache.cached import KeyedProvider
from ...cache.keys import with_key
from ...providers.errors import PoolUnavailable, ProviderError, SettingsInvalid
from ..errors import CallsKeepFailing
from ..setup.models import Role
from .answers import CallFailed
from .stages import Answered, Call, CallOutcome, Stage

CHECKPOINT_EVERY = 64  # calls: a cache hit never yields, so yield here to let cancellation in
FAILURES_IN_A_ROW = 20  # then the cause is not a single request, so the run pauses

T = TypeVar("T")


class ModelCaller:
    """Sends calls to the model of their role.

    A call that failed for good stays failed for the rest of the run and in its replays, even if the
    same request would be answered later. *failures* are the failed calls in the run's events, by
    key.
    """

    def __init__(
        self, providers: Mapping[Role, KeyedProvider], failures: Mapping[str, CallFailed]
    ) -> None:
        self._providers = providers
        self._failures = dict(failures)
        self._in_a_row: Counter[Role] = Counter()
        self._asked = 0

    async def ask(self, call: Call) -> CallOutcome:
        """Return the outcome of *call*, or raise an error that pauses the run.

        Those errors are PoolUnavailable, SettingsInvalid, CacheError and CallsKeepFailing.
        """
        self._asked += 1
        if self._asked % CHECKPOINT_EVERY == 0:
            await checkpoint()
        keyed = with_key(call.request)
        key = keyed.key
        if (failure := self._failures.get(key)) is not None:
            return failure
        try:
            response = await self._providers[call.role].complete(keyed)
        except (PoolUnavailable, SettingsInvalid):
            raise
        except ProviderError as error:
            failure = CallFailed(
                role=call.role, key=key, error=type(error).__name__, message=str(error)
            )
            self._failures[key] = failure
            self._in_a_row[call.role] += 1
            if self._in_a_row[call.role] >= FAILURES_IN_A_ROW:
                raise CallsKeepFailing(
                    f"{FAILURES_IN_A_ROW} calls in a row to the {call.role} failed for good, "
                    f"the last with: {error}"
                ) from error
            return failure
        self._in_a_row[call.role] = 0
        return Answered(key=key, response=response)

    async def drive(self, stage: Stage[T]) -> T:
        """Run *stage* to its end: send the calls that it yields, and give it their outcomes."""
        try:
            calls = next(stage)
            while True:
                calls = stage.send(await self._ask_all(calls))
        except StopIteration as done:
            result: T = done.value
            return result

    async def _ask_all(self, calls: tuple[Call, ...]) -> tuple[CallOutcome, ...]:
        if len(calls) == 1:
            return (await self.ask(calls[0]),)
        outcomes: dict[int, CallOutcome] = {}

        async def ask_one(index: int) -> None:
            outcomes[index] = await self.ask(calls[index])

        async with anyio.create_task_group() as tasks:
            for index in range(len(calls)):
                tasks.start_soon(ask_one, index)
        return tuple(outcomes[index] for index in range(len(calls)))
