"""Response similarity evaluation: one prompt as a pure generator, and the run over all prompts.

Target and reference have the same conversation at the same time, turn by turn, each with its own
answers in between; the reference has it once more where its own spread is to be measured. Then the
judge grades every pair in every order and draw, all at once. Nothing of one prompt waits for
another prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

from ...providers.types import Response
from ...strategies.similarity.embeddings import cosine
from ...strategies.similarity.similarity_judge import Comparison, Similarity
from ...strategies.similarity.similarity_types import (
    Grading,
    JudgeReply,
    Order,
    Pairing,
    PromptTurns,
)
from ..calls.caller import ModelCaller
from ..calls.ordered import map_in_order
from ..calls.stages import Answered, Call, CallOutcome, Stage
from ..errors import FileInvalid
from ..ice.ice_events import (
    Answer,
    Answers,
    CallFailed,
    Compared,
    Embedded,
    Event,
    Finished,
    Graded,
    RseStarted,
)
from ..setup.models import PlannedModel, Role
from ..setup.plan import RsePlan, plan_digest

T = TypeVar("T")


class PromptTicket(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt to compare."""

    number: int
    set: str
    index: int
    prompt: PromptTurns


async def run_similarity(
    plan: RsePlan,
    asker: ModelCaller,
    emit: Callable[[tuple[Event, ...]], None],
    *,
    at_once: int,
) -> None:
    """Run *plan* to its end, handing events to *emit* in the order of the prompts.

    *at_once* bounds the prompts under way. Raises FileInvalid for a plan with other judge prompts
    than these, and what pauses the run, unwrapped.
    """
    if plan.rubric_version != Similarity.version:
        raise FileInvalid(
            f"the plan's judge is of version {plan.rubric_version}, here it is "
            f"{Similarity.version}: it would decide differently"
        )
    stages = ComparingStages(plan)

    async def work(ticket: PromptTicket) -> Compared:
        return await asker.drive(stages.compare(ticket))

    emit((_started(plan),))
    await map_in_order(prompt_tickets(plan), work, lambda event: emit((event,)), at_once=at_once)
    emit((Finished(reason="prompts", tickets=plan.prompts, probes=plan.prompts),))


def prompt_tickets(plan: RsePlan) -> Iterator[PromptTicket]:
    """Yield every prompt of the plan, set by set."""
    number = 0
    for prompts in plan.sets:
        for index, prompt in enumerate(prompts.prompts):
            yield PromptTicket(number=number, set=prompts.name, index=index, prompt=prompt)
            number += 1


class ComparingStages:
    """Makes the stage of each prompt of one plan."""

    def __init__(self, plan: RsePlan) -> None:
        self._plan = plan
        self._judge = Similarity(form="json" if plan.structured else "tags")

    def compare(self, ticket: PromptTicket) -> Stage[Compared]:
        """Have one prompt answered and the answers graded."""
        plan, turns = self._plan, ticket.prompt.turns
        talks = [
            _converse(plan.target, "target", turns, draw=0),
            _converse(plan.reference, "reference", turns, draw=0),
        ]
        if plan.ceiling:
            talks.append(_converse(plan.reference, "reference", turns, draw=1))
        target, reference, *rest = yield from gather_stages(talks)
        again = rest[0] if rest else None
        own = self._grade(turns, reference, target)
        ceiling = [] if again is None else self._grade(turns, reference, again)
        vectors = [] if again is None else self._embed(reference, again)
        pair = self._embed(reference, target)
        found = yield from gather_stages([*own, *ceiling, *pair, *vectors])
        graded = [result for result in found if isinstance(result, Graded)]
        embedded = [result for result in found if isinstance(result, Embedded)]
        return Compared(
            ticket=ticket.number,
            set=ticket.set,
            prompt=ticket.index,
            target=target,
            reference=reference,
            gradings=tuple(graded[: len(own)]),
            embedded=embedded[0] if pair else None,
            again=again,
            ceiling=tuple(graded[len(own) :]),
            ceiling_embedded=embedded[-1] if vectors else None,
        )

    def _grade(
        self, turns: tuple[str, ...], reference: Answers | CallFailed, other: Answers | CallFailed
    ) -> list[Stage[Graded | Embedded]]:
        """Return a stage for every order and draw, none when there is nothing to compare."""
        if not (complete(reference) and complete(other)):
            return []
        assert isinstance(reference, Answers)
        assert isinstance(other, Answers)
        pairing = Pairing(
            turns=turns,
            reference=tuple(answer.text for answer in reference.answers),
            target=tuple(answer.text for answer in other.answers),
        )
        return [
            self._judged(pairing, order, draw)
            for order in self._plan.orders
            for draw in range(self._plan.judge_draws)
        ]

    def _embed(
        self, reference: Answers | CallFailed, other: Answers | CallFailed
    ) -> list[Stage[Graded | Embedded]]:
        """Return a stage that embeds both sides, none when there is nothing to embed."""
        if self._plan.embedder is None or not (complete(reference) and complete(other)):
            return []
        assert isinstance(reference, Answers)
        assert isinstance(other, Answers)
        return [_embedded(self._plan.embedder, reference.text, other.text)]

    def _judged(self, pairing: Pairing, order: Order, draw: int) -> Stage[Graded | Embedded]:
        reading = self._judge.read(pairing, order)
        keys: list[str] = []
        failure: CallFailed | None = None
        said: JudgeReply | None = None  # nothing yet: what starts a generator
        while isinstance(step := _next_step(reading, said), _Turns):
            request = self._plan.judge.build_request(*step.texts, draw=draw)
            (reply,) = yield (Call(role="judge", request=request),)
            if isinstance(reply, CallFailed):
                failure, said = reply, None
            else:
                keys.append(reply.key)
                said = to_said(reply.response)
        return Graded(
            order=order, draw=draw, grading=step.grading, keys=tuple(keys), failure=failure
        )


def complete(side: Answers | CallFailed) -> bool:
    """Return whether there is an answer to every turn, each of them whole."""
    return isinstance(side, Answers) and not side.refused and not side.truncated


def to_said(response: Response) -> JudgeReply:
    """Return the text and the token logprobs of a judge's reply."""
    return JudgeReply(text=response.text, tokens=response.logprobs)


def gather_stages(stages: list[Stage[T]]) -> Stage[list[T]]:
    """Return one stage that does several at once: their calls are sent gather_stages, step by step."""
    results: dict[int, T] = {}
    waiting = dict(enumerate(stages))
    replies: dict[int, tuple[CallOutcome, ...] | None] = dict.fromkeys(waiting)
    while waiting:
        asked: dict[int, tuple[Call, ...]] = {}
        for number, stage in tuple(waiting.items()):
            try:
                given = replies[number]
                asked[number] = next(stage) if given is None else stage.send(given)
            except StopIteration as done:
                results[number] = done.value
                del waiting[number]
        if not asked:
            break
        found = yield tuple(call for calls in asked.values() for call in calls)
        at = 0
        for number, calls in asked.items():
            replies[number] = found[at : at + len(calls)]
            at += len(calls)
    return [results[number] for number in range(len(stages))]


def _converse(
    model: PlannedModel, role: Role, turns: tuple[str, ...], *, draw: int
) -> Stage[Answers | CallFailed]:
    """Replay the human turns to *model*, with its own answers in between."""
    said: list[str] = []
    answers: list[Answer] = []
    for turn in turns:
        said.append(turn)
        request = model.build_request(*said, draw=draw)
        (reply,) = yield (Call(role=role, request=request),)
        if not isinstance(reply, Answered):
            return reply
        response = reply.response
        answer = Answer(
            key=reply.key, text=response.text, finish=response.finish, refusal=response.refusal
        )
        answers.append(answer)
        if answer.refused or answer.truncated:
            break
        said.append(answer.text)
    return Answers(answers=tuple(answers))


def _embedded(model: PlannedModel, *texts: str) -> Stage[Graded | Embedded]:
    """Have *texts* embedded, and compare the two vectors."""
    calls = tuple(Call(role="embedder", request=model.build_request(text)) for text in texts)
    replies = yield calls
    answered = [reply for reply in replies if isinstance(reply, Answered)]
    vectors = [_vector(reply.response.text) for reply in answered]
    return Embedded(
        cosine=_cosine(*vectors) if len(vectors) == 2 and all(vectors) else None,
        keys=tuple(reply.key for reply in answered),
        failures=tuple(reply for reply in replies if isinstance(reply, CallFailed)),
    )


def _vector(text: str) -> list[float]:
    try:
        return msgspec.json.decode(text, type=list[float])
    except msgspec.DecodeError:
        return []


def _cosine(one: list[float], other: list[float]) -> float | None:
    """Return the cosine, rounded so that every machine writes the same; None without one."""
    try:
        return round(cosine(one, other), 9)
    except ValueError:
        return None


class _Turns(msgspec.Struct, frozen=True):
    texts: tuple[str, ...]


class _Done(msgspec.Struct, frozen=True):
    grading: Grading | None


def _next_step(reading: Comparison, said: JudgeReply | None) -> _Turns | _Done:
    try:
        return _Turns(reading.send(said))
    except StopIteration as done:
        grading: Grading | None = done.value
        return _Done(grading)


def _started(plan: RsePlan) -> RseStarted:
    return RseStarted(
        plan=plan_digest(plan),
        target=plan.target.name,
        reference=plan.reference.name,
        judge=plan.judge.name,
        prompts=plan.prompts,
    )
