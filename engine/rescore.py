"""Another judge over the answers that a run has. The target is never asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

import anyio

from ..strategies.templates import fill
from ..strategies.types import Case
from .catalogue import Catalogue
from .crew import Crew
from .events import Answer, Event, Mutated, Probed, Taken
from .imported import as_prompt
from .layers import Reread, readable
from .plan import Imported, Plan, PlannedJudge
from .runner import Asker, unwrapped
from .stages import Judging

AHEAD = 4  # answers under way for each worker, so that a slow one holds up nobody


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
    done: dict[int, Reread] = {}
    room = anyio.Semaphore(at_once * AHEAD)

    async def read(probe: int, case: Case) -> None:
        judgement = await asker.drive(judging.judge(case))
        done[probe] = Reread(probe=probe, judgement=judgement)
        room.release()

    with unwrapped():
        async with anyio.create_task_group() as tasks:
            crew = Crew(tasks, at_once)
            for probe, case in answers(plan, events):
                await room.acquire()
                crew.submit(partial(read, probe, case))
            for _ in range(at_once * AHEAD):
                await room.acquire()
            tasks.cancel_scope.cancel()  # the crew is idle
    return tuple(done[probe] for probe in sorted(done))


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
