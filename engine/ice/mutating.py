"""Mutation stage: asks the helper for a new template, in several tries with one repair each.

A repair is a second call in the same conversation. It tells the helper what is wrong with its
reply.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ...strategies.base import Mutator
from ...strategies.types import Mutant
from ..calls.answers import CallFailed
from ..calls.stages import Call, Stage
from ..setup.models import PlannedModel
from .ice_events import Rejection


class Try(msgspec.Struct, frozen=True, kw_only=True):
    """One try of a mutation: a mutator, its parents (nodes and their texts), and the draw."""

    name: str
    mutator: Mutator
    parents: tuple[int, ...]
    texts: tuple[str, ...]
    draw: int


class MutationResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of the tries of one ticket. *text* is empty if all were rejected."""

    text: str = ""
    mutator: str = ""
    parents: tuple[int, ...] = ()
    keys: tuple[str, ...] = ()
    repairs: tuple[str, ...] = ()
    rejections: tuple[Rejection, ...] = ()


def mutate(
    helper: PlannedModel, tries: tuple[Try, ...], known: Callable[[str], bool]
) -> Stage[MutationResult]:
    """Do the *tries* in order, until one gives a usable mutant that is not yet *known*."""
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
    repairs: tuple[str, ...] = ()
    while True:
        # A repair has the same draw as the call that it repairs.
        request = helper.build_request(*turns, draw=attempt.draw)
        (outcome,) = yield (Call(role="helper", request=request),)
        if isinstance(outcome, CallFailed):
            return Rejection(
                mutator=attempt.name, fault="call-failed", keys=tuple(keys), failure=outcome
            )
        keys.append(outcome.key)
        text = outcome.response.text
        parsed = attempt.mutator.parse(text, attempt.texts)
        if isinstance(parsed, Mutant):
            mutant = msgspec.structs.replace(parsed, repairs=repairs + parsed.repairs)
            return mutant, tuple(keys)
        if len(turns) > 1:
            return Rejection(mutator=attempt.name, fault=parsed.fault, keys=tuple(keys))
        turns = (prompt, text, attempt.mutator.build_repair(parsed.fault))
        repairs = (f"asked-again:{parsed.fault}",)
