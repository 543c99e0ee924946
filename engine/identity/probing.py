"""Probe stage: sends one prompt to the target, and has the answer judged right away."""

from __future__ import annotations

import msgspec

from ...strategies.types import Case
from ..calls.answers import Answer, CallFailed, Judgement
from ..calls.stages import Call, Stage
from ..setup.models import PlannedModel
from .judging import Judging


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one probe: the target's answer or failure, and the judgement of an answer."""

    outcome: Answer | CallFailed
    judgement: Judgement = Judgement()


def probe(
    target: PlannedModel, judging: Judging, *, question: str, prompt: str, draw: int = 0
) -> Stage[ProbeResult]:
    """Send *prompt*, a template filled with *question*, to *target*, and judge the answer.

    A refused or truncated answer is not judged.
    """
    request = target.build_request(prompt, draw=draw)
    (outcome,) = yield (Call(role="target", request=request),)
    if isinstance(outcome, CallFailed):
        return ProbeResult(outcome=outcome)
    answer = outcome.to_answer()
    if not answer.whole:
        return ProbeResult(outcome=answer)
    judgement = yield from judging.judge(
        Case(question=question, prompt=prompt, response=answer.text)
    )
    return ProbeResult(outcome=answer, judgement=judgement)
