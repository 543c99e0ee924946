"""Another judge over the answers that a run has. The target is never asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..strategies.templates import fill
from ..strategies.types import Case
from .catalogue import Catalogue
from .events import Answer, Event, Mutated, Probed, Taken
from .imported import as_prompt
from .layers import Reread, readable
from .ordered import in_order
from .plan import Imported, Plan, PlannedJudge
from .runner import Asker
from .stages import Judging


async def run_rescore(
    plan: Plan,
    judge: PlannedJudge,
    events: Iterable[Event],
    asker: Asker,
    *,
    catalogue: Catalogue,
    at_once: int,
) -> tuple[Reread, ...]:
    """Return the judgement of every answer among *events*, in their order.

    Raises what pauses a run, unwrapped, and FileInvalid for a judge that is not installed.
    """
    rules = catalogue.judge(judge.rules)
    judging = Judging(plan, judge.model, rules.prepare(plan.about))
    read: list[Reread] = []

    async def work(found: tuple[int, Case]) -> Reread:
        probe, case = found
        return Reread(probe=probe, judgement=await asker.drive(judging.judge(case)))

    await in_order(answers(plan, events), work, read.append, at_once=at_once)
    return tuple(read)


def answers(plan: Plan, events: Iterable[Event]) -> Iterator[tuple[int, Case]]:
    """Yield (number of the probe, what a judge reads) for every answer that can be read."""
    texts: dict[int, str] = {}
    build_prompt = as_prompt if isinstance(plan.search, Imported) else fill
    number = -1
    for event in events:
        if isinstance(event, Mutated):
            texts[event.template] = event.text
        elif isinstance(event, Taken):
            texts[event.template] = plan.templates[event.node].text
        elif isinstance(event, Probed):
            number += 1
            if isinstance(event.outcome, Answer) and readable(event):
                question = plan.questions[event.question].text
                yield (
                    number,
                    Case(
                        question=question,
                        prompt=build_prompt(texts[event.template], question),
                        response=event.outcome.text,
                    ),
                )
