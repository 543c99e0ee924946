from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from builders import make_outcome, make_plan, make_selector

from hydrometer.engine.calls.answers import Answer, CallFailed
from hydrometer.engine.ice.ice_events import Credited, Mutated, NoMutant, Probed, Selected
from hydrometer.engine.ice.ice_plan import IcePlan
from hydrometer.engine.ice.mutating import MutationResult
from hydrometer.engine.ice.search import STUCK_AFTER, Search, SearchTicket, TicketOutcome
from hydrometer.engine.identity.probing import ProbeResult
from hydrometer.engine.records.events import Event, Finished
from hydrometer.engine.setup.registry import StrategyRegistry


def play(
    plan: IcePlan,
    *,
    arrival: int = 0,
    answer: Callable[[SearchTicket], TicketOutcome] = make_outcome,
) -> list[Event]:
    """Run a search whose outcomes arrive in an order drawn from *arrival*."""
    dice = Random(arrival)
    search = Search(plan, StrategyRegistry())
    step = search.start()
    events = list(step.events)
    flying = list(step.tickets)
    while not search.finished:
        job = flying.pop(dice.randrange(len(flying)))
        step = search.receive(answer(job))
        events += step.events
        flying += step.tickets
    assert not flying
    return events


@pytest.mark.parametrize("window", [1, 2, 6])
def test_arrival_order_does_not_change_the_events(window: int) -> None:
    plan = make_plan(window=window, probes=80)

    runs = [play(plan, arrival=arrival) for arrival in range(20)]

    assert all(run == runs[0] for run in runs)


def test_window_is_part_of_the_result() -> None:
    assert play(make_plan(window=1, probes=80)) != play(make_plan(window=6, probes=80))


def test_events_come_in_ticket_order_and_each_ticket_is_whole() -> None:
    events = play(make_plan(window=6), arrival=3)

    tickets = [event.ticket for event in events if isinstance(event, Selected)]
    assert tickets == list(range(20))
    shape = [type(event) for event in events]
    ticket = [Selected, Mutated, Probed, Probed, Credited]
    assert shape[1:-1] == ticket * 20


def test_the_probe_budget_is_met_exactly_when_visits_do_not_divide_it() -> None:
    events = play(make_plan(probes=33, questions_per_visit=4))

    assert sum(isinstance(event, Probed) for event in events) == 33
    assert events[-1] == Finished(reason="probes", tickets=9, units=33)


def test_a_ticket_is_chosen_after_its_outcome_window_and_before_the_next() -> None:
    search = Search(make_plan(window=2, probes=100), StrategyRegistry())
    first, second = search.start().tickets

    held = search.receive(make_outcome(second))
    burst = search.receive(make_outcome(first))

    assert held.events == ()
    assert held.tickets == ()
    assert [job.number for job in burst.tickets] == [2, 3]
    assert [job.applied for job in burst.tickets] == [1, 2]


def test_an_outcome_that_nobody_asked_for_is_an_error() -> None:
    search = Search(make_plan(window=1), StrategyRegistry())
    (job,) = search.start().tickets

    with pytest.raises(ValueError, match=r"^ticket 3 is not in flight$"):
        search.receive(TicketOutcome(ticket=3, mutation=MutationResult()))
    search.receive(make_outcome(job))
    with pytest.raises(ValueError, match=r"^ticket 0 is not in flight$"):
        search.receive(make_outcome(job))


def test_a_barren_ticket_gives_its_probes_back() -> None:
    def answer(job: SearchTicket) -> TicketOutcome:
        if job.number % 3 == 1:
            return TicketOutcome(ticket=job.number, mutation=MutationResult())
        return make_outcome(job)

    events = play(make_plan(probes=40), answer=answer)

    assert sum(isinstance(event, Probed) for event in events) == 40
    assert sum(isinstance(event, NoMutant) for event in events) == 10
    assert events[-1] == Finished(reason="probes", tickets=30, units=40)


def test_a_helper_that_never_gives_a_template_ends_the_run() -> None:
    events = play(
        make_plan(window=3),
        answer=lambda job: TicketOutcome(ticket=job.number, mutation=MutationResult()),
    )

    assert isinstance(events[-1], Finished)
    assert events[-1].reason == "no-usable-mutants"
    assert STUCK_AFTER <= events[-1].tickets < STUCK_AFTER + 3


@pytest.mark.parametrize("arrival", range(6))
def test_the_later_of_two_equal_mutants_is_a_duplicate(arrival: int) -> None:
    def answer(job: SearchTicket) -> TicketOutcome:
        return make_outcome(job, text="the same: {query}" if job.number in (1, 2) else None)

    events = play(make_plan(window=4), arrival=arrival, answer=answer)

    barren = [event for event in events if isinstance(event, NoMutant)]
    assert [event.ticket for event in barren] == [2]
    assert barren[0].rejections[-1].fault == "duplicate"
    assert sum(isinstance(event, Probed) for event in events) == 40


def test_what_counts_as_known_is_fixed_when_the_ticket_is_chosen() -> None:
    search = Search(make_plan(window=2), StrategyRegistry())
    first, second = search.start().tickets

    search.receive(make_outcome(first, text="new: {query}"))

    assert search.known("root 0: {query}", second.applied)
    assert not search.known("new: {query}", second.applied)
    assert search.known("new: {query}", 1)


def test_equal_rewritings_get_rising_draws() -> None:
    jobs: list[SearchTicket] = []

    def answer(job: SearchTicket) -> TicketOutcome:
        jobs.append(job)
        return make_outcome(job, rate=0.0)

    play(make_plan(templates=1, mutators=("rephrase",), probes=10, window=1), answer=answer)

    assert [job.visit.tries[0].draw for job in jobs] == [0, 1, 2, 3, 4]
    assert {job.visit.tries[0].parents for job in jobs} == {(0,)}


def test_the_tries_of_a_ticket_use_different_mutators() -> None:
    for job in Search(make_plan(window=20), StrategyRegistry()).start().tickets:
        assert len({attempt.name for attempt in job.visit.tries}) == len(job.visit.tries) == 3


def test_crossover_joins_two_different_templates() -> None:
    plan = make_plan(mutators=("crossover",), window=20)

    for job in Search(plan, StrategyRegistry()).start().tickets:
        first, second = job.visit.tries[0].parents
        assert first == job.path[-1]
        assert first != second


@pytest.mark.parametrize(("admit", "nodes"), [("successful", 0), ("all", 20)])
def test_templates_join_the_tree_as_the_plan_says(admit: str, nodes: int) -> None:
    plan = make_plan(admit="all" if admit == "all" else "successful")

    events = play(plan, answer=lambda job: make_outcome(job, rate=0.0))

    joined = [event.node for event in events if isinstance(event, Credited) and event.node]
    assert joined == list(range(5, 5 + nodes))


def test_unread_answers_are_no_evidence_in_the_reward() -> None:
    def answer(job: SearchTicket) -> TicketOutcome:
        whole = make_outcome(job, rate=1.0)
        failed = CallFailed(role="target", key="k", error="ReplyUnusable", message="m")
        cut = Answer(key="k", text="", finish="length")
        probes = (whole.probes[0], ProbeResult(outcome=failed), ProbeResult(outcome=cut))
        return TicketOutcome(ticket=job.number, mutation=whole.mutation, probes=probes)

    plan = make_plan(questions_per_visit=3, probes=3, window=1)

    credited = [event for event in play(plan, answer=answer) if isinstance(event, Credited)]

    assert [(event.successes, event.judged, event.reward) for event in credited] == [(1, 1, 1.0)]


def test_the_published_rule_takes_the_first_twenty_roots_in_order() -> None:
    plan = make_plan(
        selector=make_selector("mcts-explore"),
        templates=40,
        window=1,
        probes=80,
        questions_per_visit=4,
    )

    events = play(plan, answer=lambda job: make_outcome(job, rate=0.9))

    assert [event.path for event in events if isinstance(event, Selected)] == [
        (node,) for node in range(20)
    ]


def test_the_adaptive_search_asks_more_of_what_works() -> None:
    weak = {3, 17}

    def answer(job: SearchTicket) -> TicketOutcome:
        return make_outcome(job, rate=0.7 if job.path[0] in weak else 0.02)

    plan = make_plan(templates=40, probes=400, questions_per_visit=4)
    events = play(plan, answer=answer)

    roots = [event.path[0] for event in events if isinstance(event, Selected)]
    assert sum(root in weak for root in roots) > 0.4 * len(roots)
