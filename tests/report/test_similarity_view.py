from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence

import msgspec
import pytest
from rich.console import Console, RenderableType

from hydrometer.report.formats import to_csv, to_json, to_markdown
from hydrometer.report.similarity_view import kinship_view, similarity_view
from hydrometer.scoring.kinship import Kinship
from hydrometer.scoring.likeness import MEASURES
from hydrometer.scoring.readings import JUDGED, Metric
from hydrometer.scoring.scores import Score
from hydrometer.scoring.similarity import Flag, SimilarityScore
from hydrometer.scoring.trees import Matrix, average_linkage, distances

CONTRACT = (
    *("run", "target", "kind", "judge", "metric", "set", "n", "failed", "refused", "truncated"),
    *("unparsed", "mean", "low", "high", "flags"),
)
ONE = SimilarityScore(
    run="qwen",
    target="qwen",
    reference="gpt",
    judge="claude",
    prompt_version="similarity-1",
    metric="overall",
    set="arena",
    n=40,
    failed=0,
    refused=0,
    truncated=0,
    unparsed=0,
    gradings=80,
    lost=0,
    mean=3.5,
    low=3.25,
    high=3.75,
    flags=(),
    order_effect=0.125,
    order_low=0.0,
    order_high=0.25,
    ceiling=4.5,
    ceiling_low=4.4,
    ceiling_high=4.6,
    baseline=None,
    excess=None,
    excess_low=None,
    excess_high=None,
    paired=0,
)
EMPTY = msgspec.structs.replace(
    ONE, n=0, mean=None, low=None, high=None, order_effect=None, ceiling=None, failed=40
)


def make_run(
    like: SimilarityScore = ONE,
    *,
    sets: tuple[str, ...] = ("arena", "math"),
    target: str = "qwen",
    reference: str = "gpt",
    judge: str = "claude",
    flags: tuple[Flag, ...] = (),
) -> list[SimilarityScore]:
    """Return the scores of a run, in the order in which they are made: all are those of *like*."""

    def scores(metrics: Sequence[Metric], judge: str) -> list[SimilarityScore]:
        return [
            msgspec.structs.replace(
                like,
                run=target, target=target, reference=reference, judge=judge, metric=metric,
                set=name, flags=flags,
            )
            for name in (*sets, "mean")
            for metric in metrics
        ]  # fmt: skip

    return scores(JUDGED, judge) + scores(MEASURES, "")


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
    assert lines[1][:4] == ["judge", "claude,", "version", "similarity-1;"]
    assert lines[2] == ["overall", "arena", "math", "mean", "95%", "order", "n", "lost"]
    assert lines[3] == ["qwen", "3.500", "3.500", "3.500", "3.250–3.750", "+0.12", "80", "none"]
    assert lines[4] == ["(own", "2nd", "draw)", "4.500", "4.500", "4.500"]
    assert ["mean", "over", "sets", "style", "95%", "logic", "95%", "content", "95%"] in lines
    assert ["without", "a", "judge", *MEASURES] in lines


def test_in_a_narrow_terminal_names_are_broken_and_no_number_is_cut() -> None:
    lost = msgspec.structs.replace(ONE, n=833, failed=12, refused=3, truncated=5, unparsed=20)
    runs = make_run(lost, sets=("arenahard", "numina", "sharegpt"), target="qwen2.5-72b-instruct")

    lines = shown(similarity_view(runs), 80)

    assert all(len(line) <= 80 for line in lines)
    assert not any("…" in line for line in lines)
    assert any("3.250–3.750  +0.12  2499  36/9/15/60" in line for line in lines)


def test_nothing_compared_is_a_dash_and_never_a_zero() -> None:
    overall, aspects, measures = rows_of("qwen", similarity_view(make_run(EMPTY)))

    assert overall == ["–", "–", "–", "–", "–", "0", "80/0/0/0"]
    assert aspects == ["–"] * 6
    assert measures == ["–"] * 4
    assert not any(
        "own 2nd draw)  " in line for line in shown(similarity_view(make_run(EMPTY)))[:9]
    )


def test_a_set_that_was_not_begun_leaves_a_dash_in_its_column() -> None:
    begun = make_run()
    for number, score in enumerate(begun):
        if score.set == "math":
            begun[number] = msgspec.structs.replace(
                EMPTY, metric=score.metric, set=score.set, judge=score.judge, failed=0
            )
        if score.set == "mean":
            begun[number] = msgspec.structs.replace(score, mean=None, low=None, high=None)

    assert rows_of("qwen", similarity_view(begun))[0] == [
        "3.500", "–", "–", "–", "+0.12", "40", "none",
    ]  # fmt: skip


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
    named = [line[1:3] for line in lines[: lines.index("Response similarity to y")]]
    assert [name[0] for name in named if name[1:] == " "] == list("aceace" + "dd" + "acde")


def test_two_runs_of_one_name_are_two_rows() -> None:
    """As of "score old/qwen new/qwen": a run is called as its folder."""
    other = msgspec.structs.replace(ONE, mean=2.0, low=1.5, high=2.5, n=7)

    overall = rows_of("qwen", similarity_view(make_run() + make_run(other)))[:2]

    assert overall == [
        ["3.500", "3.500", "3.500", "3.250–3.750", "+0.12", "80", "none"],
        ["2.000", "2.000", "2.000", "1.500–2.500", "+0.12", "14", "none"],
    ]


def test_a_run_without_a_second_draw_takes_nobody_s_away() -> None:
    without = msgspec.structs.replace(ONE, ceiling=None)

    view = similarity_view(make_run(target="a") + make_run(without, target="b"))

    assert rows_of("(own", view)[0] == ["2nd", "draw)", "4.500", "4.500", "4.500"]


def test_a_metric_that_one_run_lacks_is_a_dash_in_its_column() -> None:
    more = [msgspec.structs.replace(ONE, judge="", metric="embedding", set="mean", mean=0.75)]

    view = similarity_view(make_run() + more + make_run(target="b"))

    assert rows_of("qwen", view)[-1] == ["3.500"] * 4 + ["0.750"]
    assert rows_of("b", view)[-1] == ["3.500"] * 4 + ["–"]


@pytest.mark.parametrize("name", ["[/b]", "[red]x[/red]", "a|b"])
def test_a_set_s_name_is_shown_as_it_is(name: str) -> None:
    assert any(name in line for line in shown(similarity_view(make_run(sets=(name,)))))


def test_every_flag_is_explained_once_with_the_targets_that_have_it() -> None:
    flagged: tuple[Flag, ...] = ("few-prompts", "one-order", "same-vendor")
    runs = make_run(target="a", flags=flagged) + make_run(target="b", flags=flagged[:1])

    lines = shown(similarity_view(runs))

    (few,) = [line for line in lines if line.startswith("few-prompts")]
    assert "a, b: fewer than 20 prompts" in few
    assert not any(line.startswith("order-effect") for line in lines)


def test_no_scores_are_no_crash() -> None:
    assert shown(similarity_view([]))


def matrix(*rows: tuple[float | None, ...]) -> Matrix:
    return Matrix(names=tuple("abcd"[: len(rows)]), values=rows)


def test_all_pairs_are_a_matrix_and_trees_as_text() -> None:
    alike = matrix((None, 4.5, 1.5), (4.5, 4.9, 1.25), (1.5, 1.25, 4.75))
    tree = average_linkage(distances(alike, top=5.0))
    kinship = Kinship(
        metric="overall", similarities=alike, average_linkage=tree, neighbour_joining=None, draws=9
    )

    lines = shown(kinship_view(kinship))

    assert [line.split() for line in lines[1:5]] == [
        ["a", "b", "c"], ["a", "–", "4.500", "1.500"], ["b", "4.500", "4.900", "1.250"],
        ["c", "1.500", "1.250", "4.750"],
    ]  # fmt: skip
    assert "average linkage (labels: % of 9 resamplings)" in lines
    assert lines[-1].endswith(";")
    assert not any("neighbour" in line for line in lines)


def test_a_pair_that_is_missing_leaves_a_dash_and_no_tree() -> None:
    kinship = Kinship(
        metric="overall",
        similarities=matrix((None, None), (None, None)),
        average_linkage=None,
        neighbour_joining=None,
        draws=0,
    )

    assert [line.split() for line in shown(kinship_view(kinship))[2:]] == [
        ["a", "–", "–"],
        ["b", "–", "–"],
    ]


def test_json_has_the_contract_s_keys_at_full_precision() -> None:
    (found,) = json.loads(
        to_json([msgspec.structs.replace(ONE, mean=10 / 3, flags=("one-order",))])
    )

    assert set(CONTRACT) <= found.keys()
    assert (found["kind"], found["mean"], found["flags"]) == ("rse", 10 / 3, ["one-order"])
    assert found["baseline"] is None


def test_csv_has_the_columns_of_the_json_and_empty_cells_for_what_is_absent() -> None:
    (found,) = csv.DictReader(io.StringIO(to_csv([EMPTY])))

    assert list(found) == list(json.loads(to_json([EMPTY]))[0])
    assert (found["mean"], found["low"], found["n"], found["flags"]) == ("", "", "0", "")


def test_csv_of_both_kinds_leaves_the_other_s_columns_empty() -> None:
    identity = msgspec.convert(
        dict.fromkeys(Score.__struct_fields__, 0)
        | dict.fromkeys(("run", "target", "judge", "prompt_version"), "x")
        | {"kind": "ice", "metric": "loose", "flags": []},
        Score,
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
        "n", "mean", "95% interval", "own 2nd draw", "failed", "refused", "truncated", "unparsed",
    ]  # fmt: skip
    assert dict(zip(heading, one, strict=True))["95% interval"] == "3.250–3.750"
    assert dict(zip(heading, empty, strict=True))["95% interval"] == "–"


def test_a_set_s_name_cannot_break_the_markdown() -> None:
    (line,) = to_markdown([msgspec.structs.replace(ONE, set="a|b\nc")]).splitlines()[2:]

    assert "a\\|b c" in line
