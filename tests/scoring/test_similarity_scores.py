from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from math import nan, sqrt
from typing import get_args

import msgspec
import numpy as np
import pytest

from hydrometer.scoring import means
from hydrometer.scoring.means import (
    OVER_SETS,
    Estimate,
    estimate_means,
    mean_over_sets,
    over_sets,
    resample,
)
from hydrometer.scoring.prompt_values import (
    RANGES,
    PromptValues,
    SimilarityMetric,
    read_cosines,
    read_gradings,
    read_texts,
)
from hydrometer.scoring.similarity_scores import SimilarityFlag, SimilarityScore, score_prompts
from hydrometer.scoring.student import t_quantile
from hydrometer.strategies.similarity.similarity_types import (
    ComparedRow,
    Grades,
    OrderedGrading,
    PromptState,
    Unreadable,
    Weights,
)

UNREADABLE = Unreadable(reason="two grades for style")


def grades(style: float, logic: float | None = None, content: float | None = None) -> Grades:
    return Grades(
        style=style,
        logic=style if logic is None else logic,
        content=style if content is None else content,
    )


def row(
    prompt: int,
    first: Grades | Unreadable | None,
    *second: Grades | Unreadable | None,
    name: str = "general",
) -> ComparedRow:
    """One prompt, graded with the reference first, and with the target first if *second* is."""
    return ComparedRow(
        set=name,
        prompt=prompt,
        state="compared",
        gradings=(
            OrderedGrading(order="reference-first", draw=0, grading=first),
            *(
                OrderedGrading(order="target-first", draw=d, grading=g)
                for d, g in enumerate(second)
            ),
        ),
    )


def rows(
    values: Sequence[float], *, name: str = "general", effect: float = 0.0
) -> list[ComparedRow]:
    return [
        row(prompt, grades(value), grades(value + effect), name=name)
        for prompt, value in enumerate(values)
    ]


def lost(state: PromptState, count: int, *, start: int = 1000) -> list[ComparedRow]:
    return [
        ComparedRow(set="general", prompt=start + number, state=state) for number in range(count)
    ]


def score(
    readings: PromptValues,
    *,
    seed: int = 7,
    ceiling: PromptValues | None = None,
    unrelated: Sequence[PromptValues] = (),
    sets: tuple[str, ...] = (),
    finished: bool = True,
    same_vendor: bool = False,
) -> dict[tuple[str, SimilarityMetric], SimilarityScore]:
    found = score_prompts(
        readings,
        run="runs/qwen",
        target="qwen",
        reference="gpt",
        judge="claude",
        prompt_version="rubric-1",
        seed=seed,
        ceiling=ceiling,
        unrelated=unrelated,
        sets=sets,
        finished=finished,
        same_vendor=same_vendor,
    )
    return {(each.set, each.metric): each for each in found}


MIXED = [1.0, 2.0, 3.0, 4.0] * 10


def test_a_score_says_whose_and_what_it_is() -> None:
    found = score(read_gradings(rows(MIXED)))["general", "style"]

    assert (found.run, found.target, found.reference) == ("runs/qwen", "qwen", "gpt")
    assert (found.kind, found.judge, found.prompt_version) == ("rse", "claude", "rubric-1")
    assert (found.metric, found.set, found.n, found.mean) == ("style", "general", 40, 2.5)
    assert (found.gradings, found.lost, found.flags) == (80, 0, ())
    assert found.low is not None
    assert found.high is not None
    half = 1.96 * np.std(MIXED) / sqrt(40)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.15)


def test_scores_come_by_set_and_aspect_and_then_the_mean_over_sets() -> None:
    both = [*rows(MIXED), *rows([5.0] * 25, name="math")]

    found = score(read_gradings(both), sets=("math", "general"))

    names = ("style", "logic", "content", "overall")
    assert list(found) == [(s, m) for s in ("math", "general", "mean") for m in names]
    assert found["mean", "overall"].mean == (5.0 + 2.5) / 2
    assert found["mean", "overall"].n == 65


def test_overall_is_the_weighted_mean_of_the_aspects() -> None:
    graded = [row(0, grades(5.0, 3.0, 1.0)), row(1, grades(4.0, 2.0, 3.0))]

    plain = score(read_gradings(graded))
    weighted = score(read_gradings(graded, Weights(style=2.0, logic=0.0, content=1.0)))

    assert [plain["mean", m].mean for m in ("style", "logic", "content")] == [4.5, 2.5, 2.0]
    assert plain["mean", "overall"].mean == pytest.approx(3.0)
    assert weighted["mean", "overall"].mean == pytest.approx((11 / 3 + 11 / 3) / 2)


def test_draws_are_averaged_before_orders() -> None:
    graded = row(0, grades(1.0), grades(4.0), grades(5.0), UNREADABLE)

    assert read_gradings([graded]).values("style") == {("general", 0): (1.0 + 4.5) / 2}


def test_what_was_not_read_is_counted_and_enters_no_mean() -> None:
    compared = [
        *rows([4.0] * 30),
        row(100, UNREADABLE, None),
        row(101, None, None),
        row(102, grades(2.0), UNREADABLE),
        ComparedRow(set="general", prompt=103, state="compared"),
        *lost("failed", 2),
        *lost("refused", 3, start=2000),
        *lost("truncated", 4, start=3000),
    ]

    found = score(read_gradings(compared))["general", "overall"]

    assert (found.n, found.failed, found.refused) == (31, 2 + 2, 3)
    assert (found.truncated, found.unparsed) == (4, 1)
    assert (found.gradings, found.lost) == (66, 5)
    assert found.mean == pytest.approx((30 * 4.0 + 2.0) / 31)


def test_the_order_effect_is_how_much_higher_the_target_first_is_graded() -> None:
    compared = [*rows([2.0, 3.0] * 20, effect=1.0), row(90, grades(5.0))]

    found = score(read_gradings(compared))["general", "style"]

    assert (found.order_effect, found.order_low, found.order_high) == (1.0, 1.0, 1.0)
    assert found.flags == ("order-effect",)


def test_no_order_effect_where_it_could_be_chance() -> None:
    compared = [row(n, grades(3.0), grades((2.0, 4.0)[n % 2])) for n in range(40)]

    found = score(read_gradings(compared))["general", "style"]

    assert found.order_effect == 0.0
    assert found.flags == ()


@pytest.mark.parametrize(
    ("compared", "flags"),
    [
        ([], ("nothing-compared",)),
        (rows([3.0] * 19), ("few-prompts",)),
        (rows([3.0] * 20), ()),
        ([*rows([3.0] * 95), *lost("refused", 5)], ()),
        ([*rows([3.0] * 95), *lost("refused", 6)], ("missing-data",)),
        ([row(n, grades(3.0), UNREADABLE if n < 5 else grades(3.0)) for n in range(40)],
         ("missing-data",)),
        ([row(n, grades(3.0)) for n in range(40)], ("one-order",)),
        (lost("failed", 3), ("nothing-compared", "missing-data")),
    ],
)  # fmt: skip
def test_flags(compared: list[ComparedRow], flags: tuple[SimilarityFlag, ...]) -> None:
    found = score(read_gradings(compared), sets=("general",))

    assert found["general", "overall"].flags == flags
    assert found["mean", "overall"].flags == flags


def test_what_is_known_of_the_run_is_flagged() -> None:
    found = score(read_gradings(rows(MIXED)), finished=False, same_vendor=True)

    assert found["general", "style"].flags == ("unfinished", "same-vendor")


def test_one_small_set_makes_the_mean_over_sets_uncertain() -> None:
    found = score(read_gradings([*rows(MIXED), *rows([1.0, 5.0], name="math")]))

    assert found["mean", "style"].flags == ("few-prompts",)
    assert (found["mean", "style"].low, found["mean", "style"].high) == (1.0, 5.0)


def test_there_is_no_mean_over_sets_while_one_is_empty() -> None:
    found = score(read_gradings(rows(MIXED)), sets=("general", "math"))

    assert found["general", "style"].mean == 2.5
    assert (found["math", "style"].mean, found["mean", "style"].mean) == (None, None)
    assert found["mean", "style"].flags == ("nothing-compared",)


def test_the_ceiling_stands_beside_the_score() -> None:
    ceiling = read_gradings([*rows([4.0, 5.0] * 20), *lost("failed", 3)])

    found = score(read_gradings(rows(MIXED)), ceiling=ceiling)["general", "style"]

    assert found.ceiling == 4.5
    assert found.ceiling_low is not None
    assert found.ceiling_high is not None
    assert 4.3 < found.ceiling_low < 4.5 < found.ceiling_high < 4.7


def test_the_excess_is_paired_by_prompt() -> None:
    """Hard prompts get lower values from all models; only pairing takes that out."""
    unrelated = read_gradings(rows(MIXED))
    other = read_gradings([*rows([1.0] * 20), *lost("failed", 2)])
    target = read_gradings(rows([min(5.0, value + 1.0) for value in MIXED]))

    alone = score(target, unrelated=[unrelated])["general", "style"]
    both = score(target, unrelated=[unrelated, other])["general", "style"]

    assert (alone.baseline, alone.excess, alone.paired) == (2.5, 1.0, 40)
    assert (alone.excess_low, alone.excess_high) == (1.0, 1.0)
    assert both.baseline == pytest.approx((2.5 + 1.75) / 2)
    assert both.excess == pytest.approx(3.5 - (2.5 + 1.75) / 2)


def test_only_prompts_that_both_have_are_paired() -> None:
    target = read_gradings([*rows([4.0] * 30), *lost("failed", 1, start=30)])
    unrelated = read_gradings(rows([2.0] * 20) + rows([1.0] * 30, name="math"))

    found = score(target, unrelated=[unrelated])["general", "style"]

    assert (found.paired, found.baseline, found.excess) == (20, 2.0, 2.0)


def test_scores_without_companions_have_none() -> None:
    found = score(read_gradings(rows(MIXED)))["mean", "overall"]

    assert (found.ceiling, found.baseline, found.excess, found.excess_low) == (None,) * 4
    assert found.paired == 0


def test_measures_that_ask_no_judge_are_scored_alike() -> None:
    compared = [
        ComparedRow(set="general", prompt=n, state="compared", texts=("A road.", text))
        for n, text in enumerate(["A road.", "- A road\n- a bridge"] * 10)
    ]

    found = score(read_texts([*compared, *lost("refused", 1)]), same_vendor=True)

    assert {m for _, m in found} == {"chars", "rouge-l", "length", "markdown"}
    assert (found["general", "markdown"].n, found["general", "markdown"].mean) == (20, 0.5)
    assert (found["general", "chars"].refused, found["general", "chars"].gradings) == (1, 0)
    assert found["general", "chars"].flags == ()
    assert found["general", "chars"].order_effect is None


def test_embeddings_are_scored_where_there_are_vectors() -> None:
    compared = rows([3.0] * 3)
    found = score(read_cosines(compared, {("general", 0): 1.0, ("general", 2): 0.0}))[
        "general", "embedding"
    ]

    assert (found.n, found.failed, found.mean) == (2, 1, 0.5)
    assert found.flags == ("few-prompts", "missing-data")


def test_arrival_order_changes_nothing() -> None:
    compared = [*rows(MIXED, effect=1.0), *rows(MIXED, name="math"), *lost("failed", 2)]

    found = score_prompts(
        read_gradings(reversed(compared)),
        run="r", target="t", reference="r", prompt_version="1", seed=-3,
    )  # fmt: skip

    assert found == score_prompts(
        read_gradings(compared),
        run="r", target="t", reference="r", prompt_version="1", seed=-3,
    )  # fmt: skip


def test_another_seed_resamples_otherwise() -> None:
    values = np.random.default_rng(1).integers(1, 6, 60).astype(float).tolist()

    first, second = (score(read_gradings(rows(values)), seed=s)["mean", "style"] for s in (1, 2))

    assert first.mean == second.mean
    assert (first.low, first.high) != (second.low, second.high)


@pytest.mark.parametrize(
    ("compared", "message"),
    [
        ([*rows([3.0]), *rows([4.0])], "prompt 0 of general has 2 rows"),
        (
            [msgspec.structs.replace(rows([3.0])[0], state="refused")],
            "prompt 0 of general is refused and has gradings",
        ),
    ],
)
def test_rows_that_contradict_themselves_are_refused(
    compared: list[ComparedRow], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        read_gradings(compared)


def test_a_set_that_nobody_expects_is_refused() -> None:
    with pytest.raises(ValueError, match="prompt 0 is of general, which is not expected"):
        score(read_gradings(rows([3.0])), sets=("math",))


def test_companions_must_have_been_read_in_the_same_way() -> None:
    with pytest.raises(ValueError, match="ceiling and unrelated must have the metrics"):
        score(read_gradings(rows([3.0])), ceiling=read_texts([]))


def test_every_metric_has_a_range() -> None:
    members = {name for part in get_args(SimilarityMetric) for name in (get_args(part) or (part,))}

    assert set(RANGES) == members


def table(*blocks: Sequence[float]) -> dict[str, means.FloatArray]:
    return {f"s{n}": np.array(block, dtype=float)[:, None] for n, block in enumerate(blocks)}


def test_an_estimate_of_many_prompts_is_the_bootstrap() -> None:
    values = np.random.default_rng(5).normal(3, 1, 200)

    (found,) = estimate_means(table(values.tolist()), seed=1)["s0"]

    reach = 1.96 * values.std() / sqrt(200)
    assert found.n == 200
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - reach, abs=0.02)
    assert found.high == pytest.approx(values.mean() + reach, abs=0.02)


def test_with_few_prompts_the_interval_holds_students() -> None:
    (found,) = estimate_means(table([1.0, 2.0, 3.0]), seed=1)["s0"]

    reach = t_quantile(0.975, 2) / sqrt(3)
    assert (found.n, found.mean) == (3, 2.0)
    assert (found.low, found.high) == pytest.approx((2 - reach, 2 + reach))


def test_with_few_prompts_in_a_set_the_mean_over_sets_is_as_careful() -> None:
    (found,) = estimate_means(table([1.0, 2.0, 3.0], [4.0] * 30), seed=1)[OVER_SETS]

    reach = t_quantile(0.975, 2) * sqrt(1 / 3) / 2
    assert (found.n, found.mean) == (33, 3.0)
    assert (found.low, found.high) == pytest.approx((3 - reach, 3 + reach))


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], Estimate(n=0)), ([nan, nan], Estimate(n=0)), ([nan, 4.0], Estimate(n=1, mean=4.0))],
)
def test_below_two_prompts_there_is_no_interval(values: list[float], expected: Estimate) -> None:
    assert estimate_means(table(values), seed=1)["s0"] == (expected,)


def test_missing_values_are_left_out_draw_by_draw() -> None:
    resampled = resample(table([2.0, nan, nan, nan]), seed=1, draws=500)["s0"]

    assert set(np.unique(resampled[~np.isnan(resampled)])) == {2.0}
    assert 0.2 < np.isnan(resampled).mean() < 0.45  # (3/4)^4 = .32 of the draws


def test_columns_see_the_same_prompts() -> None:
    values = np.random.default_rng(2).normal(3, 1, 50)

    resampled = resample({"s": np.stack([values, values + 1], axis=1)}, seed=4)["s"]

    assert resampled[:, 1] - resampled[:, 0] == pytest.approx(1.0)


def test_a_set_is_resampled_alike_whatever_else_there_is() -> None:
    alone = resample(table(MIXED), seed=3)["s0"]
    beside = resample(table(MIXED, [1.0, 2.0]), seed=3)

    assert np.array_equal(alone, beside["s0"])
    assert np.array_equal(over_sets(beside), (beside["s0"] + beside["s1"]) / 2)


def test_chunks_change_no_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = resample(table(MIXED), seed=3, draws=300)["s0"]
    monkeypatch.setattr(means, "_CHUNK", 7 * len(MIXED))

    assert np.array_equal(resample(table(MIXED), seed=3, draws=300)["s0"], whole)


def test_sets_weigh_the_same_in_the_mean_over_them() -> None:
    assert mean_over_sets(table([1.0] * 50, [3.0] * 2)) == (2.0,)
    assert mean_over_sets(table([1.0], [nan])) == (None,)


def test_no_set_may_take_the_name_of_their_mean() -> None:
    with pytest.raises(ValueError, match="a prompt set cannot be called mean"):
        estimate_means({OVER_SETS: np.zeros((3, 1))}, seed=1)


def test_memory_is_bounded_however_many_prompts() -> None:
    values = np.ones((20_000, 4))
    tracemalloc.start()

    resample({"s": values}, seed=1, draws=200)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 << 20
