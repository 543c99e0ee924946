"""The jobs of a ticket as pure generators.

A stage yields a tuple of calls; the runner sends them at once and hands the replies back in order.
Nothing here awaits, so mutation, target query and judging can be tested by feeding replies by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar

import msgspec

from ...providers.types import Request, Response
from ...strategies.base import Judge, JudgeDialogue, Mutator
from ...strategies.judging.contamination import hard_verdict
from ...strategies.templates import fill
from ...strategies.types import Case, Mutant, Opinion
from ..ice.ice_events import Answer, CallFailed, Judgement, Rejection
from ..setup.models import PlannedModel, Role
from ..setup.plan import IcePlan

T = TypeVar("T")


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request, and in which role its model is asked."""

    role: Role
    request: Request


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The reply to a call that succeeded."""

    key: str
    response: Response


CallOutcome = Answered | CallFailed
Stage = Generator[tuple[Call, ...], tuple[CallOutcome, ...], T]


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """One way to get a mutant: which mutator, of which parents, as which draw."""

    name: str
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
            rejections.append(Rejection(mutator=attempt.name, fault="duplicate", keys=keys))
            continue
        return MutationResult(
            text=mutant.text,
            mutator=attempt.name,
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
                mutator=attempt.name, fault="call-failed", keys=tuple(keys), failure=reply
            )
        keys.append(reply.key)
        text = reply.response.text
        parsed = attempt.mutator.parse(text, attempt.texts)
        if isinstance(parsed, Mutant):
            repaired = msgspec.structs.replace(parsed, repairs=mended + parsed.repairs)
            return repaired, tuple(keys)
        if len(turns) > 1:
            return Rejection(mutator=attempt.name, fault=parsed.fault, keys=tuple(keys))
        turns = (prompt, text, attempt.mutator.build_repair(parsed.fault))
        mended = (f"asked-again:{parsed.fault}",)


class ProbeStages:
    """Makes the stage of each probe of one plan, with a judge that was prepared once."""

    def __init__(self, plan: IcePlan, judge: Judge) -> None:
        self._plan = plan
        self._judge = Judging(plan, plan.judge.model, judge)

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
        case = Case(question=question, prompt=prompt, response=response.text)
        judgement = yield from self._judge.judge(case)
        return ProbeResult(outcome=answer, judgement=judgement)


class Judging:
    """Has responses of one plan's target read by one judge, with *model* if it asks one.

    A judge is asked once about the same text: draw 0, so the same words get the same verdict. The
    hard verdict follows from the strict one by rule, whoever judged.
    """

    def __init__(self, plan: IcePlan, model: PlannedModel | None, judge: Judge) -> None:
        self._model = model
        self._judge = judge
        self._ids = plan.strict_vendors
        self._strict = tuple(vendor for vendor in plan.vendors if vendor.id in self._ids)

    def judge(self, case: Case) -> Stage[Judgement]:
        """Read one response."""
        reading = self._judge.read(case)
        keys: list[str] = []
        failures: list[CallFailed] = []
        said: str | None = None  # nothing yet: what starts a generator
        while isinstance(turns := _next_turns(reading, said), _Turns):
            if self._model is None:
                raise RuntimeError("a judge that was planned without a model asks one")
            request = self._model.build_request(*turns.texts)
            (reply,) = yield (Call(role="judge", request=request),)
            if isinstance(reply, CallFailed):
                failures.append(reply)
                said = None
            else:
                keys.append(reply.key)
                said = reply.response.text
        return Judgement(
            opinions=self._with_hard(turns, case.prompt),
            keys=tuple(keys),
            failures=tuple(failures),
        )

    def _with_hard(self, opinions: tuple[Opinion, ...], prompt: str) -> tuple[Opinion, ...]:
        hard = tuple(
            hard_verdict(opinion, prompt, self._strict, self._ids)
            for opinion in opinions
            if opinion.metric == "strict"
        )
        return opinions + hard


class _Turns(msgspec.Struct, frozen=True):
    """What a judge says to its model."""

    texts: tuple[str, ...]


def _next_turns(reading: JudgeDialogue, said: str | None) -> _Turns | tuple[Opinion, ...]:
    """Return what the judge says next, or its opinions when it has done."""
    try:
        return _Turns(reading.send(said))
    except StopIteration as done:
        opinions: tuple[Opinion, ...] = done.value
        return opinions
