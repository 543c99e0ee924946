"""Runs a search: the only engine module that knows about tasks.

One task for each ticket in flight, and a crew of workers that does the probes of all of them. A
worker takes a probe from its target call to its last verdict, so a response is judged as soon as
it is there. Whatever pauses a run (no endpoint, no budget, no disk) leaves the task group at once
and cancels the rest; attempts that are under way are waited for by their pool, and their answers
stored. A miss in a replay waits for its ticket's turn instead: a run that was stopped can be
replayed to its recorded end, although the tickets after it miss.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

import anyio
from anyio.lowlevel import checkpoint
from anyio.streams.memory import MemoryObjectSendStream

from ...cache.cached import KeyedProvider
from ...cache.errors import CacheMiss
from ...cache.keys import with_key
from ...providers.errors import PoolUnavailable, ProviderError, SettingsInvalid
from ..errors import CallsKeepFailing
from ..ice.ice_events import CallFailed, Event
from ..ice.search import Search, SearchStep, SearchTicket, TicketOutcome
from ..setup.models import Role
from ..setup.plan import IcePlan
from ..setup.registry import StrategyRegistry
from .stages import (
    Answered,
    Call,
    CallOutcome,
    MutationResult,
    ProbeResult,
    ProbeStages,
    Stage,
    mutate,
)
from .workers import WorkerPool

DEFAULT_WORKERS = 64
CHECKPOINT_EVERY = 64  # between two checkpoints: a stored answer comes without one
FAILURES_IN_A_ROW = 20  # with no answer between them: then it is no single request's fault

T = TypeVar("T")


class ModelCaller:
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
        self._asked = 0

    async def ask(self, call: Call) -> CallOutcome:
        """Return the reply, or raise what pauses the run.

        That is PoolUnavailable, SettingsInvalid, CacheError, or CallsKeepFailing.
        """
        self._asked += 1
        if self._asked % CHECKPOINT_EVERY == 0:
            await checkpoint()  # Ctrl-C is heard also where everything is stored
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
        """Run *stage* to its end, sending what it yields and handing back the replies."""
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
        replies: dict[int, CallOutcome] = {}

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


async def run_search(
    plan: IcePlan,
    asker: ModelCaller,
    emit: Callable[[tuple[Event, ...]], None],
    *,
    catalogue: StrategyRegistry | None = None,
    at_once: int = DEFAULT_WORKERS,
) -> None:
    """Run *plan* to its end, handing events to *emit* in ticket order.

    *at_once* bounds the probes that are under way; it shapes the speed and nothing else. Raises
    FileInvalid when *catalogue* lacks a strategy of the plan, PluginBroken, and what pauses the
    run, unwrapped: PoolUnavailable, CacheError, or what *emit* raises.
    """
    catalogue = catalogue or StrategyRegistry()
    search = Search(plan, catalogue)
    stages = ProbeStages(plan, catalogue.prepare(plan.judge, plan.about))
    missed: dict[int, CacheMiss] = {}
    send, receive = anyio.create_memory_object_stream[TicketOutcome | _Missed](plan.window)
    with unwrapped():
        async with send, receive, anyio.create_task_group() as tasks:
            tickets = _Tickets(
                plan, search, stages, asker=asker, crew=WorkerPool(tasks, at_once), done=send
            )
            step = search.start()
            while True:
                emit(step.events)
                for job in step.jobs:
                    tasks.start_soon(tickets.work, job)
                if search.finished:
                    tasks.cancel_scope.cancel()  # the crew is idle
                    return
                if search.next_ticket in missed:
                    raise missed[search.next_ticket]
                arrived = await receive.receive()
                if isinstance(arrived, _Missed):
                    missed[arrived.ticket] = arrived.error
                    step = SearchStep()
                else:
                    step = search.receive(arrived)


class _Tickets:
    """Does the jobs of one search: the mutation, then its probes by the crew."""

    def __init__(
        self,
        plan: IcePlan,
        search: Search,
        stages: ProbeStages,
        *,
        asker: ModelCaller,
        crew: WorkerPool,
        done: MemoryObjectSendStream[TicketOutcome | _Missed],
    ) -> None:
        self._plan = plan
        self._search = search
        self._asker = asker
        self._crew = crew
        self._done = done
        self._stages = stages

    async def work(self, job: SearchTicket) -> None:
        """Do *job* and hand in its outcome."""
        arrived: TicketOutcome | _Missed
        try:
            arrived = await self._perform(job)
        except CacheMiss as error:
            arrived = _Missed(job.ticket, error)
        await self._done.send(arrived)

    async def _perform(self, job: SearchTicket) -> TicketOutcome:
        mutation = MutationResult(text=job.move.as_is)
        if not job.move.as_is:
            mutation = await self._mutate(job)
        if not mutation.text:
            return TicketOutcome(ticket=job.ticket, mutation=mutation)
        results: dict[int, ProbeResult | CacheMiss] = {}
        complete = anyio.Event()

        async def probe(question: int) -> None:
            try:
                results[question] = await self._asker.drive(
                    self._stages.probe(mutation.text, question)
                )
            except CacheMiss as error:
                results[question] = error
            if len(results) == len(job.questions):
                complete.set()

        for question in job.questions:
            self._crew.submit(partial(probe, question))
        await complete.wait()
        probes = []
        for question in job.questions:
            result = results[question]
            if isinstance(result, CacheMiss):
                raise result
            probes.append(result)
        return TicketOutcome(ticket=job.ticket, mutation=mutation, probes=tuple(probes))

    async def _mutate(self, job: SearchTicket) -> MutationResult:
        helper = self._plan.helper
        assert helper is not None  # a search that rewrites has one
        return await self._asker.drive(
            mutate(helper, job.tries, lambda text: self._search.known(text, job.applied))
        )


@contextmanager
def unwrapped() -> Iterator[None]:
    """Raise the first error of a task group by itself."""
    try:
        yield
    except BaseExceptionGroup as group:
        error = _first_leaf(group)
        raise error from error.__cause__  # which says more than the group does


def _first_leaf(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the first error in *group*: its siblings say the same or are its wake."""
    first = group.exceptions[0]
    return _first_leaf(first) if isinstance(first, BaseExceptionGroup) else first
