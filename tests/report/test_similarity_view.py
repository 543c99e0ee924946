from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from rich.console import Console, RenderableType
from sample_scores import ONE

from hydrometer.report.tables.formats import to_csv, to_json, to_markdown
from hydrometer.report.terminal.scores.similarity_view import similarity_view
from hydrometer.scoring.identity_scores import IdentityScore
from hydrometer.scoring.prompt_values import JUDGED, SimilarityMetric
from hydrometer.scoring.similarity_scores import SimilarityFlag, SimilarityScore
from hydrometer.scoring.text_metrics import TEXT_METRICS
from hydrometer.strategies.similarity.similarity_types import Weights

CONTRACT = (
    *("run", "target", "kind", "judge", "metric", "set", "n", "failed", "refused", "truncated"),
    *("unparsed", "mean", "low", "high", "flags"),
)
EMPTY = msgspec.structs.replace(
    ONE, n=0, mean=None, low=None, high=None, order_effect=None, ceiling=None, failed=40
)


COUNTS = ("n", "failed", "refused", "truncated", "unparsed", "gradings", "lost")


def make_run(
    like: SimilarityScore = ONE,
    *,
    sets: tuple[str, ...] = ("arena", "math"),
    target: str = "qwen",
    reference: str = "gpt",
    judge: str = "claude",
    flags: tuple[SimilarityFlag, ...] = (),
) -> list[SimilarityScore]:
    """Return the scores of a run, in the order in which they are made: each set's is *like*."""

    def scores(metrics: Sequence[SimilarityMetric], judge: str) -> list[SimilarityScore]:
        return [
            msgspec.structs.replace(
                like,
                run=target, target=target, reference=reference, judge=judge, metric=metric,
                set=name, flags=flags,
                **({count: getattr(like, count) * len(sets) for count in COUNTS}
                   if name == "mean" else {}),
            )
            for name in (*sets, "mean")
            for metric in metrics
        ]  # fmt: skip

    return scores(JUDGED, judge) + scores(TEXT_METRICS, "")


def shown(view: RenderableType, width: int = 100) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(view)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def cells(view: RenderableType, width: int = 100) -> list[list[str]]:
    return [line.split() for line in shown(view, width)]


def rows_of(name: str, view: RenderableType) -> list[list[str]]:
    return [row[1:] for row in cells(view) if row[:1] == [name]]


def test_rows_are_targets_and_columns_are_sets_and_their_mean() -> None:
    lines = cells(similarity_view(make_run()))

    assert lines[0] == ["Response", "similarity", "to", "gpt"]
    assert lines[1] == ["judge", "claude,", "version", "similarity-1,", "prompts", "3fa9"]
    assert lines[3:8] == [
        ["overall", "arena", "math", "mean", "order", "n", "lost"],
        ["qwen", "3.500", "3.500", "3.500", "+0.12", "80", "none"],
        [*["3.250–3.750"] * 3, "+0.12", "+0.12", "40", "40"],
        ["(own", "2nd", "draw)", "4.500", "4.500", "4.500"],
        ["4.400–4.600"] * 3,
    ]
    assert ["mean", "over", "sets", "style", "logic", "content"] in lines
    assert ["without", "a", "judge", *TEXT_METRICS, "n", "lost"] in lines


LONG_SETS = (
    *("arena-hard-v2.0", "numinamath-1.5", "sharegpt-90k"),
    *("wildbench-v2-2024", "livebench-reasoning", "mt-bench-101-zh"),
)
LONG_NAMES = (
    *("Llama-3.1-70B-Instruct", "Doubao-Pro-32k", "Claude-3.5-Sonnet", "DeepSeek-V3"),
    *("Qwen2.5-72B-Instruct", "Qwen2.5-7B-Instruct"),
)


@pytest.mark.parametrize("width", [40, 80, 100, 120])
@pytest.mark.parametrize("sets", [1, 3, 6])
@pytest.mark.parametrize("targets", [1, 6])
def test_no_number_is_cut_and_every_name_stands_beside_its_numbers(
    width: int, sets: int, targets: int
) -> None:
    lost = msgspec.structs.replace(
        ONE, n=833, failed=10, refused=3, truncated=5, unparsed=20, gradings=1700, lost=44
    )
    made = (make_run(lost, sets=LONG_SETS[:sets], target=name) for name in LONG_NAMES[:targets])

    lines = shown(similarity_view([score for run in made for score in run]), width)

    text = "\n".join(lines)
    assert all(len(line) <= width for line in lines)
    assert "…" not in text
    assert text.count("3.500") == targets * (sets + 1 + 3 + 4)
    assert text.count("3.250–3.750") == text.count("3.500")
    words = text.split()
    assert words.count("/".join(str(count * sets) for count in (10, 3, 5, 20))) == targets * 2
    assert words.count(f"{1656 * sets}/{1700 * sets}") == targets
    if width > 40:
        valued = [line for line in lines if " 3.500" in line]
        assert all(line.startswith(LONG_NAMES[:targets]) for line in valued)


def test_three_sets_of_long_names_and_their_mean_stand_together_at_80_columns() -> None:
    runs = [score for name in LONG_NAMES for score in make_run(sets=LONG_SETS[:3], target=name)]

    headings = cells(similarity_view(runs), 80)

    assert ["overall", *LONG_SETS[:3], "mean"] in headings


def test_nothing_compared_is_a_dash_and_never_a_zero() -> None:
    empty = make_run(EMPTY)

    overall, aspects, measures = rows_of("qwen", similarity_view(empty))

    assert overall == ["–", "–", "–", "0", "80/0/0/0"]
    assert aspects == ["–"] * 3
    assert measures == [*["–"] * 4, "0", "80/0/0/0"]


def test_what_no_table_has_no_note_explains() -> None:
    bare = msgspec.structs.replace(EMPTY, failed=0)

    words = {line.split("  ")[0] for line in shown(similarity_view(make_run(bare)))}

    assert not words & {"(own 2nd draw)", "own 2nd draw", "order", "lost", "gradings", "embedding"}


def make_begun() -> list[SimilarityScore]:
    """A run that was stopped before its second set."""
    begun = make_run()
    for number, score in enumerate(begun):
        if score.set == "math":
            begun[number] = msgspec.structs.replace(
                EMPTY, metric=score.metric, set=score.set, judge=score.judge, failed=0,
                flags=("nothing-compared",),
            )  # fmt: skip
        if score.set == "mean":
            begun[number] = msgspec.structs.replace(
                score, n=40, mean=None, low=None, high=None, order_effect=None,
                flags=("nothing-compared",),
            )  # fmt: skip
    return begun


def test_a_set_that_was_not_begun_takes_no_interval_or_order_effect_of_another_away() -> None:
    lines = cells(similarity_view(make_begun()))

    assert lines[4:6] == [
        ["qwen", "3.500", "–", "–", "–", "40", "none"],
        ["3.250–3.750", "+0.12", "–", "40", "0"],
    ]


def test_nothing_compared_names_the_set_that_has_nothing() -> None:
    (line,) = [s for s in shown(similarity_view(make_begun())) if s.startswith("nothing-compared")]

    assert "qwen (math): No prompt of a set has a value, so there is no mean" in line


def test_missing_data_stands_beside_the_gradings_that_it_counts() -> None:
    run = make_run(msgspec.structs.replace(ONE, gradings=160, lost=12), flags=("missing-data",))

    lines = cells(similarity_view(run))

    assert lines[3][-3:] == ["n", "lost", "gradings"]
    assert lines[4][-2:] == ["none", "296/320"]
    words = " ".join(word for line in lines for word in line)
    assert "missing-data qwen: More than 5% of the prompts, or of the gradings, are lost" in words


def test_a_flag_of_one_aspect_or_measure_says_which() -> None:
    run = [
        msgspec.structs.replace(score, flags=("order-effect",))
        if score.metric == "style"
        else score
        for score in make_run()
    ]

    lines = shown(similarity_view(run))

    assert any(line.startswith("order-effect     qwen (style): The judge") for line in lines)


def test_weights_stand_in_the_title_where_they_are_not_equal() -> None:
    weighed = msgspec.structs.replace(ONE, weights=Weights(style=2.0, content=0.5))

    lines = shown(similarity_view(make_run(weighed)))

    assert "  overall weighs style/logic/content 2/1/0.5" in lines
    assert not any("weighs" in line for line in shown(similarity_view(make_run())))


@pytest.mark.parametrize("other", [{"weights": Weights(style=2.0)}, {"prompts_digest": "77aa"}])
def test_runs_that_do_not_compare_are_not_under_one_title(other: dict[str, Any]) -> None:
    unlike = msgspec.structs.replace(ONE, **other, ceiling=4.0)

    view = similarity_view(make_run() + make_run(unlike, target="b"))

    lines = cells(view)
    assert lines.count(["Response", "similarity", "to", "gpt"]) == 2
    own = [row[2:] for row in rows_of("(own", view)]
    assert own[0] == ["4.500"] * 3
    assert ["4.000"] * 3 in own


def test_measures_are_explained_with_their_versions_and_ranges() -> None:
    chars, cosine = (
        msgspec.structs.replace(
            ONE, judge="", metric=metric, set="mean", prompt_version=version, n=n, weights=None
        )
        for metric, version, n in (("chars", "likeness-1", 40), ("embedding", "nomic", 38))
    )

    view = similarity_view([chars, cosine])

    lines = shown(view)
    assert rows_of("qwen", view) == [["3.500", "3.500", "38–40", "none"]]
    text = " ".join(" ".join(lines).split())
    assert "without a judge What two answers share, from 0 to 1, by a formula." in text
    assert "No judge is asked. Version: likeness-1." in text
    assert "embedding The cosine of both answers' embedding vectors, from -1 to 1." in text
    assert "Version: nomic." in text


def test_runs_are_put_together_by_reference_and_judge_in_the_order_they_came() -> None:
    runs = [
        *make_run(target="a", reference="x"),
        *make_run(target="b", reference="y"),
        *make_run(target="c", reference="x"),
        *make_run(target="d", reference="x", judge="other"),
        *make_run(target="e", reference="x"),
    ]

    lines = shown(similarity_view(runs))

    titles = [line.split()[-1] for line in lines if line.startswith("Response")]
    assert titles == ["x", "x", "y"]
    named = [line[:2] for line in lines[: lines.index("Response similarity to y")]]
    assert [name[0] for name in named if name.strip() in set("abcde")] == list("aceaceddacde")


def test_two_runs_of_one_name_are_two_rows() -> None:
    """As of "score old/qwen new/qwen": a run is called as its folder."""
    other = msgspec.structs.replace(ONE, mean=2.0, low=1.5, high=2.5, n=7)

    overall = rows_of("qwen", similarity_view(make_run() + make_run(other)))[:2]

    assert overall == [
        ["3.500", "3.500", "3.500", "+0.12", "80", "none"],
        ["2.000", "2.000", "2.000", "+0.12", "14", "none"],
    ]


def test_a_run_without_a_second_draw_takes_nobody_s_away() -> None:
    without = msgspec.structs.replace(ONE, ceiling=None)

    view = similarity_view(make_run(target="a") + make_run(without, target="b"))

    assert rows_of("(own", view)[0] == ["2nd", "draw)", "4.500", "4.500", "4.500"]


def test_a_metric_that_one_run_lacks_is_a_dash_in_its_column() -> None:
    more = [msgspec.structs.replace(ONE, judge="", metric="embedding", set="mean", mean=0.75)]

    view = similarity_view(make_run() + more + make_run(target="b"))

    assert rows_of("qwen", view)[-1][:5] == ["3.500"] * 4 + ["0.750"]
    assert rows_of("b", view)[-1][:5] == ["3.500"] * 4 + ["–"]


@pytest.mark.parametrize("name", ["[/b]", "[red]x[/red]", "a|b"])
def test_a_set_s_name_is_shown_as_it_is(name: str) -> None:
    assert any(name in line for line in shown(similarity_view(make_run(sets=(name,)))))


def test_every_flag_is_explained_once_with_the_targets_that_have_it() -> None:
    flagged: tuple[SimilarityFlag, ...] = ("few-prompts", "one-order", "same-vendor")
    runs = make_run(target="a", flags=flagged) + make_run(target="b", flags=flagged[:1])

    lines = shown(similarity_view(runs))

    (few,) = [line for line in lines if line.startswith("few-prompts")]
    assert "a, b: A set has fewer than 20 prompts" in few
    assert not any(line.startswith("order-effect") for line in lines)


def test_no_scores_are_no_crash() -> None:
    assert shown(similarity_view([]))


def test_json_has_the_contract_s_keys_at_full_precision() -> None:
    (found,) = json.loads(
        to_json([msgspec.structs.replace(ONE, mean=10 / 3, flags=("one-order",))])
    )

    assert set(CONTRACT) <= found.keys()
    assert (found["kind"], found["mean"], found["flags"]) == ("rse", 10 / 3, ["one-order"])
    assert found["baseline"] is None
    assert found["weights"] == {"style": 1.0, "logic": 1.0, "content": 1.0}


def test_csv_has_the_columns_of_the_json_and_empty_cells_for_what_is_absent() -> None:
    (found,) = csv.DictReader(io.StringIO(to_csv([EMPTY])))

    assert list(found) == list(json.loads(to_json([EMPTY]))[0])
    assert (found["mean"], found["low"], found["n"], found["flags"]) == ("", "", "0", "")
    assert (found["weights"], found["prompts_digest"]) == ("1/1/1", "3fa9")


def test_csv_of_both_kinds_leaves_the_other_s_columns_empty() -> None:
    identity = msgspec.convert(
        dict.fromkeys(IdentityScore.__struct_fields__, 0)
        | dict.fromkeys(("run", "target", "judge", "prompt_version"), "x")
        | {"kind": "ice", "metric": "loose", "flags": []},
        IdentityScore,
    )

    rows = list(csv.DictReader(io.StringIO(to_csv([identity, ONE]))))

    assert [row["kind"] for row in rows] == ["ice", "rse"]
    assert (rows[0]["mean"], rows[1]["positives"]) == ("", "")
    assert len(to_markdown([identity, ONE]).split("\n\n")) == 2  # a table of each kind


def test_markdown_is_one_pipe_table_with_numbers_to_the_right() -> None:
    text = to_markdown([ONE, EMPTY])

    heading, rules, one, empty = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()
    ]
    assert len(heading) == len(rules) == len(one) == len(empty)
    right = [name for name, rule in zip(heading, rules, strict=True) if rule == "---:"]
    assert right == [
        "n", "mean", "95% interval", "order effect", "order 95%", "own 2nd draw",
        "failed", "refused", "truncated", "unparsed", "gradings",
    ]  # fmt: skip
    full, bare = (dict(zip(heading, row, strict=True)) for row in (one, empty))
    assert (full["95% interval"], bare["95% interval"]) == ("3.250–3.750", "–")
    assert (full["order effect"], full["order 95%"]) == ("+0.12", "+0.00 to +0.25")
    assert (bare["order effect"], bare["weights"], bare["gradings"]) == ("–", "1/1/1", "80/80")


def test_a_set_s_name_cannot_break_the_markdown() -> None:
    (line,) = to_markdown([msgspec.structs.replace(ONE, set="a|b\nc")]).splitlines()[2:]

    assert "a\\|b c" in line
