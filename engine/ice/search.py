"""ICE search: a state machine without clock, I/O or tasks.

A ticket is one visit: choose a template, have the helper rewrite it, probe the new template. The
policy (policies.py) chooses the template and learns from the result. This file decides when the
policy is called. By these rules, the result does not depend on the order in which calls are
answered:

1. Outcomes are applied in ticket order. An outcome that arrives too early waits in ``_early``.
2. Ticket n is chosen right after the outcome of ticket n - window is applied, and before the next
   outcome is applied. So the policy always knows the same outcomes when it chooses ticket n.
3. Each ticket has its own random streams.
4. Probes are reserved when a ticket is chosen. If the ticket gets no usable mutant, they are
   released when it is applied, and later tickets use them.
5. A mutant is a duplicate if its text had been applied before its ticket was chosen. So two tickets
   in flight can get the same text. The later one is then rejected when it is applied.

A ticket is in flight, early, or applied. The search ends when no ticket is in flight and one of
three conditions holds: all probes are used, STUCK_AFTER tickets in a row got no usable mutant, or
every question was asked in every template.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from ...strategies.mutation.refine import Evidence, describe_verdict
from ...strategies.types import NodeId, Verdict
from ..calls.answers import Answer
from ..identity.probing import ProbeResult
from ..records.events import Event, Finished
from ..setup.plan import plan_digest
from ..setup.registry import StrategyRegistry
from .ice_events import (
    Credited,
    IceStarted,
    Mutated,
    NoMutant,
    Probed,
    Rejection,
    Selected,
    Taken,
)
from .ice_plan import IcePlan
from .mutating import MutationResult
from .policies import Visit, VisitResult, build_policy

STUCK_AFTER = 25  # tickets in a row without a usable mutant


class SearchTicket(msgspec.Struct, frozen=True, kw_only=True):
    """One visit to do. *applied* is the number of applied tickets when it was chosen."""

    number: int
    visit: Visit
    applied: int

    @property
    def path(self) -> tuple[NodeId, ...]:
        """A path of the tree that ends at the chosen template."""
        return self.visit.choice.path


class TicketOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a ticket. *probes* are in the order of the visit's questions."""

    ticket: int
    mutation: MutationResult = MutationResult()
    probes: tuple[ProbeResult, ...] = ()


class SearchStep(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one call of the state machine: events to record, and tickets to start."""

    events: tuple[Event, ...] = ()
    tickets: tuple[SearchTicket, ...] = ()


class Search:
    """Issues tickets and applies their outcomes, always in ticket order."""

    def __init__(self, plan: IcePlan, registry: StrategyRegistry) -> None:
        self._plan = plan
        self._policy = build_policy(plan, registry)
        # By text: how many tickets had been applied when the text became known, its own included.
        self._seen = {template.text: 0 for template in plan.templates}
        self._numbers: dict[str, int] = {}  # by text: the numbers of the probed templates
        self._tickets: dict[int, SearchTicket] = {}
        self._early: dict[int, TicketOutcome] = {}
        self._issued = 0
        self._applied = 0
        self._reserved = 0  # probes of applied tickets and of tickets in flight
        self._stuck = 0  # tickets in a row without a usable mutant
        self._all_asked = False
        self._ended = False

    @property
    def finished(self) -> bool:
        """Whether every outcome has been applied and no ticket will follow."""
        return self._ended

    @property
    def next_ticket(self) -> int:
        """The ticket whose outcome is applied next."""
        return self._applied

    def known(self, text: str, applied: int) -> bool:
        """Return whether *text* was a template when *applied* tickets had been applied."""
        since = self._seen.get(text)
        return since is not None and since <= applied

    def start(self) -> SearchStep:
        """Return the first event, and the first tickets: as many as the window allows."""
        plan = self._plan
        started = IceStarted(
            plan=plan_digest(plan),
            target=plan.target.name,
            judge=plan.judge.name,
            questions=len(plan.questions),
            templates=len(plan.templates),
        )
        return SearchStep(events=(started,), tickets=self._issue())

    def receive(self, outcome: TicketOutcome) -> SearchStep:
        """Accept one outcome. Apply the outcomes that are next in ticket order, as far as known."""
        if outcome.ticket not in self._tickets or outcome.ticket in self._early:
            raise ValueError(f"ticket {outcome.ticket} is not in flight")
        self._early[outcome.ticket] = outcome
        events: list[Event] = []
        tickets: list[SearchTicket] = []
        while (ready := self._early.pop(self._applied, None)) is not None:
            events += self._apply(self._tickets.pop(ready.ticket), ready)
            tickets += self._issue()  # before the next outcome is applied
        if not self._tickets and not self._early:
            events.append(self._finish())
        return SearchStep(events=tuple(events), tickets=tuple(tickets))

    def _apply(self, ticket: SearchTicket, outcome: TicketOutcome) -> list[Event]:
        self._applied += 1
        mutation = outcome.mutation
        selected = Selected(
            ticket=ticket.number, path=ticket.path, questions=ticket.visit.questions
        )
        if not ticket.visit.seed_text and (not mutation.text or mutation.text in self._seen):
            self._reserved -= len(ticket.visit.questions)
            self._stuck += 1
            return [selected, self._no_mutant(ticket, mutation)]
        self._stuck = 0
        text = ticket.visit.seed_text or mutation.text
        self._seen.setdefault(text, self._applied)
        template = self._numbers.setdefault(text, len(self._numbers))
        probed = [
            Probed(
                ticket=ticket.number,
                template=template,
                question=question,
                outcome=probe.outcome,
                judgement=probe.judgement,
            )
            for question, probe in zip(ticket.visit.questions, outcome.probes, strict=True)
        ]
        opened = _opened(ticket, mutation, template)
        return [selected, opened, *probed, self._learn(ticket, text, mutation, probed)]

    def _no_mutant(self, ticket: SearchTicket, mutation: MutationResult) -> NoMutant:
        rejections = mutation.rejections
        if mutation.text:  # an earlier ticket of the same window got the same text
            duplicate = Rejection(mutator=mutation.mutator, fault="duplicate", keys=mutation.keys)
            rejections = (*rejections, duplicate)
        return NoMutant(ticket=ticket.number, rejections=rejections)

    def _learn(
        self, ticket: SearchTicket, text: str, mutation: MutationResult, probed: list[Probed]
    ) -> Credited:
        """Pass the result of the visit to the policy, and return the event with its reward."""
        judged = [
            (event, opinion)
            for event in probed
            if isinstance(event.outcome, Answer)
            for opinion in event.judgement.opinions
            if isinstance(opinion, Verdict) and opinion.metric == self._plan.judge.metrics[0]
        ]
        successes = sum(opinion.positive for _, opinion in judged)
        result = VisitResult(
            text=text,
            parent=mutation.parents[0] if mutation.parents else ticket.path[-1],
            successes=successes,
            judged=len(judged),
            evidence=tuple(self._evidence(judged)),
        )
        update = self._policy.learn(ticket.visit, result)
        return Credited(
            ticket=ticket.number,
            successes=successes,
            judged=len(judged),
            reward=update.reward,
            node=update.node,
        )

    def _evidence(self, judged: list[tuple[Probed, Verdict]]) -> Iterator[Evidence]:
        """Yield the first answer with a positive verdict, then the first with a negative one."""
        for positive in (True, False):
            for event, verdict in judged:
                if verdict.positive is positive and isinstance(event.outcome, Answer):
                    yield Evidence(
                        question=self._plan.questions[event.question].text,
                        response=event.outcome.text,
                        verdict=describe_verdict(verdict),
                    )
                    break

    def _issue(self) -> tuple[SearchTicket, ...]:
        """Choose as many tickets as the window and the remaining probes allow."""
        tickets: list[SearchTicket] = []
        while (
            len(self._tickets) < self._plan.window
            and self._reserved < self._plan.probes
            and self._stuck < STUCK_AFTER
        ):
            visit = self._policy.choose(self._issued, self._plan.probes - self._reserved)
            if visit is None:
                self._all_asked = True
                break
            ticket = SearchTicket(number=self._issued, visit=visit, applied=self._applied)
            self._tickets[ticket.number] = ticket
            self._issued += 1
            self._reserved += len(ticket.visit.questions)
            tickets.append(ticket)
        return tuple(tickets)

    def _finish(self) -> Finished:
        self._ended = True
        reason: Literal["probes", "no-usable-mutants", "all-asked"] = "probes"
        if self._stuck >= STUCK_AFTER:
            reason = "no-usable-mutants"
        elif self._all_asked:
            reason = "all-asked"
        return Finished(reason=reason, tickets=self._applied, units=self._reserved)


def _opened(ticket: SearchTicket, mutation: MutationResult, template: int) -> Mutated | Taken:
    """Return the event that records the text of the template number *template*."""
    if ticket.visit.seed_text:
        return Taken(ticket=ticket.number, template=template, node=ticket.path[-1])
    return Mutated(
        ticket=ticket.number,
        template=template,
        mutator=mutation.mutator,
        parents=mutation.parents,
        keys=mutation.keys,
        text=mutation.text,
        repairs=mutation.repairs,
        rejections=mutation.rejections,
    )
