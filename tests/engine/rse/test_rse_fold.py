"""Running counts of prompts: they agree with the scores that are made afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import fmean

from hydrometer.engine.calls.answers import Answer, CallFailed
from hydrometer.engine.records.events import Finished
from hydrometer.engine.records.tally import RunProgress, Tally
from hydrometer.engine.rse.rse_events import Answers, Compared, Graded, RseStarted
from hydrometer.engine.rse.rse_fold import RseCounts, fold_pairs
from hydrometer.providers.types import FinishReason
from hydrometer.report.terminal.live.progress import RunLine
from hydrometer.scoring.prompt_values import read_gradings
from hydrometer.strategies.similarity.similarity_types import Grades, Grading, Unreadable, Weights

WEIGHTS = Weights(style=2.0, logic=1.0, content=0.0)
UNREADABLE = Unreadable(reason="no grade for style")
FAILED = CallFailed(role="judge", key="k", error="RequestRejected", message="m")


def said(finish: FinishReason = "stop", refusal: str = "") -> Answers:
    return Answers(answers=(Answer(key="k", text="yes", finish=finish, refusal=refusal),))


def grades(style: float, logic: float, content: float) -> Grades:
    return Grades(style=style, logic=logic, content=content)


def compared(
    ticket: int,
    *gradings: Grading | None,
    name: str = "arena",
    target: Answers | CallFailed | None = None,
) -> Compared:
    """One prompt with a grading of each: of the first order twice, then of the other."""
    orders = ("reference-first", "reference-first", "target-first")
    return Compared(
        ticket=ticket,
        set=name,
        prompt=ticket,
        target=target or said(),
        reference=said(),
        gradings=tuple(
            Graded(order=order, draw=draw, grading=grading)  # type: ignore[arg-type]  # literals
            for draw, (order, grading) in enumerate(zip(orders, gradings, strict=False))
        ),
    )


EVENTS = (
    compared(0, grades(5.0, 1.0, 1.0), grades(4.0, 2.0, 3.0), grades(1.0, 1.0, 5.0)),
    compared(1, grades(3.0, 3.0, 3.0), UNREADABLE, None),
    compared(2, UNREADABLE, None, UNREADABLE),
    compared(3, None, None, None),
    compared(4, target=FAILED),
    compared(5, target=said("length")),
    compared(6, target=said(refusal="no")),
    compared(7, grades(2.0, 5.0, 5.0), grades(2.0, 5.0, 5.0), grades(2.0, 5.0, 5.0), name="math"),
)


def counted(events: Sequence[Compared]) -> RseCounts:
    counts = RseCounts(WEIGHTS)
    for event in events:
        counts.add(event)
    return counts


def test_prompts_are_counted_and_weighed_as_their_scores_count_them() -> None:
    counts = counted(EVENTS)

    readings = read_gradings(fold_pairs(EVENTS), WEIGHTS)
    values = readings.values("overall")
    assert counts.grades == {
        name: [value for (of_set, _), value in values.items() if of_set == name]
        for name in ("arena", "math")
    }
    outcomes = Counter(r.outcome for r in readings.prompts if r.outcome != "read")
    assert +counts.states == outcomes
    assert outcomes == {"unparsed": 1, "failed": 2, "truncated": 1, "refused": 1}
    assert counts.units == 8


def test_the_grade_shown_is_the_mean_over_the_sets_begun() -> None:
    first, whole = counted(EVENTS[:7]), counted(EVENTS)

    arena = fmean(whole.grades["arena"])
    assert counted(()).headline() == "nothing graded"
    assert first.headline() == f"overall {arena:.3f} over 1 set"
    assert whole.headline() == f"overall {(arena + 3.0) / 2:.3f} over 2 sets"


def test_the_line_of_a_run_shows_its_prompts_its_grade_and_why_others_have_none() -> None:
    tally = Tally(RseCounts(WEIGHTS))
    line = RunLine(RunProgress(name="qwen", unit="prompts", size=9, tally=tally))
    before = line.line()

    tally.write(EVENTS[:7])
    first = line.line()
    tally.write(EVENTS[7:])

    arena = fmean(counted(EVENTS).grades["arena"])
    assert "nothing graded" in before
    assert f"overall {arena:.3f} over 1 set," in first
    assert f"overall {(arena + 3.0) / 2:.3f} over 2 sets," in line.line()
    assert line.line().startswith("qwen: 8/9 prompts, ")
    assert "failed 2, refused 1, truncated 1, unparsed 1" in line.line()


def test_other_events_count_nothing() -> None:
    counts = RseCounts(WEIGHTS)

    counts.add(RseStarted(plan="p", target="t", reference="r", judge="j", prompts=1))
    counts.add(Finished(reason="prompts", tickets=1, units=1))

    assert (counts.units, counts.states, counts.grades) == (0, Counter(), {})
