"""Static and refine searches, through the search that asks them and in any order of arrival."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec
import pytest
from builders import (
    QUESTIONS,
    make_outcome,
    make_plan,
    make_probe,
    make_refining,
    make_selector,
    play_search,
)

from hydrometer.engine.calls.answers import Answer, CallFailed, Judgement
from hydrometer.engine.errors import FileInvalid
from hydrometer.engine.ice.ice_events import (
    Credited,
    IceEvent,
    IceStarted,
    Mutated,
    NoMutant,
    Probed,
    Selected,
    Taken,
)
from hydrometer.engine.ice.ice_plan import IcePlan, Imported, StaticSearch
from hydrometer.engine.ice.mutating import MutationResult
from hydrometer.engine.ice.policies import TRIES, build_policy
from hydrometer.engine.ice.search import STUCK_AFTER, SearchTicket, TicketOutcome
from hydrometer.engine.identity.probing import ProbeResult
from hydrometer.engine.records.events import Event, Finished, encode_event
from hydrometer.engine.setup.plan import PlannedStrategy
from hydrometer.engine.setup.registry import StrategyRegistry
from hydrometer.strategies.mutation.refine import Evidence, Refine
from hydrometer.strategies.types import Question, Unparsed

MANY = tuple(
    Question(id=f"{language}-{number}", text=f"Question {number} in {language}?", language=language)
    for language in ("en", "zh")
    for number in range(7)
)


def make_static(
    *,
    probes: int = 1000,
    window: int = 4,
    visit: int = 3,
    templates: int = 5,
    seed: int = 7,
    questions: tuple[Question, ...] = MANY,
) -> IcePlan:
    return make_plan(
        seed=seed,
        probes=probes,
        window=window,
        questions_per_visit=visit,
        templates=templates,
        questions=questions,
        search=StaticSearch(),
    )


def make_refine(
    *,
    probes: int = 60,
    window: int = 4,
    visit: int = 2,
    templates: int = 5,
    selector: PlannedStrategy | None = None,
    admit_all: bool = False,
) -> IcePlan:
    return make_plan(
        probes=probes,
        window=window,
        questions_per_visit=visit,
        templates=templates,
        search=make_refining(selector, admit="all" if admit_all else "successful"),
    )


def asked(events: list[Event]) -> list[tuple[int, int]]:
    return [(event.template, event.question) for event in events if isinstance(event, Probed)]


def watched(
    jobs: list[SearchTicket], answer: Callable[[SearchTicket], TicketOutcome] = make_outcome
) -> Callable[[SearchTicket], TicketOutcome]:
    """Return *answer*, noting in *jobs* what it was asked."""

    def note(job: SearchTicket) -> TicketOutcome:
        jobs.append(job)
        return answer(job)

    return note


def jobs_by_ticket(
    plan: IcePlan, answer: Callable[[SearchTicket], TicketOutcome] = make_outcome
) -> list[SearchTicket]:
    jobs: list[SearchTicket] = []
    play_search(plan, watched(jobs, answer))
    return sorted(jobs, key=lambda job: job.number)


# Static


@pytest.mark.parametrize("window", [1, 3, 8])
@pytest.mark.parametrize("probes", [40, 1000])
def test_arrival_order_does_not_change_a_static_run(window: int, probes: int) -> None:
    plan = make_static(window=window, probes=probes)

    runs = [play_search(plan, arrival=arrival) for arrival in range(12)]

    assert all(run == runs[0] for run in runs)


def test_a_static_run_does_not_depend_on_its_window_nor_on_answers() -> None:
    one = play_search(make_static(window=1))
    other = play_search(make_static(window=9), lambda job: make_outcome(job, rate=1.0), arrival=5)

    def shape(events: list[Event]) -> list[Event]:
        return [event for event in events if isinstance(event, (Selected, Taken, Finished))]

    assert shape(one) == shape(other)


@pytest.mark.parametrize("visit", [1, 3, 5, 14, 50])
@pytest.mark.parametrize("window", [1, 7])
def test_every_question_is_asked_once_in_every_template(visit: int, window: int) -> None:
    events = play_search(make_static(visit=visit, window=window), arrival=2)

    count = Counter(asked(events))
    assert len(count) == 5 * 14
    assert set(count.values()) == {1}
    assert events[-1] == Finished(reason="all-asked", tickets=5 * -(-14 // visit), units=70)


@pytest.mark.parametrize("probes", [1, 2, 17, 69])
def test_a_budget_below_that_is_met_exactly_and_nothing_is_asked_twice(probes: int) -> None:
    events = play_search(make_static(probes=probes, visit=4))

    count = Counter(asked(events))
    assert sum(count.values()) == len(count) == probes
    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.reason, last.units) == ("probes", probes)


def test_a_budget_that_is_all_there_is_to_ask_is_a_budget_met() -> None:
    last = play_search(make_static(probes=70))[-1]

    assert isinstance(last, Finished)
    assert (last.reason, last.units) == ("probes", 70)


def test_templates_come_in_turn_a_few_questions_each() -> None:
    events = play_search(make_static(visit=3, window=4))

    paths = [event.path for event in events if isinstance(event, Selected)]
    sizes = [len(event.questions) for event in events if isinstance(event, Selected)]
    assert paths == [(node,) for node in range(5)] * 5
    assert sizes == [3] * 20 + [2] * 5


def test_each_stretch_is_spread_over_the_kinds_of_questions() -> None:
    for job in jobs_by_ticket(make_static(visit=4))[:5]:
        assert Counter(MANY[index].language for index in job.visit.questions) == {"en": 2, "zh": 2}


def test_templates_meet_the_questions_in_orders_of_their_own_drawn_from_the_seed() -> None:
    firsts = [job.visit.questions for job in jobs_by_ticket(make_static(visit=4))[:5]]
    again = [job.visit.questions for job in jobs_by_ticket(make_static(visit=4, window=1))[:5]]
    others = [job.visit.questions for job in jobs_by_ticket(make_static(visit=4, seed=8))[:5]]

    assert len(set(firsts)) > 1
    assert firsts == again
    assert firsts != others


def test_a_seed_template_keeps_its_number_at_every_visit() -> None:
    events = play_search(make_static(), arrival=3)

    taken = [(event.template, event.node) for event in events if isinstance(event, Taken)]
    assert set(taken) == {(node, node) for node in range(5)}
    assert len(taken) == 25


def test_a_static_ticket_is_selected_taken_probed_and_credited() -> None:
    events = play_search(make_static(visit=2, probes=4, window=2))

    shape = [type(event) for event in events]
    ticket = [Selected, Taken, Probed, Probed, Credited]
    assert shape == [IceStarted, *ticket, *ticket, Finished]
    assert [event.node for event in events if isinstance(event, Credited)] == [None, None]


def test_a_static_run_records_shares_and_unread_answers_are_no_share() -> None:
    def answer(job: SearchTicket) -> TicketOutcome:
        if job.number == 0:
            probes = (make_probe(positive=True), make_probe(positive=False))
        else:
            probes = (make_unread(), make_failed())
        return TicketOutcome(
            ticket=job.number, mutation=MutationResult(text=job.visit.seed_text), probes=probes
        )

    events = play_search(make_static(visit=2, probes=4, window=1), answer)

    credited = [event for event in events if isinstance(event, Credited)]
    assert [(e.successes, e.judged, e.reward) for e in credited] == [(1, 2, 0.5), (0, 0, 0.0)]


def test_a_window_wider_than_all_there_is_to_ask_ends_all_the_same() -> None:
    plan = make_static(templates=1, visit=4, window=100, questions=QUESTIONS)

    events = play_search(plan)

    assert events[-1] == Finished(reason="all-asked", tickets=1, units=4)


def make_unread() -> ProbeResult:
    return ProbeResult(
        outcome=Answer(key="k", text="?", finish="stop"),
        judgement=Judgement(opinions=(Unparsed(metric="strict"),)),
    )


def make_failed() -> ProbeResult:
    failure = CallFailed(role="target", key="k", error="RequestRejected", message="m")
    return ProbeResult(outcome=failure)


# Refine

SELECTORS = [make_selector(name) for name in ("ucb", "exp3", "mcts-explore", "random")]


@pytest.mark.parametrize("window", [1, 3, 8])
@pytest.mark.parametrize("selector", SELECTORS, ids=lambda component: component.name)
def test_arrival_order_does_not_change_a_refining_run(
    window: int, selector: PlannedStrategy
) -> None:
    plan = make_refine(window=window, selector=selector)

    runs = [play_search(plan, arrival=arrival) for arrival in range(10)]

    assert all(run == runs[0] for run in runs)
    assert sum(isinstance(event, Mutated) for event in runs[0]) > 5


def test_the_first_visit_of_a_seed_template_asks_it_as_it_is_and_only_the_first() -> None:
    plan = make_refine(selector=make_selector("round-robin"), window=1)

    jobs = jobs_by_ticket(plan, lambda job: make_outcome(job, rate=0.0))

    assert [job.visit.seed_text for job in jobs[:5]] == [t.text for t in plan.templates]
    assert all(job.visit.tries == () for job in jobs[:5])
    assert all(job.visit.seed_text == "" and len(job.visit.tries) == TRIES for job in jobs[5:])


def test_a_template_that_is_still_being_asked_is_rewritten_without_evidence() -> None:
    plan = make_refine(templates=1, window=4)

    jobs = jobs_by_ticket(plan)

    assert jobs[0].visit.seed_text
    for job in jobs[1:4]:
        assert [attempt.mutator for attempt in job.visit.tries] == [Refine()] * TRIES


def test_the_evidence_is_the_first_claim_and_the_first_answer_without_one() -> None:
    plan = make_refine(templates=1, window=1, visit=4)
    said = ["no", "yes", "also yes", "also no"]

    def answer(job: SearchTicket) -> TicketOutcome:
        probes = tuple(
            msgspec.structs.replace(
                make_probe(positive="yes" in text),
                outcome=Answer(key=text, text=text, finish="stop"),
            )
            for text in said
        )
        return msgspec.structs.replace(make_outcome(job), probes=probes)

    first, second = jobs_by_ticket(plan, answer)[:2]

    texts = [QUESTIONS[index].text for index in first.visit.questions]
    assert second.visit.tries[0].mutator == Refine(
        evidence=(
            Evidence(question=texts[1], response="yes", verdict="claims to be of openai"),
            Evidence(
                question=texts[0], response="no", verdict="claims nothing that is not its own"
            ),
        )
    )


def test_answers_that_nobody_could_read_are_no_evidence() -> None:
    plan = make_refine(templates=1, window=1)

    def answer(job: SearchTicket) -> TicketOutcome:
        return msgspec.structs.replace(make_outcome(job), probes=(make_unread(), make_failed()))

    second = jobs_by_ticket(plan, answer)[1]

    assert second.visit.tries[0].mutator == Refine()


def test_a_mutant_that_joined_is_rewritten_on_what_it_drew_itself() -> None:
    plan = make_refine(templates=1, window=1, probes=12, selector=make_selector("round-robin"))

    jobs = jobs_by_ticket(plan, lambda job: make_outcome(job, rate=1.0))

    assert [job.path for job in jobs[:3]] == [(0,), (0,), (1,)]
    third = jobs[2].visit.tries[0]
    assert third.texts == ("mutant 1: {query}",)
    assert isinstance(third.mutator, Refine)
    questions = [QUESTIONS[index].text for index in jobs[1].visit.questions]
    assert [seen.question for seen in third.mutator.evidence] == questions[:1]


def test_a_mutant_that_did_not_join_leaves_the_evidence_of_its_parent() -> None:
    plan = make_refine(templates=1, window=1)

    def answer(job: SearchTicket) -> TicketOutcome:
        return make_outcome(job, rate=1.0 if job.number == 0 else 0.0)

    jobs = jobs_by_ticket(plan, answer)

    assert {job.path for job in jobs} == {(0,)}
    assert len({job.visit.tries[0].mutator for job in jobs[1:]}) == 1
    assert jobs[1].visit.tries[0].mutator != Refine()


@pytest.mark.parametrize(("admit_all", "nodes"), [(False, []), (True, list(range(5, 30)))])
def test_rewritten_templates_join_as_the_plan_says_and_seeds_never_again(
    admit_all: bool, nodes: list[int]
) -> None:
    plan = make_refine(admit_all=admit_all, selector=make_selector("round-robin"))

    events = play_search(plan, lambda job: make_outcome(job, rate=0.0))

    joined = [e.node for e in events if isinstance(e, Credited) and e.node is not None]
    assert joined == nodes


@pytest.mark.parametrize("arrival", range(4))
def test_templates_are_numbered_as_they_are_applied_seeds_and_mutants_alike(arrival: int) -> None:
    events = play_search(make_refine(), arrival=arrival)

    opened = [event.template for event in events if isinstance(event, (Taken, Mutated))]
    assert opened == list(range(len(opened)))
    by_ticket = {e.ticket: e.template for e in events if isinstance(e, (Taken, Mutated))}
    assert all(e.template == by_ticket[e.ticket] for e in events if isinstance(e, Probed))


def test_a_rewriting_names_its_parent_node() -> None:
    events = play_search(make_refine())

    paths = {event.ticket: event.path for event in events if isinstance(event, Selected)}
    mutated = [event for event in events if isinstance(event, Mutated)]
    assert mutated
    assert all(event.parents == (paths[event.ticket][-1],) for event in mutated)
    assert {event.mutator for event in mutated} == {"refine"}


@pytest.mark.parametrize("arrival", range(4))
def test_a_rewriting_that_is_a_seed_template_not_yet_asked_is_a_duplicate(arrival: int) -> None:
    """Or its text would be two templates, one as it is and one as a mutant."""
    plan = make_refine(templates=8, window=3, selector=make_selector("ucb", explore=0.01))
    unasked = plan.templates[7].text

    def answer(job: SearchTicket) -> TicketOutcome:
        mutant = not job.visit.seed_text and job.number % 2
        return make_outcome(job, rate=0.9, text=unasked if mutant else None)

    events = play_search(plan, answer, arrival=arrival)

    barren = [event for event in events if isinstance(event, NoMutant)]
    assert barren
    assert {event.rejections[-1].fault for event in barren} == {"duplicate"}
    assert unasked not in {event.text for event in events if isinstance(event, Mutated)}


def test_barren_tickets_give_their_probes_back_and_too_many_in_a_row_end_the_run() -> None:
    def answer(job: SearchTicket) -> TicketOutcome:
        if job.visit.seed_text or job.number % 3:
            return make_outcome(job)
        return TicketOutcome(ticket=job.number)

    some = play_search(make_refine(), answer)
    none = play_search(
        make_refine(window=1),
        lambda job: make_outcome(job) if job.visit.seed_text else TicketOutcome(ticket=job.number),
    )

    assert sum(isinstance(event, Probed) for event in some) == 60
    assert some[-1] == Finished(reason="probes", tickets=30 + count_barren(some), units=60)
    last = none[-1]
    assert isinstance(last, Finished)
    assert last.reason == "no-usable-mutants"
    assert count_barren(none) == STUCK_AFTER + sum(
        isinstance(event, NoMutant) for event in none[: last_taken(none)]
    )


def count_barren(events: list[Event]) -> int:
    return sum(isinstance(event, NoMutant) for event in events)


def last_taken(events: list[Event]) -> int:
    return max(index for index, event in enumerate(events) if isinstance(event, Taken))


@pytest.mark.parametrize("refining", [True, False])
def test_no_ticket_asks_the_helper_what_another_asked_already(refining: bool) -> None:
    """An equal request has an equal, cached answer: a duplicate that costs a ticket."""
    plan = make_refine(probes=200, templates=2) if refining else make_plan(probes=200, templates=2)

    jobs = jobs_by_ticket(plan, lambda job: make_outcome(job, rate=0.1))

    requests = [
        (attempt.mutator.build_prompt(attempt.texts), attempt.draw)
        for job in jobs
        for attempt in job.visit.tries
    ]
    assert len(requests) > 200
    assert len(set(requests)) == len(requests)


def test_exp3s_reward_is_recorded_over_the_probability_of_its_choice() -> None:
    plan = make_refine(selector=make_selector("exp3", mix=1.0), templates=4, window=1)

    events = play_search(plan, lambda job: make_outcome(job, rate=1.0))

    credited = [event for event in events if isinstance(event, Credited)]
    sizes, size = [], 4
    for event in credited:
        sizes.append(size)
        size += event.node is not None
    assert [event.reward for event in credited] == pytest.approx(sizes)


# Both


@pytest.mark.parametrize("plan", [make_static(), make_refine()], ids=["static", "refine"])
def test_every_event_survives_its_line(plan: IcePlan) -> None:
    events = play_search(plan)

    assert [msgspec.json.decode(encode_event(event), type=IceEvent) for event in events] == events


def test_an_imported_run_has_no_search() -> None:
    with pytest.raises(ValueError, match=r"^an imported run has no search$"):
        build_policy(make_plan(search=Imported(source="s")), StrategyRegistry())


def test_a_plan_with_another_way_of_rewriting_is_refused() -> None:
    search = msgspec.structs.replace(make_refining(), rewriting_version="refine-0")

    with pytest.raises(FileInvalid, match=r"^the plan's rewriting is of version refine-0, here it"):
        build_policy(make_plan(search=search), StrategyRegistry())
