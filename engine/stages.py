"""The jobs of a ticket as pure generators.

A stage yields a tuple of calls; the runner sends them at once and hands the replies back in order.
Nothing here awaits, so mutation, target query and judging can be tested by feeding replies by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

import msgspec

from ..providers.types import Request, Response
from ..strategies import identity
from ..strategies.contamination import hard_verdict
from ..strategies.lexical import LexicalJudge
from ..strategies.mutation import Mutant, Mutator
from ..strategies.templates import fill
from ..strategies.types import Opinion, Unparsed, Verdict
from .events import Answer, CallFailed, Judgement, Rejection, Role
from .models import PlannedModel
from .plan import Plan

T = TypeVar("T")


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request, and in which role its model is asked."""

    role: Role
    request: Request


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The reply to a call that succeeded."""

    key: str
    response: Response


Reply = Answered | CallFailed
Stage = Generator[tuple[Call, ...], tuple[Reply, ...], T]


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """One way to get a mutant: which mutator, of which parents, as which draw."""

    mutator: Mutator
    parents: tuple[int, ...]
    texts: tuple[str, ...]
    draw: int


class MutationResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the tries of one ticket came to; *text* is empty when all were rejected."""

    text: str = ""
    mutator: str = ""
    parents: tuple[int, ...] = ()
    keys: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    rejections: tuple[Rejection, ...] = ()


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one question drew."""

    outcome: Answer | CallFailed
    judgement: Judgement = Judgement()


def mutate(
    helper: PlannedModel, tries: tuple[Try, ...], known: Callable[[str], bool]
) -> Stage[MutationResult]:
    """Ask the helper for a mutant, try after try until one is usable and not yet *known*."""
    rejections: list[Rejection] = []
    for attempt in tries:
        parsed = yield from _one_try(helper, attempt)
        if isinstance(parsed, Rejection):
            rejections.append(parsed)
            continue
        mutant, keys = parsed
        if known(mutant.text):
            rejections.append(Rejection(mutator=attempt.mutator.name, fault="duplicate", keys=keys))
            continue
        return MutationResult(
            text=mutant.text,
            mutator=attempt.mutator.name,
            parents=attempt.parents,
            keys=keys,
            repairs=mutant.repairs,
            rejections=tuple(rejections),
        )
    return MutationResult(rejections=tuple(rejections))


def _one_try(
    helper: PlannedModel, attempt: Try
) -> Stage[tuple[Mutant, tuple[str, ...]] | Rejection]:
    prompt = attempt.mutator.build_prompt(attempt.texts)
    turns: tuple[str, ...] = (prompt,)
    keys: list[str] = []
    mended: tuple[str, ...] = ()
    while True:
        # A repair carries the draw of the call that it repairs.
        request = helper.build_request(*turns, draw=attempt.draw)
        (reply,) = yield (Call(role="helper", request=request),)
        if isinstance(reply, CallFailed):
            return Rejection(
                mutator=attempt.mutator.name, fault="call-failed", keys=tuple(keys), failure=reply
            )
        keys.append(reply.key)
        text = reply.response.text
        parsed = attempt.mutator.parse(text, attempt.texts)
        if isinstance(parsed, Mutant):
            repaired = msgspec.structs.replace(parsed, repairs=mended + parsed.repairs)
            return repaired, tuple(keys)
        if len(turns) > 1:
            return Rejection(mutator=attempt.mutator.name, fault=parsed.fault, keys=tuple(keys))
        turns = (prompt, text, attempt.mutator.build_repair(parsed.fault))
        mended = (f"asked-again:{parsed.fault}",)


class ProbeStages:
    """Makes the stage of each probe of one plan; holds the compiled lexical judge."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._strict = tuple(v for v in plan.vendors if v.id in plan.strict_vendors)
        self._lexical = LexicalJudge(
            vendors=plan.vendors,
            strict_vendors=plan.strict_vendors,
            own_vendor=plan.target.vendor,
        )

    def probe(self, template: str, question_index: int) -> Stage[ProbeResult]:
        """Ask the target one question in *template* and have the answer judged at once."""
        question = self._plan.questions[question_index].text
        prompt = fill(template, question)
        request = self._plan.target.build_request(prompt)
        (reply,) = yield (Call(role="target", request=request),)
        if isinstance(reply, CallFailed):
            return ProbeResult(outcome=reply)
        response = reply.response
        answer = Answer(
            key=reply.key, text=response.text, finish=response.finish, refusal=response.refusal
        )
        if answer.refused or answer.truncated:
            return ProbeResult(outcome=answer)
        judgement = yield from self.judge(prompt, question, response.text)
        return ProbeResult(outcome=answer, judgement=judgement)

    def judge(self, prompt: str, question: str, response: str) -> Stage[Judgement]:
        """Read one response: by rule, or with the plan's judge model."""
        if self._plan.judge is None:
            strict = self._lexical.judge(response, question)
            return Judgement(opinions=(strict, self._hard(strict, prompt)))
        judgement = yield from self._ask_judge(self._plan.judge, prompt, question, response)
        return judgement

    def _ask_judge(
        self, judge: PlannedModel, prompt: str, question: str, response: str
    ) -> Stage[Judgement]:
        text = identity.build_loose(fact=self._plan.fact, question=question, response=response)
        loose, keys = yield from _readable(judge, text, identity.parse_loose)
        if isinstance(loose, CallFailed):
            return Judgement(keys=keys, failures=(loose,))
        if loose is None:
            unread = Unparsed(metric="strict", reason="no loose verdict")
            opinions = (Unparsed(metric="loose", reason=_UNREADABLE), unread)
            return Judgement(opinions=(*opinions, self._hard(unread, prompt)), keys=keys)
        contradicts, reason = loose
        first = Verdict(metric="loose", positive=contradicts, reason=reason)
        if not contradicts:
            none = Verdict(metric="strict", positive=False, reason="no contradiction")
            return Judgement(opinions=(first, none, self._hard(none, prompt)), keys=keys)
        text = identity.build_strict(vendors=self._strict, question=question, response=response)
        ids = self._plan.strict_vendors
        named, more = yield from _readable(
            judge, text, lambda reply: identity.parse_strict(reply, ids)
        )
        keys += more
        if isinstance(named, CallFailed):
            return Judgement(opinions=(first,), keys=keys, failures=(named,))
        second: Opinion
        if named is None:
            second = Unparsed(metric="strict", reason=_UNREADABLE)
        else:
            vendor, reason = named
            second = Verdict(metric="strict", positive=bool(vendor), vendor=vendor, reason=reason)
        return Judgement(opinions=(first, second, self._hard(second, prompt)), keys=keys)

    def _hard(self, strict: Opinion, prompt: str) -> Opinion:
        return hard_verdict(strict, prompt, self._strict, self._plan.strict_vendors)


_UNREADABLE = "reply not readable, also when asked again"


def _readable(
    judge: PlannedModel, prompt: str, parse: Callable[[str], T | None]
) -> Stage[tuple[T | CallFailed | None, tuple[str, ...]]]:
    """Ask *judge*, once more if its reply can't be read; None when neither can.

    A judge is asked once about the same text: draw 0, so the same words get the same verdict.
    """
    (reply,) = yield (Call(role="judge", request=judge.build_request(prompt)),)
    if isinstance(reply, CallFailed):
        return reply, ()
    first = reply
    if (read := parse(first.response.text)) is not None:
        return read, (first.key,)
    again = judge.build_request(prompt, first.response.text, identity.REPAIR)
    (reply,) = yield (Call(role="judge", request=again),)
    if isinstance(reply, CallFailed):
        return reply, (first.key,)
    return parse(reply.response.text), (first.key, reply.key)
