"""What a run says of its prompts while it goes is what the scores say of them afterwards."""

from __future__ import annotations

from collections import Counter
from statistics import fmean

from hydrometer.engine.ice.ice_events import Answer, Answers, CallFailed, Compared, Graded
from hydrometer.engine.ice.ice_fold import fold_pairs
from hydrometer.engine.records.event_log import Tally
from hydrometer.providers.types import FinishReason
from hydrometer.report.terminal.progress import GRADED, Progress
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


def test_prompts_are_counted_and_weighed_as_their_scores_count_them() -> None:
    tally = Tally(WEIGHTS)

    tally.write(EVENTS)

    readings = read_gradings(fold_pairs(EVENTS), WEIGHTS)
    values = readings.values("overall")
    assert tally.grades == {
        name: [value for (of_set, _), value in values.items() if of_set == name]
        for name in ("arena", "math")
    }
    counts = Counter(r.outcome for r in readings.prompts if r.outcome != "read")
    assert +tally.states == counts == {"unparsed": 1, "failed": 2, "truncated": 1, "refused": 1}
    assert tally.probes == 8


def test_the_grade_shown_is_the_mean_over_the_sets_begun() -> None:
    tally = Tally(WEIGHTS)
    progress = Progress("qwen", 9, tally, metric=GRADED, priced=False)

    before = progress.line()
    tally.write(EVENTS[:7])
    first = progress.line()
    tally.write(EVENTS[7:])

    arena = fmean(tally.grades["arena"])
    assert "nothing graded" in before
    assert f"overall {arena:.3f} over 1 set," in first
    assert f"overall {(arena + 3.0) / 2:.3f} over 2 sets," in progress.line()
    assert progress.line().startswith("qwen: 8/9 prompts, ")
    assert "failed 2, refused 1, truncated 1, unparsed 1" in progress.line()
