"""The ICE search as a state machine: no clock, no I/O, no tasks.

A ticket is one visit: choose a template, have it rewritten, ask questions in the new one. Which
template, and what is learnt from it, is the tactic's to say (moves.py); when it is asked is decided
here. Why the result does not depend on who answers first:

- Outcomes are applied in ticket order. One that comes early waits in ``_early``.
- Ticket n is chosen right after the outcome of ticket n - window is applied, before the next one
  is: what a choice can know is fixed by its number.
- What a ticket draws by chance comes from streams of its own.
- Probes are reserved when a ticket is chosen. A ticket that got no usable mutant gives them back
  when it is applied, and later tickets use them.
- "Seen before" is asked of the texts that were applied when the ticket was chosen. Two tickets in
  flight can so write the same template; the later one is found out when its turn comes.

States: tickets are in flight, early or applied. The search ends when none is in flight and all
probes are used, STUCK_AFTER tickets in a row gave no usable mutant, or nothing is left to ask.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from ...strategies.mutation.refine import Evidence, describe_verdict
from ...strategies.types import NodeId, Verdict
from ..calls.stages import MutationResult, ProbeResult, Try
from ..setup.plan import IcePlan, plan_digest
from ..setup.registry import StrategyRegistry
from .ice_events import (
    Answer,
    Credited,
    Event,
    Finished,
    IceStarted,
    Mutated,
    NoMutant,
    Probed,
    Rejection,
    Selected,
    Taken,
)
from .policies import Visit, VisitResult, build_policy

STUCK_AFTER = 25


class SearchTicket(msgspec.Struct, frozen=True, kw_only=True):
    """What the runner has to do for one ticket: rewrite by *tries* unless a text is given as is."""

    ticket: int
    move: Visit
    applied: int  # how many tickets had been applied when this one was chosen

    @property
    def path(self) -> tuple[NodeId, ...]:
        """From where the search entered the tree to the chosen template."""
        return self.move.choice.path

    @property
    def tries(self) -> tuple[Try, ...]:
        """Ways to get a mutant, in order; none when the template is asked as it is."""
        return self.move.tries

    @property
    def questions(self) -> tuple[int, ...]:
        """Which questions to ask."""
        return self.move.questions


class TicketOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a ticket came to; *probes* follow the order of the job's questions."""

    ticket: int
    mutation: MutationResult = MutationResult()
    probes: tuple[ProbeResult, ...] = ()


class SearchStep(msgspec.Struct, frozen=True, kw_only=True):
    """What one arrival led to: events to record, jobs to start."""

    events: tuple[Event, ...] = ()
    jobs: tuple[SearchTicket, ...] = ()


class Search:
    """Issues jobs and applies their outcomes, always in ticket order."""

    def __init__(self, plan: IcePlan, catalogue: StrategyRegistry) -> None:
        self._plan = plan
        self._tactic = build_policy(plan, catalogue)
        # text -> tickets applied when it was new
        self._seen = {template.text: 0 for template in plan.templates}
        self._numbers: dict[str, int] = {}  # of the templates that were probed, by text
        self._jobs: dict[int, SearchTicket] = {}
        self._early: dict[int, TicketOutcome] = {}
        self._issued = 0
        self._applied = 0
        self._reserved = 0  # probes of applied tickets and of those in flight
        self._barren_row = 0
        self._all_asked = False
        self._ended = False

    @property
    def finished(self) -> bool:
        """Whether every outcome has been applied and no further ticket will come."""
        return self._ended

    @property
    def next_ticket(self) -> int:
        """The ticket whose outcome is applied next."""
        return self._applied

    def known(self, text: str, applied: int) -> bool:
        """Tell whether *text* was a template when *applied* tickets had been applied."""
        since = self._seen.get(text)
        return since is not None and since <= applied

    def start(self) -> SearchStep:
        """Open the window: the first jobs, chosen before anything is known."""
        plan = self._plan
        started = IceStarted(
            plan=plan_digest(plan),
            target=plan.target.name,
            judge=plan.judge.name,
            questions=len(plan.questions),
            templates=len(plan.templates),
        )
        return SearchStep(events=(started,), jobs=self._issue())

    def receive(self, outcome: TicketOutcome) -> SearchStep:
        """Take one outcome; apply it, and any that waited for it, in ticket order."""
        if outcome.ticket not in self._jobs or outcome.ticket in self._early:
            raise ValueError(f"ticket {outcome.ticket} is not in flight")
        self._early[outcome.ticket] = outcome
        events: list[Event] = []
        jobs: list[SearchTicket] = []
        while (ready := self._early.pop(self._applied, None)) is not None:
            events += self._apply(self._jobs.pop(ready.ticket), ready)
            jobs += self._issue()  # before the next outcome is applied
        if not self._jobs and not self._early:
            events.append(self._finish())
        return SearchStep(events=tuple(events), jobs=tuple(jobs))

    def _apply(self, job: SearchTicket, outcome: TicketOutcome) -> list[Event]:
        self._applied += 1
        mutation = outcome.mutation
        selected = Selected(ticket=job.ticket, path=job.path, questions=job.questions)
        if not job.move.as_is and (not mutation.text or mutation.text in self._seen):
            self._reserved -= len(job.questions)
            self._barren_row += 1
            return [selected, self._barren(job, mutation)]
        self._barren_row = 0
        text = job.move.as_is or mutation.text
        self._seen.setdefault(text, self._applied)
        template = self._numbers.setdefault(text, len(self._numbers))
        probed = [
            Probed(
                ticket=job.ticket,
                template=template,
                question=question,
                outcome=probe.outcome,
                judgement=probe.judgement,
            )
            for question, probe in zip(job.questions, outcome.probes, strict=True)
        ]
        opened = _opened(job, mutation, template)
        return [selected, opened, *probed, self._credit(job, text, mutation, probed)]

    def _barren(self, job: SearchTicket, mutation: MutationResult) -> NoMutant:
        rejections = mutation.rejections
        if mutation.text:  # another ticket of the same window was first with it
            twin = Rejection(mutator=mutation.mutator, fault="duplicate", keys=mutation.keys)
            rejections = (*rejections, twin)
        return NoMutant(ticket=job.ticket, rejections=rejections)

    def _credit(
        self, job: SearchTicket, text: str, mutation: MutationResult, probed: list[Probed]
    ) -> Credited:
        """Tell the tactic what the template drew."""
        read = [
            (event, opinion)
            for event in probed
            if isinstance(event.outcome, Answer)
            for opinion in event.judgement.opinions
            if isinstance(opinion, Verdict) and opinion.metric == self._plan.judge.metrics[0]
        ]
        successes = sum(opinion.positive for _, opinion in read)
        visit = VisitResult(
            text=text,
            parent=mutation.parents[0] if mutation.parents else job.path[-1],
            successes=successes,
            judged=len(read),
            evidence=tuple(self._evidence(read)),
        )
        learnt = self._tactic.learn(job.move, visit)
        return Credited(
            ticket=job.ticket,
            successes=successes,
            judged=len(read),
            gain=learnt.gain,
            node=learnt.node,
        )

    def _evidence(self, read: list[tuple[Probed, Verdict]]) -> Iterator[Evidence]:
        """Yield the first answer that was a claim, and the first that was none."""
        for positive in (True, False):
            for event, verdict in read:
                if verdict.positive is positive and isinstance(event.outcome, Answer):
                    yield Evidence(
                        question=self._plan.questions[event.question].text,
                        response=event.outcome.text,
                        verdict=describe_verdict(verdict),
                    )
                    break

    def _issue(self) -> tuple[SearchTicket, ...]:
        """Choose as many tickets as the window and the remaining probes allow."""
        jobs: list[SearchTicket] = []
        while (
            len(self._jobs) < self._plan.window
            and self._reserved < self._plan.probes
            and self._barren_row < STUCK_AFTER
        ):
            move = self._tactic.choose(self._issued, self._plan.probes - self._reserved)
            if move is None:
                self._all_asked = True
                break
            job = SearchTicket(ticket=self._issued, move=move, applied=self._applied)
            self._jobs[job.ticket] = job
            self._issued += 1
            self._reserved += len(job.questions)
            jobs.append(job)
        return tuple(jobs)

    def _finish(self) -> Finished:
        self._ended = True
        reason: Literal["probes", "no-usable-mutants", "all-asked"] = "probes"
        if self._barren_row >= STUCK_AFTER:
            reason = "no-usable-mutants"
        elif self._all_asked:
            reason = "all-asked"
        return Finished(reason=reason, tickets=self._applied, probes=self._reserved)


def _opened(job: SearchTicket, mutation: MutationResult, template: int) -> Mutated | Taken:
    """Return the event that says which text *template* is."""
    if job.move.as_is:
        return Taken(ticket=job.ticket, template=template, node=job.path[-1])
    return Mutated(
        ticket=job.ticket,
        template=template,
        mutator=mutation.mutator,
        parents=mutation.parents,
        keys=mutation.keys,
        text=mutation.text,
        repairs=mutation.repairs,
        rejections=mutation.rejections,
    )
