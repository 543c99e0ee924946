"""The ICE search as a state machine: no clock, no I/O, no tasks.

A ticket is one visit to the template tree: choose a template, have it rewritten, ask questions in
the new one. Why the result does not depend on who answers first:

- Outcomes are applied in ticket order. One that comes early waits in ``_early``.
- Ticket n is chosen right after the outcome of ticket n - window is applied, before the next one
  is: what a choice can know is fixed by its number.
- What a ticket draws by chance comes from streams of its own.
- Probes are reserved when a ticket is chosen. A ticket that got no usable mutant gives them back
  when it is applied, and later tickets use them.
- "Seen before" is asked of the texts that were applied when the ticket was chosen. Two tickets in
  flight can so write the same template; the later one is found out when its turn comes.

States: tickets are in flight, early or applied. The search ends when none is in flight and either
all probes are used or STUCK_AFTER tickets in a row gave no usable mutant.
"""

from __future__ import annotations

from collections import Counter
from random import Random

import msgspec

from ..strategies.base import Selector
from ..strategies.templates import balanced_sample
from ..strategies.tree import Tree
from ..strategies.types import NodeId, Verdict
from .events import (
    Answer,
    Barren,
    Credited,
    Event,
    Finished,
    Mutated,
    Probed,
    Rejection,
    Selected,
    Started,
)
from .plan import Plan, plan_digest
from .seeds import derive_rng
from .stages import MutationResult, ProbeResult, Try

STUCK_AFTER = 25
TRIES = 3


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the runner has to do for one ticket."""

    ticket: int
    path: tuple[NodeId, ...]
    tries: tuple[Try, ...]
    questions: tuple[int, ...]
    applied: int  # how many tickets had been applied when this one was chosen


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a ticket came to; *probes* follow the order of the job's questions."""

    ticket: int
    mutation: MutationResult
    probes: tuple[ProbeResult, ...] = ()


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What one arrival led to: events to record, jobs to start."""

    events: tuple[Event, ...] = ()
    jobs: tuple[Job, ...] = ()


class Search:
    """Issues jobs and applies their outcomes, always in ticket order."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._selector: Selector = plan.selector
        self._tree = Tree(len(plan.templates))
        self._texts = [template.text for template in plan.templates]  # by tree node
        self._seen = dict.fromkeys(self._texts, 0)  # text -> tickets applied when it was new
        self._mutators = plan.build_mutators
        self._draws: Counter[tuple[str, tuple[NodeId, ...]]] = Counter()
        self._jobs: dict[int, Job] = {}
        self._early: dict[int, Outcome] = {}
        self._issued = 0
        self._applied = 0
        self._reserved = 0  # probes of applied tickets and of those in flight
        self._templates = 0  # mutants that were probed; seed templates are not numbered here
        self._barren_row = 0
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

    def start(self) -> Step:
        """Open the window: the first jobs, chosen before anything is known."""
        plan = self._plan
        started = Started(
            plan=plan_digest(plan),
            target=plan.target.name,
            judge=plan.judge_name,
            questions=len(plan.questions),
            templates=len(plan.templates),
        )
        return Step(events=(started,), jobs=self._issue())

    def receive(self, outcome: Outcome) -> Step:
        """Take one outcome; apply it, and any that waited for it, in ticket order."""
        if outcome.ticket not in self._jobs or outcome.ticket in self._early:
            raise ValueError(f"ticket {outcome.ticket} is not in flight")
        self._early[outcome.ticket] = outcome
        events: list[Event] = []
        jobs: list[Job] = []
        while (ready := self._early.pop(self._applied, None)) is not None:
            events += self._apply(self._jobs.pop(ready.ticket), ready)
            jobs += self._issue()  # before the next outcome is applied
        if not self._jobs and not self._early:
            events.append(self._finish())
        return Step(events=tuple(events), jobs=tuple(jobs))

    def _apply(self, job: Job, outcome: Outcome) -> list[Event]:
        self._applied += 1
        mutation = outcome.mutation
        selected = Selected(ticket=job.ticket, path=job.path, questions=job.questions)
        if not mutation.text or mutation.text in self._seen:
            self._reserved -= len(job.questions)
            self._barren_row += 1
            rejections = mutation.rejections
            if mutation.text:  # another ticket of the same window was first with it
                twin = Rejection(mutator=mutation.mutator, fault="duplicate", keys=mutation.keys)
                rejections = (*rejections, twin)
            return [selected, Barren(ticket=job.ticket, rejections=rejections)]
        self._barren_row = 0
        self._seen[mutation.text] = self._applied
        template = self._templates
        self._templates += 1
        mutated = Mutated(
            ticket=job.ticket,
            template=template,
            mutator=mutation.mutator,
            parents=mutation.parents,
            keys=mutation.keys,
            text=mutation.text,
            repairs=mutation.repairs,
            rejections=mutation.rejections,
        )
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
        return [selected, mutated, *probed, self._credit(job, mutation, probed)]

    def _credit(self, job: Job, mutation: MutationResult, probed: list[Probed]) -> Credited:
        """Reward the path, and admit the new template if the plan says so."""
        steering = "strict" if self._plan.judge is None else "loose"
        marks = [
            opinion.positive
            for event in probed
            if isinstance(event.outcome, Answer)
            for opinion in event.judgement.opinions
            if isinstance(opinion, Verdict) and opinion.metric == steering
        ]
        successes, judged = sum(marks), len(marks)
        level = self._tree.levels[job.path[-1]]
        gain = 0.0
        if judged:  # unread answers are no evidence, neither for nor against
            gain = self._selector.gain(level=level, successes=successes, probes=judged)
        self._tree.credit(job.path, gain)
        node = None
        if self._plan.admit == "all" or successes:
            node = self._tree.add(mutation.parents[0])
            self._texts.append(mutation.text)
        return Credited(ticket=job.ticket, successes=successes, judged=judged, gain=gain, node=node)

    def _issue(self) -> tuple[Job, ...]:
        """Choose as many tickets as the window and the remaining probes allow."""
        jobs: list[Job] = []
        while (
            len(self._jobs) < self._plan.window
            and self._reserved < self._plan.probes
            and self._barren_row < STUCK_AFTER
        ):
            job = self._choose(self._issued)
            self._jobs[job.ticket] = job
            self._issued += 1
            self._reserved += len(job.questions)
            jobs.append(job)
        return tuple(jobs)

    def _choose(self, ticket: int) -> Job:
        plan = self._plan
        path = self._selector.select(
            self._tree, step=ticket + 1, rng=derive_rng(plan.seed, "select", ticket)
        )
        self._tree.visit(path)
        count = min(plan.questions_per_visit, plan.probes - self._reserved)
        questions = balanced_sample(
            plan.questions, count, derive_rng(plan.seed, "questions", ticket)
        )
        return Job(
            ticket=ticket,
            path=path,
            tries=self._choose_tries(ticket, path[-1]),
            questions=questions,
            applied=self._applied,
        )

    def _choose_tries(self, ticket: int, node: NodeId) -> tuple[Try, ...]:
        """Draw the mutators to try, all different, with partners for those that need one.

        *draw* numbers the tickets that asked for the same rewriting, in ticket order.
        """
        rng = derive_rng(self._plan.seed, "mutate", ticket)
        tries = []
        for mutator in rng.sample(self._mutators, min(TRIES, len(self._mutators))):
            parents = (node,) if mutator.parents == 1 else (node, self._partner(node, rng))
            draw = self._draws[mutator.name, parents]
            self._draws[mutator.name, parents] += 1
            texts = tuple(self._texts[parent] for parent in parents)
            tries.append(Try(mutator=mutator, parents=parents, texts=texts, draw=draw))
        return tuple(tries)

    def _partner(self, node: NodeId, rng: Random) -> NodeId:
        """Draw another node than *node*, if there is one."""
        if len(self._tree) == 1:
            return node
        other = rng.randrange(len(self._tree) - 1)
        return other + (other >= node)

    def _finish(self) -> Finished:
        self._ended = True
        stuck = self._barren_row >= STUCK_AFTER
        return Finished(
            reason="no-usable-mutants" if stuck else "probes",
            tickets=self._applied,
            probes=self._reserved,
        )
