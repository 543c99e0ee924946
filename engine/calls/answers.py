"""Results of calls, as events record them: an answer, a failure, or a judgement of an answer."""

from __future__ import annotations

import msgspec

from ...providers.types import FinishReason
from ...strategies.types import Opinion
from ..setup.models import Role


class CallFailed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """A call that failed for good: it is not retried, and never counted as a result."""

    role: Role
    key: str
    error: str
    message: str


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag="answer"):
    """The part of a response that events record. A replay gives it again, byte for byte."""

    key: str
    text: str
    finish: FinishReason
    refusal: str = ""

    @property
    def refused(self) -> bool:
        """Whether the endpoint declined to answer. Then there is no answer to judge."""
        return bool(self.refusal) or self.finish == "content_filter"

    @property
    def truncated(self) -> bool:
        """Whether a length limit cut the answer."""
        return not self.refused and self.finish == "length"

    @property
    def whole(self) -> bool:
        """Whether a judge can read the answer: it is neither refused nor truncated."""
        return not self.refused and not self.truncated


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """The opinions on one answer, and the judge calls that led to them."""

    opinions: tuple[Opinion, ...] = ()
    keys: tuple[str, ...] = ()
    failures: tuple[CallFailed, ...] = ()
