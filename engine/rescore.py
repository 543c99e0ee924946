"""Another judge over the answers that a run has. The target is never asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from ..strategies.templates import fill
from ..strategies.types import Case
from .calls.caller import ModelCaller
from .calls.ordered import map_in_order
from .calls.stages import Judging
from .ice.ice_events import Answer, Event, Judgement, Mutated, Probed, Taken
from .ice.imported import as_prompt
from .records.layers import LayerRow, readable
from .setup.plan import IcePlan, Imported, PlannedJudge
from .setup.registry import StrategyRegistry


class RescoreItem(msgspec.Struct, frozen=True, kw_only=True):
    """One probe, by its number, and what a judge reads of it: None where there is no answer."""

    probe: int
    event: Probed
    case: Case | None


async def run_rescore(
    plan: IcePlan,
    judge: PlannedJudge,
    events: Iterable[Event],
    asker: ModelCaller,
    emit: Callable[[tuple[Event, ...]], None],
    *,
    catalogue: StrategyRegistry,
    at_once: int,
    known: Mapping[int, Judgement],
) -> tuple[LayerRow, ...]:
    """Return the judgement of every answer among *events*, in their order.

    What is *known* by number of the probe is not asked for again, unless a call for it failed.
    *emit* is handed every probe in order, with its new judgement in place of the recorded one.
    Raises what pauses a run, unwrapped, and FileInvalid for a judge that is not installed.
    """
    judging = Judging(plan, judge.model, catalogue.prepare(judge, plan.about))
    read: list[LayerRow] = []

    async def work(reading: RescoreItem) -> RescoreItem:
        judgement = Judgement()
        if reading.case is not None:
            before = known.get(reading.probe)
            if before is None or before.failures:
                judgement = await asker.drive(judging.judge(reading.case))
            else:
                judgement = before
        event = msgspec.structs.replace(reading.event, judgement=judgement)
        return msgspec.structs.replace(reading, event=event)

    def apply(reading: RescoreItem) -> None:
        emit((reading.event,))
        if reading.case is not None:
            read.append(LayerRow(probe=reading.probe, judgement=reading.event.judgement))

    await map_in_order(find_rescore_items(plan, events), work, apply, at_once=at_once)
    return tuple(read)


def find_rescore_items(plan: IcePlan, events: Iterable[Event]) -> Iterator[RescoreItem]:
    """Yield every probe among *events*, with what a judge reads of it."""
    texts: dict[int, str] = {}
    build_prompt = as_prompt if isinstance(plan.search, Imported) else fill
    number = 0
    for event in events:
        if isinstance(event, Mutated):
            texts[event.template] = event.text
        elif isinstance(event, Taken):
            texts[event.template] = plan.templates[event.node].text
        elif isinstance(event, Probed):
            case = None
            if isinstance(event.outcome, Answer) and readable(event):
                question = plan.questions[event.question].text
                case = Case(
                    question=question,
                    prompt=build_prompt(texts[event.template], question),
                    response=event.outcome.text,
                )
            yield RescoreItem(probe=number, event=event, case=case)
            number += 1
