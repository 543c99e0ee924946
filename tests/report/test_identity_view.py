from __future__ import annotations

import io
from collections.abc import Sequence

import msgspec
import pytest
from rich.console import Console

from hydrometer.report.terminal.scores.identity_view import identity_view
from hydrometer.scoring.identity_scores import IdentityScore

QWEN = IdentityScore(
    run="runs/qwen",
    target="qwen",
    kind="ice",
    judge="gpt-mini",
    prompt_version="identity-1",
    metric="loose",
    positives=342,
    judged=1000,
    failed=0,
    refused=0,
    truncated=0,
    unparsed=0,
    rate=0.342,
    low=0.2,
    high=0.5,
    flags=(),
    naive_low=0.3133,
    naive_high=0.3720,
    analytic_low=0.2394,
    analytic_high=0.4619,
    best=0.342,
    worst=0.342,
    templates=20,
    questions=50,
)
PHI = msgspec.structs.replace(
    QWEN,
    run="runs/phi",
    target="phi",
    positives=3,
    judged=900,
    failed=40,
    refused=30,
    truncated=20,
    unparsed=10,
    rate=3 / 900,
    low=0.0004,
    high=0.0097,
    flags=("few-positives", "missing-data"),
    naive_low=0.0011,
    naive_high=0.0097,
    best=0.003,
    worst=0.103,
)
UNRATED = msgspec.structs.replace(
    QWEN,
    metric="strict",
    positives=0,
    judged=0,
    failed=1000,
    rate=None,
    low=None,
    high=None,
    naive_low=None,
    naive_high=None,
    flags=("nothing-judged",),
    best=0.0,
    worst=1.0,
)


def render(
    scores: Sequence[IdentityScore], *, width: int = 100, encoding: str = "utf-8"
) -> list[str]:
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    Console(file=file, width=width, color_system=None).print(identity_view(scores))
    file.flush()
    return [line.rstrip() for line in raw.getvalue().decode(encoding).splitlines()]


def test_line_of_a_score_has_denominator_rate_interval_and_drawing() -> None:
    # The drawing is 25 wide and ends at .5: a rate of .342 belongs 16 to the right of the 0.
    assert render([QWEN], width=87) == [
        "  metric  positive   rate  interval     0                     0.5  missing  best–worst",
        "           /judged         95%                                     f/r/t/u",
        "",
        "run runs/qwen · target qwen",
        "  ice · judge gpt-mini, version identity-1 · 20 templates × 50 questions",
        "  loose   342/1000  0.342  0.200–0.500            ├────━●━━─────┤     none  0.342–0.342",
        "",
        "loose     The answer contradicts the fact of who the target is.",
        "interval  Where the rate would lie with other templates and questions of the same kind.",
        "          It is resampled over both.",
        "naive     Wilson's 95% interval, as if all probes were independent. It is usually too",
        "          narrow. It is drawn as ━. For qwen, loose: 0.313–0.372.",
    ]


def test_missing_probes_are_shown_by_kind_with_the_bounds_they_leave() -> None:
    lines = render([PHI])

    (line,) = (line for line in lines if line.startswith("  loose"))
    assert line.split()[1:4] == ["3/900", "0.003", "<0.001–0.010"]
    assert line.split()[-3:] == ["40/30/20/10", "0.003–0.103", "few-positives"]
    assert "missing-data" in lines[lines.index(line) + 1].split()


def test_answers_that_a_judge_did_not_read_have_a_place_among_the_missing() -> None:
    partial = msgspec.structs.replace(
        QWEN, judge="lexical", judged=40, unread=60, flags=("partial-layer",)
    )

    lines = render([PHI, partial])

    first, second = (line.split() for line in lines if line.startswith("  loose"))
    assert "f/r/t/u/n" in lines[1]
    assert "40/30/20/10/0" in first
    assert "0/0/0/0/60" in second
    text = " ".join(" ".join(lines).split())
    assert "not in the rate: failed / refused / truncated / unparsed, and unread where" in text
    assert any(line.startswith("partial-layer  The run has answers that this") for line in lines)


def test_nothing_judged_has_a_dash_for_a_rate_and_no_drawing() -> None:
    (line,) = (line for line in render([UNRATED]) if line.startswith("  strict"))

    assert line.split() == [
        "strict",
        "0/0",
        "–",
        "–",
        "1000/0/0/0",
        "0.000–1.000",
        "nothing-judged",
    ]


def test_only_flags_and_metrics_that_occur_are_explained() -> None:
    terms = {line.split(" ")[0] for line in render([PHI, UNRATED])}

    assert {"loose", "strict", "few-positives", "missing-data", "nothing-judged"} <= terms
    assert terms.isdisjoint({"hard", "one-template", "one-question", "few-negatives"})


def test_metrics_of_one_judge_share_a_heading_and_other_judges_get_their_own() -> None:
    other = msgspec.structs.replace(QWEN, judge="lexical", metric="strict")

    lines = render([QWEN, msgspec.structs.replace(QWEN, metric="hard"), other])

    assert [line.split()[3] for line in lines if " judge " in line] == ["gpt-mini,", "lexical,"]


def test_columns_of_all_groups_start_at_the_same_place() -> None:
    lines = render([PHI, QWEN])

    first, second = (line for line in lines if line.startswith("  loose"))
    assert first.index("0.003") == second.index("0.342") == lines[0].index("rate") - 1


@pytest.mark.parametrize("width", [30, 60, 72, 76, 80, 100, 200])
def test_no_width_cuts_or_breaks_a_number(width: int) -> None:
    lines = render([QWEN, UNRATED, PHI], width=width)

    words = " ".join(lines).split()
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    assert {"342/1000", "0.342", "0.200–0.500", "40/30/20/10", "0.003–0.103"} <= set(words)
    assert "few-positives" in words


def test_terminal_without_unicode_gets_the_same_columns() -> None:
    plain = render([QWEN, PHI], encoding="ascii")

    full = render([QWEN, PHI])
    assert "".join(plain).isascii()
    assert [len(line) for line in plain] == [len(line) for line in full]


def test_names_are_shown_as_they_are_and_cannot_steer_the_terminal() -> None:
    odd = msgspec.structs.replace(QWEN, target="[red]a[/red]\x1b[2J", judge="[b]")

    text = "\n".join(render([odd]))

    assert "[red]a[/red]?[2J" in text
    assert "judge [b]," in text
    assert "\x1b" not in text


def test_without_scores_it_says_so() -> None:
    assert render([]) == ["no scores: no probe of these runs has a verdict"]
