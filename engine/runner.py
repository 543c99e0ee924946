"""Runs a search: the only engine module that knows about tasks.

One task for each ticket in flight, and inside it one for each question, so a response is judged as
soon as it is there. Whatever pauses a run (no endpoint, no budget, no disk) leaves the task group
at once and cancels the rest; attempts that are under way are waited for by their pool, and their
answers stored. A miss in a replay waits for its ticket's turn instead: a run that was stopped can
be replayed to its recorded end, although the tickets after it miss.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import TypeVar

import anyio
from anyio.streams.memory import MemoryObjectSendStream

from ..cache.cached import KeyedProvider
from ..cache.errors import CacheMiss
from ..cache.keys import request_key
from ..providers.errors import PoolUnavailable, ProviderError, SettingsInvalid
from .errors import CallsKeepFailing
from .events import CallFailed, Event, Role
from .plan import Plan
from .search import Job, Outcome, Search, Step
from .stages import Answered, Call, ProbeResult, ProbeStages, Reply, Stage, mutate

FAILURES_IN_A_ROW = 20  # with no answer between them: then it is no single request's fault

T = TypeVar("T")
Error = TypeVar("Error", bound=BaseException)


class Asker:
    """Sends calls to the model of their role.

    A call that failed for good stays failed for the rest of the run, and of its replays, even
    if the same request would be answered later: *failures* are those that the events know.
    """

    def __init__(
        self, providers: Mapping[Role, KeyedProvider], failures: Mapping[str, CallFailed]
    ) -> None:
        self._providers = providers
        self._failures = dict(failures)
        self._in_a_row: Counter[Role] = Counter()

    async def ask(self, call: Call) -> Reply:
        """Return the reply, or raise what pauses the run.

        That is PoolUnavailable, SettingsInvalid, CacheError, or CallsKeepFailing.
        """
        key = request_key(call.request)
        if (failure := self._failures.get(key)) is not None:
            return failure
        try:
            response = await self._providers[call.role].answer(key, call.request)
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
        """Run *stage* to its end, sending what it yields and handing back the replies."""
        try:
            calls = next(stage)
            while True:
                calls = stage.send(await self._ask_all(calls))
        except StopIteration as done:
            result: T = done.value
            return result

    async def _ask_all(self, calls: tuple[Call, ...]) -> tuple[Reply, ...]:
        if len(calls) == 1:
            return (await self.ask(calls[0]),)
        replies: dict[int, Reply] = {}

        async def ask_one(index: int) -> None:
            replies[index] = await self.ask(calls[index])

        async with anyio.create_task_group() as tasks:
            for index in range(len(calls)):
                tasks.start_soon(ask_one, index)
        return tuple(replies[index] for index in range(len(calls)))


class _Missed:
    """A ticket that a replay cannot do."""

    def __init__(self, ticket: int, error: CacheMiss) -> None:
        self.ticket = ticket
        self.error = error


async def run_search(plan: Plan, asker: Asker, emit: Callable[[tuple[Event, ...]], None]) -> None:
    """Run *plan* to its end, handing events to *emit* in ticket order.

    Raises what pauses the run, unwrapped: PoolUnavailable, CacheError, or what *emit* raises.
    """
    search = Search(plan)
    stages = ProbeStages(plan)
    missed: dict[int, CacheMiss] = {}

    async def work(job: Job, done: MemoryObjectSendStream[Outcome | _Missed]) -> None:
        try:
            arrived: Outcome | _Missed = await _perform(plan, search, stages, asker, job)
        except* CacheMiss as group:
            arrived = _Missed(job.ticket, _first_leaf(group, CacheMiss))
        await done.send(arrived)

    send, receive = anyio.create_memory_object_stream[Outcome | _Missed](plan.window)
    try:
        async with send, receive, anyio.create_task_group() as tasks:
            step = search.start()
            while True:
                emit(step.events)
                for job in step.jobs:
                    tasks.start_soon(work, job, send)
                if search.finished:
                    return
                if search.next_ticket in missed:
                    raise missed[search.next_ticket]
                arrived = await receive.receive()
                if isinstance(arrived, _Missed):
                    missed[arrived.ticket] = arrived.error
                    step = Step()
                else:
                    step = search.receive(arrived)
    except BaseExceptionGroup as group:
        raise _first_leaf(group, BaseException) from group


async def _perform(
    plan: Plan, search: Search, stages: ProbeStages, asker: Asker, job: Job
) -> Outcome:
    mutation = await asker.drive(
        mutate(plan.helper, job.tries, lambda text: search.known(text, job.applied))
    )
    if not mutation.text:
        return Outcome(ticket=job.ticket, mutation=mutation)
    results: dict[int, ProbeResult] = {}

    async def probe(question: int) -> None:
        results[question] = await asker.drive(stages.probe(mutation.text, question))

    async with anyio.create_task_group() as tasks:
        for question in job.questions:
            tasks.start_soon(probe, question)
    probes = tuple(results[question] for question in job.questions)
    return Outcome(ticket=job.ticket, mutation=mutation, probes=probes)


def _first_leaf(group: BaseExceptionGroup[BaseException], kind: type[Error]) -> Error:
    """Return the first error of *kind* in *group*: its siblings say the same or are its wake."""
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            if error.subgroup(kind) is not None:
                return _first_leaf(error, kind)
        elif isinstance(error, kind):
            return error
    raise group
