"""Stages driven by hand: outcomes are given in the order of the calls."""

from __future__ import annotations

from typing import TypeVar

from hydrometer.engine.calls.answers import CallFailed
from hydrometer.engine.calls.stages import Answered, Call, CallOutcome, Stage
from hydrometer.providers.types import Response

T = TypeVar("T")


def feed(stage: Stage[T], *replies: str | CallOutcome) -> tuple[list[Call], T]:
    """Drive *stage* by hand with *replies* in order; returns (calls made, result)."""
    calls: list[Call] = []
    waiting = list(replies)
    try:
        asked = next(stage)
        while True:
            calls += asked
            given = tuple(
                as_reply(waiting.pop(0), f"k{len(calls) - len(asked) + n}")
                for n in range(len(asked))
            )
            asked = stage.send(given)
    except StopIteration as done:
        assert not waiting
        result: T = done.value
        return calls, result


def as_reply(reply: str | CallOutcome, key: str) -> CallOutcome:
    if isinstance(reply, str):
        return Answered(key=key, response=Response(text=reply))
    return reply


def failed(role: str = "judge") -> CallFailed:
    return CallFailed(
        role="judge" if role == "judge" else "helper", key="x", error="E", message="m"
    )
