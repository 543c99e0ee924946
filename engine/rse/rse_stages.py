"""RSE stages: one prompt as a generator, and the run over all prompts.

Target and reference get the same human turns concurrently, each with its own answers in between. If
the ceiling is measured, the reference gets them a second time. Then the judge grades every pair of
answers in every order and draw, all concurrently. No prompt waits for another prompt.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from ...providers.types import Response
from ...strategies.similarity.embeddings import cosine
from ...strategies.similarity.similarity_judge import Similarity
from ...strategies.similarity.similarity_types import (
    JudgeReply,
    Order,
    Pairing,
    PromptTurns,
)
from ..calls.answers import Answer, CallFailed
from ..calls.caller import ModelCaller
from ..calls.ordered import map_in_order
from ..calls.stages import Answered, Call, Stage, gather_stages, hold_dialogue
from ..errors import FileInvalid
from ..measurement import Emit
from ..records.events import Finished
from ..setup.models import PlannedModel, Role
from ..setup.plan import plan_digest
from ..setup.registry import StrategyRegistry
from .rse_events import Answers, Compared, Embedded, Graded, RseStarted
from .rse_plan import RsePlan


class PromptTicket(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt to compare."""

    number: int
    set: str
    index: int
    prompt: PromptTurns


async def run_similarity(
    plan: RsePlan, caller: ModelCaller, emit: Emit, registry: StrategyRegistry, workers: int
) -> None:
    """Run *plan* to its end, and pass events to *emit* in the order of the prompts.

    *workers* is the maximum of prompts in flight. Raises FileInvalid if the plan was made with
    another version of the judge, and the errors that pause the run, without an exception group.
    """
    if plan.rubric_version != Similarity.version:
        raise FileInvalid(
            f"the plan's judge is of version {plan.rubric_version}, here it is "
            f"{Similarity.version}: it would decide differently"
        )
    stages = ComparingStages(plan)

    async def work(ticket: PromptTicket) -> Compared:
        return await caller.drive(stages.compare(ticket))

    emit((_started(plan),))
    await map_in_order(prompt_tickets(plan), work, lambda event: emit((event,)), workers=workers)
    emit((Finished(reason="prompts", tickets=plan.size, units=plan.size),))


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
        """Return the stage of one prompt: all models answer it, then the answers are compared."""
        plan, turns = self._plan, ticket.prompt.turns
        conversations = [
            _converse(plan.target, "target", turns, draw=0),
            _converse(plan.reference, "reference", turns, draw=0),
        ]
        if plan.ceiling:
            conversations.append(_converse(plan.reference, "reference", turns, draw=1))
        target, reference, *rest = yield from gather_stages(conversations)
        again = rest[0] if rest else None
        grading = self._grade(turns, reference, target)
        ceiling_grading = [] if again is None else self._grade(turns, reference, again)
        embedding = self._embed(reference, target)
        ceiling_embedding = [] if again is None else self._embed(reference, again)
        found = yield from gather_stages(
            [*grading, *ceiling_grading, *embedding, *ceiling_embedding]
        )
        graded = [result for result in found if isinstance(result, Graded)]
        embedded = [result for result in found if isinstance(result, Embedded)]
        return Compared(
            ticket=ticket.number,
            set=ticket.set,
            prompt=ticket.index,
            target=target,
            reference=reference,
            gradings=tuple(graded[: len(grading)]),
            embedded=embedded[0] if embedding else None,
            again=again,
            ceiling=tuple(graded[len(grading) :]),
            ceiling_embedded=embedded[-1] if ceiling_embedding else None,
        )

    def _grade(
        self, turns: tuple[str, ...], reference: Answers | CallFailed, other: Answers | CallFailed
    ) -> list[Stage[Graded | Embedded]]:
        """Return a stage for every order and draw, or no stage if an answer is missing."""
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
        """Return a stage that embeds both sides, or none without an embedder or an answer."""
        if self._plan.embedder is None or not (complete(reference) and complete(other)):
            return []
        assert isinstance(reference, Answers)
        assert isinstance(other, Answers)
        return [_embedded(self._plan.embedder, reference.text, other.text)]

    def _judged(self, pairing: Pairing, order: Order, draw: int) -> Stage[Graded | Embedded]:
        dialogue = self._judge.read(pairing, order)
        judged = yield from hold_dialogue(dialogue, self._plan.judge, to_judge_reply, draw=draw)
        return Graded(
            order=order,
            draw=draw,
            grading=judged.result,
            keys=judged.keys,
            failure=judged.failures[-1] if judged.failures else None,
        )


def complete(side: Answers | CallFailed) -> bool:
    """Return whether every turn has an answer that is neither refused nor truncated."""
    return isinstance(side, Answers) and side.whole


def to_judge_reply(response: Response) -> JudgeReply:
    """Return the text and the token logprobs of a judge's reply."""
    return JudgeReply(text=response.text, tokens=response.logprobs)


def _converse(
    model: PlannedModel, role: Role, turns: tuple[str, ...], *, draw: int
) -> Stage[Answers | CallFailed]:
    """Send the human turns to *model*, one by one, with its own answers in between."""
    history: list[str] = []
    answers: list[Answer] = []
    for turn in turns:
        history.append(turn)
        request = model.build_request(*history, draw=draw)
        (outcome,) = yield (Call(role=role, request=request),)
        if not isinstance(outcome, Answered):
            return outcome
        answer = outcome.to_answer()
        answers.append(answer)
        if not answer.whole:
            break
        history.append(answer.text)
    return Answers(answers=tuple(answers))


def _embedded(model: PlannedModel, *texts: str) -> Stage[Graded | Embedded]:
    """Embed the two *texts*, and compare the vectors."""
    calls = tuple(Call(role="embedder", request=model.build_request(text)) for text in texts)
    outcomes = yield calls
    answered = [outcome for outcome in outcomes if isinstance(outcome, Answered)]
    vectors = [_vector(outcome.response.text) for outcome in answered]
    return Embedded(
        cosine=_cosine(*vectors) if len(vectors) == 2 and all(vectors) else None,
        keys=tuple(outcome.key for outcome in answered),
        failures=tuple(outcome for outcome in outcomes if isinstance(outcome, CallFailed)),
    )


def _vector(text: str) -> list[float]:
    try:
        return msgspec.json.decode(text, type=list[float])
    except msgspec.DecodeError:
        return []


def _cosine(one: list[float], other: list[float]) -> float | None:
    """Return the cosine, or None if it is undefined.

    It is rounded, so that every machine records the same number.
    """
    try:
        return round(cosine(one, other), 9)
    except ValueError:
        return None


def _started(plan: RsePlan) -> RseStarted:
    return RseStarted(
        plan=plan_digest(plan),
        target=plan.target.name,
        reference=plan.reference.name,
        judge=plan.judge.name,
        prompts=plan.size,
    )
