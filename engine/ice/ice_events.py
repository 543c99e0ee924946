"""What happened, as it is written to events.jsonl: only what a replay gives again."""

from __future__ import annotations

from typing import Literal

import msgspec

from ...providers.types import FinishReason
from ...strategies.similarity.similarity_types import Grading, Order
from ...strategies.types import NodeId, Opinion
from ..setup.models import Role


class CallFailed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """A call that failed for good: no answer, and never a result."""

    role: Role
    key: str
    error: str
    message: str


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag="answer"):
    """The target's response, as far as it can be replayed."""

    key: str
    text: str
    finish: FinishReason
    refusal: str = ""

    @property
    def refused(self) -> bool:
        """Whether the endpoint declined to serve, so that there is no answer to judge."""
        return bool(self.refusal) or self.finish == "content_filter"

    @property
    def truncated(self) -> bool:
        """Whether the answer was cut by a length limit, and so was not judged."""
        return not self.refused and self.finish == "length"


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """The opinions on one answer, and the judge calls that they rest on."""

    opinions: tuple[Opinion, ...] = ()
    keys: tuple[str, ...] = ()
    failures: tuple[CallFailed, ...] = ()


class Rejection(msgspec.Struct, frozen=True, kw_only=True):
    """One try at a mutation that gave no template."""

    mutator: str
    fault: str
    keys: tuple[str, ...] = ()
    failure: CallFailed | None = None


class IceStarted(msgspec.Struct, frozen=True, kw_only=True, tag="started"):
    """The first event; *plan* is the digest of plan.json."""

    plan: str
    target: str
    judge: str
    questions: int
    templates: int


class RseStarted(msgspec.Struct, frozen=True, kw_only=True, tag="rse-started"):
    """The first event of a response similarity evaluation."""

    plan: str
    target: str
    reference: str
    judge: str
    prompts: int


class Selected(msgspec.Struct, frozen=True, kw_only=True, tag="selected"):
    """Ticket *ticket* was chosen: *path* leads from a root to the template to rewrite."""

    ticket: int
    path: tuple[NodeId, ...]
    questions: tuple[int, ...]


class Mutated(msgspec.Struct, frozen=True, kw_only=True, tag="mutated"):
    """The helper's reply became a template, numbered *template*."""

    ticket: int
    template: int
    mutator: str
    parents: tuple[NodeId, ...]
    keys: tuple[str, ...]
    text: str
    repairs: tuple[str, ...] = ()
    rejections: tuple[Rejection, ...] = ()


class Taken(msgspec.Struct, frozen=True, kw_only=True, tag="taken"):
    """The seed template at *node* is asked as it is; in events it is numbered *template*."""

    ticket: int
    template: int
    node: NodeId


class NoMutant(msgspec.Struct, frozen=True, kw_only=True, tag="barren"):
    """Ticket *ticket* gave no new template, so it asked no question that counts."""

    ticket: int
    rejections: tuple[Rejection, ...] = ()


class Probed(msgspec.Struct, frozen=True, kw_only=True, tag="probed"):
    """One question was asked in one template, and what came of it."""

    ticket: int
    template: int
    question: int
    outcome: Answer | CallFailed
    judgement: Judgement = Judgement()


class Credited(msgspec.Struct, frozen=True, kw_only=True, tag="credited"):
    """The ticket's reward; *node* is the template's place in the tree, if it was admitted."""

    ticket: int
    successes: int
    judged: int
    gain: float
    node: NodeId | None = None


class Answers(msgspec.Struct, frozen=True, kw_only=True, tag="answers"):
    """One model's answers to the human turns of a prompt, in order.

    A conversation ends at an answer that was refused or cut: the next turn would build on it.
    """

    answers: tuple[Answer, ...]

    @property
    def text(self) -> str:
        """All answers in one."""
        return "\n\n".join(answer.text for answer in self.answers)

    @property
    def refused(self) -> bool:
        """Whether the endpoint declined to serve a turn."""
        return any(answer.refused for answer in self.answers)

    @property
    def truncated(self) -> bool:
        """Whether an answer was cut by a length limit."""
        return any(answer.truncated for answer in self.answers)


class Graded(msgspec.Struct, frozen=True, kw_only=True):
    """One draw of the judge's; *grading* is None when its call failed for good."""

    order: Order
    draw: int
    grading: Grading | None
    keys: tuple[str, ...] = ()
    failure: CallFailed | None = None


class Embedded(msgspec.Struct, frozen=True, kw_only=True):
    """The cosine of two answers' embeddings, None when a call failed or gave no vector."""

    cosine: float | None
    keys: tuple[str, ...] = ()
    failures: tuple[CallFailed, ...] = ()


class Compared(msgspec.Struct, frozen=True, kw_only=True, tag="compared"):
    """One prompt was answered by target and reference, and the judge compared the answers.

    *again* is the reference's second draw, and *ceiling* how alike its two draws were found.
    What was embedded is there when the plan names a model for it.
    """

    ticket: int
    set: str
    prompt: int
    target: Answers | CallFailed
    reference: Answers | CallFailed
    gradings: tuple[Graded, ...] = ()
    embedded: Embedded | None = None
    again: Answers | CallFailed | None = None
    ceiling: tuple[Graded, ...] = ()
    ceiling_embedded: Embedded | None = None


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag="finished"):
    """The last event of a run that came to its end."""

    reason: Literal["probes", "no-usable-mutants", "all-asked", "imported", "prompts"]
    tickets: int
    probes: int


Event = (
    IceStarted
    | Selected
    | Mutated
    | Taken
    | NoMutant
    | Probed
    | Credited
    | RseStarted
    | Compared
    | Finished
)


def failures_of(event: Event) -> tuple[CallFailed, ...]:
    """Return the calls that failed for good in *event*, whoever was asked."""
    if isinstance(event, Probed):
        own = (event.outcome,) if isinstance(event.outcome, CallFailed) else ()
        return own + event.judgement.failures
    if isinstance(event, Compared):
        sides = (event.target, event.reference, event.again)
        judged = (graded.failure for graded in (*event.gradings, *event.ceiling))
        embedded = (found for found in (event.embedded, event.ceiling_embedded) if found)
        lost = (failure for found in embedded for failure in found.failures)
        return tuple(found for found in (*sides, *judged, *lost) if isinstance(found, CallFailed))
    if isinstance(event, (Mutated, NoMutant)):
        return tuple(r.failure for r in event.rejections if r.failure is not None)
    return ()


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Event)


def encode_event(event: Event) -> bytes:
    """Return *event* as one line, with its newline."""
    return _ENCODER.encode(event) + b"\n"


def decode_event(line: bytes) -> Event:
    """Return the event on *line*; raises msgspec.DecodeError."""
    event: Event = _DECODER.decode(line)
    return event
