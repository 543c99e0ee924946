"""ICE events: the records of a search.

A template has two numbers. *node* is its position in the search tree: the seed templates of the
plan come first, then every mutant that was admitted to the tree. *template* numbers the texts that
were probed, in the order in which they were first probed. It is not an index into the plan's
templates. *question* is an index into the plan's questions.
"""

from __future__ import annotations

import msgspec

from ...strategies.types import NodeId
from ..calls.answers import Answer, CallFailed, Judgement
from ..records.events import Event, Finished, LogEntry


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """One try of a mutation that gave no usable template."""

    mutator: str
    fault: str
    keys: tuple[str, ...] = ()
    failure: CallFailed | None = None


class IceStarted(Event, frozen=True, kw_only=True, tag="started"):
    """The first event. *plan* is the digest of the plan."""

    plan: str
    target: str
    judge: str
    questions: int
    templates: int


class Selected(Event, frozen=True, kw_only=True, tag="selected"):
    """The choice of a ticket. *path* is a path of the tree that ends at the chosen template."""

    ticket: int
    path: tuple[NodeId, ...]
    questions: tuple[int, ...]


class Mutated(Event, frozen=True, kw_only=True, tag="mutated"):
    """The helper's reply gave a new template, which gets the number *template*."""

    ticket: int
    template: int
    mutator: str
    parents: tuple[NodeId, ...]
    keys: tuple[str, ...]
    text: str
    repairs: tuple[str, ...] = ()
    rejections: tuple[Rejection, ...] = ()

    @property
    def failures(self) -> tuple[CallFailed, ...]:
        """The helper's calls that failed for good."""
        return _failures_of(self.rejections)


class Taken(Event, frozen=True, kw_only=True, tag="taken"):
    """The seed template at *node* is probed unchanged. Its number is *template*."""

    ticket: int
    template: int
    node: NodeId


class NoMutant(Event, frozen=True, kw_only=True, tag="barren"):
    """The helper gave no new template for this ticket, so the ticket has no probes."""

    ticket: int
    rejections: tuple[Rejection, ...] = ()

    @property
    def failures(self) -> tuple[CallFailed, ...]:
        """The helper's calls that failed for good."""
        return _failures_of(self.rejections)

    @property
    def log_entry(self) -> LogEntry:
        """The line that tells why no reply of the helper was usable."""
        faults = [rejection.fault for rejection in self.rejections]
        return LogEntry(
            name="no_usable_mutant",
            level="warning",
            fields=(("ticket", self.ticket), ("faults", faults)),
        )


class Probed(Event, frozen=True, kw_only=True, tag="probed"):
    """One probe: a question asked in a template, its outcome, and the judgement of the answer."""

    ticket: int
    template: int
    question: int
    outcome: Answer | CallFailed
    judgement: Judgement = Judgement()

    @property
    def failures(self) -> tuple[CallFailed, ...]:
        """The calls to the target and the judge that failed for good."""
        own = (self.outcome,) if isinstance(self.outcome, CallFailed) else ()
        return own + self.judgement.failures


class Credited(Event, frozen=True, kw_only=True, tag="credited"):
    """The reward of a ticket. *node* is the new node of its template, if it was admitted."""

    ticket: int
    successes: int
    judged: int
    reward: float = msgspec.field(name="gain")
    node: NodeId | None = None

    @property
    def log_entry(self) -> LogEntry:
        """The line that tells how many of the ticket's answers were positive."""
        return LogEntry(
            name="ticket_applied",
            fields=(
                ("ticket", self.ticket),
                ("successes", self.successes),
                ("judged", self.judged),
            ),
        )


IceEvent = IceStarted | Selected | Mutated | Taken | NoMutant | Probed | Credited | Finished


def _failures_of(rejections: tuple[Rejection, ...]) -> tuple[CallFailed, ...]:
    return tuple(r.failure for r in rejections if r.failure is not None)
