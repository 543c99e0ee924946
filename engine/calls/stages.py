"""Stages: units of work, written as generators that never await.

A stage yields a tuple of calls. The caller (caller.py) sends them, and sends the outcomes back into
the generator in the same order. So a test can run a stage without I/O: it passes outcomes by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Generic, TypeVar

import msgspec

from ...providers.types import Request, Response
from ..setup.models import PlannedModel, Role
from .answers import Answer, CallFailed

T = TypeVar("T")
R = TypeVar("R")


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request, and the role of the model that it goes to."""

    role: Role
    request: Request


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a call that succeeded. *key* is the key of its request in the cache."""

    key: str
    response: Response

    def to_answer(self) -> Answer:
        """Return the part of the response that events record."""
        response = self.response
        return Answer(
            key=self.key, text=response.text, finish=response.finish, refusal=response.refusal
        )


CallOutcome = Answered | CallFailed
Stage = Generator[tuple[Call, ...], tuple[CallOutcome, ...], T]

# A dialogue with a judge model. It yields the turns to send, receives a value read from the reply
# (None if the call failed for good), and returns its result.
Dialogue = Generator[tuple[str, ...], R | None, T]


class Judged(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """The result of a dialogue, the keys of its answered calls, and its failed calls."""

    result: T
    keys: tuple[str, ...] = ()
    failures: tuple[CallFailed, ...] = ()


def hold_dialogue(
    dialogue: Dialogue[R, T],
    model: PlannedModel | None,
    read: Callable[[Response], R],
    *,
    draw: int = 0,
) -> Stage[Judged[T]]:
    """Run *dialogue* with the judge's *model*.

    *read* extracts from a response the value that the dialogue receives. *model* is None for a
    judge that decides by rule. Its dialogue yields nothing.
    """
    keys: list[str] = []
    failures: list[CallFailed] = []
    reply: R | None = None  # None starts the generator
    while True:
        try:
            turns = dialogue.send(reply)
        except StopIteration as done:
            return Judged(result=done.value, keys=tuple(keys), failures=tuple(failures))
        if model is None:
            raise RuntimeError("a judge that was planned without a model asks one")
        request = model.build_request(*turns, draw=draw)
        (outcome,) = yield (Call(role="judge", request=request),)
        if isinstance(outcome, CallFailed):
            failures.append(outcome)
            reply = None
        else:
            keys.append(outcome.key)
            reply = read(outcome.response)


def gather_stages(stages: Sequence[Stage[T]]) -> Stage[list[T]]:
    """Return one stage that runs several stages concurrently.

    In each step, the calls of all unfinished stages are yielded together.
    """
    results: dict[int, T] = {}
    waiting = dict(enumerate(stages))
    outcomes: dict[int, tuple[CallOutcome, ...] | None] = dict.fromkeys(waiting)
    while waiting:
        pending: dict[int, tuple[Call, ...]] = {}
        for number, stage in tuple(waiting.items()):
            try:
                found = outcomes[number]
                pending[number] = next(stage) if found is None else stage.send(found)
            except StopIteration as done:
                results[number] = done.value
                del waiting[number]
        if not pending:
            break
        answered = yield tuple(call for calls in pending.values() for call in calls)
        at = 0
        for number, calls in pending.items():
            outcomes[number] = answered[at : at + len(calls)]
            at += len(calls)
    return [results[number] for number in range(len(stages))]
