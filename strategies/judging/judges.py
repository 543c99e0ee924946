"""Built-in judges: ``Lexical``, which works by rule, and ``Identity``, which asks a model."""

from __future__ import annotations

from collections.abc import Callable, Generator
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, TypeVar

import msgspec

from ..base import JudgeDialogue
from ..types import Case, Metric, Opinion, TargetFacts, Unparsed, Vendor, Verdict
from . import identity, rules

if TYPE_CHECKING:
    from .lexical import LexicalJudge

T = TypeVar("T")

UNREADABLE = "reply not readable, also when asked again"


class _CallState(Enum):
    failed = "failed"


class Lexical(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Decides strict verdicts by rule, without a model."""

    version: ClassVar[str] = rules.VERSION
    metrics: ClassVar[tuple[Metric, ...]] = ("strict",)
    asks_model: ClassVar[bool] = False

    def prepare(self, about: TargetFacts) -> _LexicalDialogues:
        """Return the judge of one target, with compiled patterns."""
        from .lexical import LexicalJudge  # noqa: PLC0415 (compiling takes a tenth of a second)

        return _LexicalDialogues(
            LexicalJudge(
                vendors=about.vendors,
                strict_vendors=about.strict_vendors,
                own_vendor=about.own_vendor,
            )
        )


class Identity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Asks a model whether a response contradicts the fact, and if so, which vendor it claims."""

    version: ClassVar[str] = identity.VERSION
    metrics: ClassVar[tuple[Metric, ...]] = ("loose", "strict")
    asks_model: ClassVar[bool] = True

    def prepare(self, about: TargetFacts) -> _IdentityDialogues:
        """Return the judge of one target."""
        return _IdentityDialogues(about)


class _LexicalDialogues:
    def __init__(self, judge: LexicalJudge) -> None:
        self._judge = judge

    def read(self, case: Case) -> JudgeDialogue:
        yield from ()  # makes this a generator, without any call
        return (self._judge.judge(case.response, case.question),)


class _IdentityDialogues:
    def __init__(self, about: TargetFacts) -> None:
        self._fact = about.fact
        self._ids = about.strict_vendors
        self._strict: tuple[Vendor, ...] = tuple(v for v in about.vendors if v.id in self._ids)

    def read(self, case: Case) -> JudgeDialogue:
        prompt = identity.build_loose(
            fact=self._fact, question=case.question, response=case.response
        )
        loose = yield from _readable(prompt, identity.parse_loose)
        if loose is _CallState.failed:
            return ()
        if loose is None:
            unread = Unparsed(metric="strict", reason="no loose verdict")
            return (Unparsed(metric="loose", reason=UNREADABLE), unread)
        contradicts, reason = loose
        first = Verdict(metric="loose", positive=contradicts, reason=reason)
        if not contradicts:
            return (first, Verdict(metric="strict", positive=False, reason="no contradiction"))
        strict = yield from self._read_strict(case)
        return (first,) if strict is None else (first, strict)

    def _read_strict(self, case: Case) -> Generator[tuple[str, ...], str | None, Opinion | None]:
        prompt = identity.build_strict(
            vendors=self._strict, question=case.question, response=case.response
        )
        named = yield from _readable(prompt, lambda reply: identity.parse_strict(reply, self._ids))
        if named is _CallState.failed:
            return None
        if named is None:
            return Unparsed(metric="strict", reason=UNREADABLE)
        vendor, reason = named
        return Verdict(metric="strict", positive=bool(vendor), vendor=vendor, reason=reason)


def _readable(
    prompt: str, parse: Callable[[str], T | None]
) -> Generator[tuple[str, ...], str | None, T | _CallState | None]:
    """Return what *parse* reads from the judge reply, asking twice at most; None if unreadable."""
    first = yield (prompt,)
    if first is None:
        return _CallState.failed
    if (read := parse(first)) is not None:
        return read
    again = yield (prompt, first, identity.REPAIR)
    return _CallState.failed if again is None else parse(again)
