from __future__ import annotations

import csv
import io
import json

import msgspec
import pytest
from sample_scores import RATED

from hydrometer.report.tables.formats import to_csv, to_json, to_markdown
from hydrometer.report.tables.number_text import interval_text, rate_text
from hydrometer.scoring.identity_scores import IdentityScore

CONTRACT = (
    *("run", "target", "kind", "judge", "metric", "positives", "judged", "failed", "refused"),
    *("truncated", "unparsed", "rate", "low", "high", "flags"),
)


def test_json_is_a_list_of_objects_with_the_contract_s_keys_at_full_precision() -> None:
    (found,) = json.loads(to_json([RATED]))

    assert set(CONTRACT) <= found.keys()
    assert (found["rate"], found["analytic_low"]) == (1 / 3, None)
    assert found["flags"] == ["few-positives", "missing-data"]
    assert msgspec.convert(found, IdentityScore) == RATED


def test_json_without_scores_is_an_empty_list() -> None:
    assert json.loads(to_json([])) == []


def test_csv_has_the_columns_of_the_json() -> None:
    (found,) = csv.DictReader(io.StringIO(to_csv([RATED])))

    assert list(found) == list(json.loads(to_json([RATED]))[0])
    assert (found["judged"], float(found["rate"])) == ("3", 1 / 3)
    assert (found["flags"], found["analytic_low"]) == ("few-positives;missing-data", "")


def test_csv_without_scores_keeps_its_header() -> None:
    assert to_csv([]).splitlines() == [",".join(IdentityScore.__struct_fields__)]


def test_csv_survives_commas_and_line_ends_in_names() -> None:
    odd = msgspec.structs.replace(RATED, target='a,"b"\nc')

    (found,) = csv.DictReader(io.StringIO(to_csv([odd]), newline=""))

    assert found["target"] == 'a,"b"\nc'


def test_markdown_shows_the_share_with_its_denominator_judge_and_prompt() -> None:
    head, rule, row = to_markdown([RATED]).splitlines()

    assert head.count("|") == rule.count("|") == row.count("|")
    assert row == (
        "| runs/qwen | qwen | ice | gpt-mini | identity-1 | loose | 1/3 | 0.333 | 0.250–0.500 "
        "| 0.300–0.400 | 1 | 0 | 2 | 0 | 0 | 0.167–0.667 | few-positives;missing-data |"
    )


def test_markdown_keeps_names_in_their_cells() -> None:
    odd = msgspec.structs.replace(RATED, target="a|b\nc\\")

    *_, row = to_markdown([odd]).splitlines()

    assert r"| a\|b c\\ |" in row


@pytest.mark.parametrize(
    ("rate", "text"),
    [
        (None, "–"),
        (0.0, "0.000"),
        (0.0004, "<0.001"),
        (0.0005, "0.001"),
        (0.3421, "0.342"),
        (0.9994, "0.999"),
        (0.9996, ">0.999"),
        (1.0, "1.000"),
    ],
)
def test_rate_is_rounded_but_never_to_a_certainty(rate: float | None, text: str) -> None:
    assert rate_text(rate) == text


def test_interval_without_ends_is_a_dash() -> None:
    assert interval_text(None, None) == "–"
