"""Identity judging: the stage in which a judge reads one answer of a target."""

from __future__ import annotations

from ...providers.types import Response
from ...strategies.base import Judge
from ...strategies.judging.contamination import hard_verdict
from ...strategies.types import Case, Opinion, TargetFacts
from ..calls.answers import Judgement
from ..calls.stages import Stage, hold_dialogue
from ..setup.models import PlannedModel


class Judging:
    """Judges the answers of the target that *about* describes.

    *model* is None for a judge that decides by rule. All requests to the judge's model have draw 0,
    so equal texts get equal verdicts from the cache. For every judge, the hard verdict is derived
    from the strict verdict by rule.
    """

    def __init__(self, judge: Judge, model: PlannedModel | None, about: TargetFacts) -> None:
        self._judge = judge
        self._model = model
        self._ids = about.strict_vendors
        self._strict = tuple(vendor for vendor in about.vendors if vendor.id in self._ids)

    def judge(self, case: Case) -> Stage[Judgement]:
        """Return the judgement of one response."""
        judged = yield from hold_dialogue(self._judge.read(case), self._model, _text_of)
        return Judgement(
            opinions=self._with_hard(judged.result, case.prompt),
            keys=judged.keys,
            failures=judged.failures,
        )

    def _with_hard(self, opinions: tuple[Opinion, ...], prompt: str) -> tuple[Opinion, ...]:
        hard = tuple(
            hard_verdict(opinion, prompt, self._strict, self._ids)
            for opinion in opinions
            if opinion.metric == "strict"
        )
        return opinions + hard


def _text_of(response: Response) -> str:
    return response.text
