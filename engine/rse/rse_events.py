"""RSE events: the records of a response similarity evaluation."""

from __future__ import annotations

import msgspec

from ...strategies.similarity.similarity_types import Grading, Order
from ..calls.answers import Answer, CallFailed
from ..records.events import Event, Finished


class RseStarted(Event, frozen=True, kw_only=True, tag="rse-started"):
    """The first event of a response similarity evaluation."""

    plan: str
    target: str
    reference: str
    judge: str
    prompts: int


class Answers(msgspec.Struct, frozen=True, kw_only=True, tag="answers"):
    """One model's answers to the human turns of a prompt, in order.

    A conversation ends at a refused or truncated answer, because the next turn would depend on it.
    """

    answers: tuple[Answer, ...]

    @property
    def text(self) -> str:
        """All answers, joined to one text."""
        return "\n\n".join(answer.text for answer in self.answers)

    @property
    def whole(self) -> bool:
        """Whether no answer is refused or truncated."""
        return all(answer.whole for answer in self.answers)

    @property
    def refused(self) -> bool:
        """Whether the endpoint declined to answer a turn."""
        return any(answer.refused for answer in self.answers)

    @property
    def truncated(self) -> bool:
        """Whether a length limit cut an answer."""
        return any(answer.truncated for answer in self.answers)


class Graded(msgspec.Struct, frozen=True, kw_only=True):
    """One draw of the judge. *grading* is None if its call failed for good."""

    order: Order
    draw: int
    grading: Grading | None
    keys: tuple[str, ...] = ()
    failure: CallFailed | None = None


class Embedded(msgspec.Struct, frozen=True, kw_only=True):
    """The cosine of two answers' embeddings, or None if a call failed or gave no vector."""

    cosine: float | None
    keys: tuple[str, ...] = ()
    failures: tuple[CallFailed, ...] = ()


class Compared(Event, frozen=True, kw_only=True, tag="compared"):
    """One prompt: the answers of target and reference, and the comparisons of the answers.

    *again* is the reference's second draw, and *ceiling* has the judge's gradings of its two draws.
    *embedded* and *ceiling_embedded* are set if the plan has an embedding model.
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

    @property
    def failures(self) -> tuple[CallFailed, ...]:
        """The calls to the models, the judge and the embedder that failed for good."""
        sides = (self.target, self.reference, self.again)
        judged = (graded.failure for graded in (*self.gradings, *self.ceiling))
        embedded = (found for found in (self.embedded, self.ceiling_embedded) if found)
        lost = (failure for found in embedded for failure in found.failures)
        return tuple(found for found in (*sides, *judged, *lost) if isinstance(found, CallFailed))


RseEvent = RseStarted | Compared | Finished
