"""Search runner: does the tickets of a search concurrently.

There is one task for each ticket in flight, and one worker pool for the probes of all tickets. A
worker does all calls of a probe, from the target's answer to the last verdict, so a response is
judged as soon as it arrives.

In a replay, a cache miss is raised only when its ticket would be applied next. So a run that was
stopped can be replayed to its recorded end, although later tickets miss.
"""

from __future__ import annotations

from functools import partial

import anyio
from anyio.streams.memory import MemoryObjectSendStream

from ...cache.errors import CacheMiss
from ...strategies.templates import fill
from ..calls.caller import ModelCaller
from ..calls.workers import WorkerPool, unwrapped
from ..identity.judging import Judging
from ..identity.probing import ProbeResult, probe
from ..measurement import Emit
from ..setup.registry import StrategyRegistry
from .ice_plan import IcePlan
from .mutating import MutationResult, mutate
from .search import Search, SearchStep, SearchTicket, TicketOutcome


class _TicketMissed:
    """A ticket that a replay cannot do, because an answer is not in the cache."""

    def __init__(self, ticket: int, error: CacheMiss) -> None:
        self.ticket = ticket
        self.error = error


async def run_search(
    plan: IcePlan, caller: ModelCaller, emit: Emit, registry: StrategyRegistry, workers: int
) -> None:
    """Run *plan* to its end, and pass events to *emit* in ticket order.

    *workers* is the maximum of probes in flight. It changes only the speed. Raises FileInvalid if
    a strategy of the plan is not in *registry*, PluginBroken, and the errors that pause the run:
    PoolUnavailable, CacheError, and errors of *emit*. None of them is in an exception group.
    """
    search = Search(plan, registry)
    judging = Judging(registry.prepare(plan.judge, plan.about), plan.judge.model, plan.about)
    missed: dict[int, CacheMiss] = {}
    send, receive = anyio.create_memory_object_stream[TicketOutcome | _TicketMissed](plan.window)
    with unwrapped():
        async with send, receive, anyio.create_task_group() as tasks:
            pool = WorkerPool(tasks, workers)
            tickets = _Tickets(plan, search, judging, caller=caller, pool=pool, done=send)
            step = search.start()
            while True:
                emit(step.events)
                for ticket in step.tickets:
                    tasks.start_soon(tickets.work, ticket)
                if search.finished:
                    tasks.cancel_scope.cancel()  # every worker is idle
                    return
                if search.next_ticket in missed:
                    raise missed[search.next_ticket]
                arrived = await receive.receive()
                if isinstance(arrived, _TicketMissed):
                    missed[arrived.ticket] = arrived.error
                    step = SearchStep()
                else:
                    step = search.receive(arrived)


class _Tickets:
    """Does the tickets of one search: first the mutation, then the probes in the worker pool."""

    def __init__(
        self,
        plan: IcePlan,
        search: Search,
        judging: Judging,
        *,
        caller: ModelCaller,
        pool: WorkerPool,
        done: MemoryObjectSendStream[TicketOutcome | _TicketMissed],
    ) -> None:
        self._plan = plan
        self._search = search
        self._judging = judging
        self._caller = caller
        self._pool = pool
        self._done = done

    async def work(self, ticket: SearchTicket) -> None:
        """Do *ticket* and send its outcome."""
        arrived: TicketOutcome | _TicketMissed
        try:
            arrived = await self._perform(ticket)
        except CacheMiss as error:
            arrived = _TicketMissed(ticket.number, error)
        await self._done.send(arrived)

    async def _perform(self, ticket: SearchTicket) -> TicketOutcome:
        visit = ticket.visit
        mutation = MutationResult(text=visit.seed_text)
        if not visit.seed_text:
            mutation = await self._mutate(ticket)
        if not mutation.text:
            return TicketOutcome(ticket=ticket.number, mutation=mutation)
        results: dict[int, ProbeResult | CacheMiss] = {}
        complete = anyio.Event()

        async def ask(index: int) -> None:
            question = self._plan.questions[index].text
            prompt = fill(mutation.text, question)
            stage = probe(self._plan.target, self._judging, question=question, prompt=prompt)
            try:
                results[index] = await self._caller.drive(stage)
            except CacheMiss as error:
                results[index] = error
            if len(results) == len(visit.questions):
                complete.set()

        for index in visit.questions:
            self._pool.submit(partial(ask, index))
        await complete.wait()
        probes = []
        for index in visit.questions:
            result = results[index]
            if isinstance(result, CacheMiss):
                raise result
            probes.append(result)
        return TicketOutcome(ticket=ticket.number, mutation=mutation, probes=tuple(probes))

    async def _mutate(self, ticket: SearchTicket) -> MutationResult:
        helper = self._plan.helper
        assert helper is not None  # every search that rewrites has a helper

        def known(text: str) -> bool:
            return self._search.known(text, ticket.applied)

        return await self._caller.drive(mutate(helper, ticket.visit.tries, known))
