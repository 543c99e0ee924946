from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hydrometer.scoring import text_metrics
from hydrometer.scoring.text_metrics import (
    LONGEST,
    TEXT_METRICS,
    TextMetric,
    chars,
    common_subsequence,
    compare_texts,
    layout,
    length,
    markdown,
    rouge_l,
    words,
)

ODD = st.text(alphabet=st.characters(codec=None), max_size=60)  # lone surrogates too
MARKED = st.text(alphabet="ab 桥\n#-*`|$>1.", max_size=60)


@given(measure=st.sampled_from(TEXT_METRICS), first=ODD | MARKED, second=ODD | MARKED)
def test_every_measure_is_symmetric_and_between_0_and_1(
    measure: TextMetric, first: str, second: str
) -> None:
    found = compare_texts(measure, first, second)

    assert 0.0 <= found <= 1.0
    assert found == compare_texts(measure, second, first)


@given(measure=st.sampled_from(TEXT_METRICS), text=ODD | MARKED)
def test_equal_texts_are_fully_alike(measure: TextMetric, text: str) -> None:
    assert compare_texts(measure, text, text) == 1.0


@pytest.mark.parametrize("measure", TEXT_METRICS)
def test_nothing_is_not_like_something(measure: TextMetric) -> None:
    assert compare_texts(measure, "", "One sentence.") == 0.0


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # abc, bcd | abcd against abc, bcx | abcx: (2/4 + 0/2) / 2
        ("abcd", "abcx", 0.25),
        # a text too short for 4-grams has none in common
        ("abc", "abcd", (2 / 3 + 0.0) / 2),
        ("ABC  def", "abc\ndef", 1.0),
        ("桥梁的原理", "桥梁的历史", (2 / 6 + 0.0 + 0.0) / 3),
        ("ab", "cd", 0.0),
        ("ab", "AB", 1.0),
    ],
)
def test_chars_shares_ngrams(first: str, second: str, expected: float) -> None:
    assert chars(first, second) == pytest.approx(expected)


@given(first=st.text(alphabet="ab桥", max_size=40), second=st.text(alphabet="ab桥", max_size=40))
def test_chars_is_what_counting_ngrams_gives(first: str, second: str) -> None:
    found = []
    for n in (3, 4, 5):
        ours, theirs = (
            Counter(text[i : i + n] for i in range(len(text) - n + 1)) for text in (first, second)
        )
        if ours or theirs:
            found.append(2 * (ours & theirs).total() / (ours.total() + theirs.total()))
    expected = sum(found) / len(found) if found else float(first == second)

    assert chars(first, second) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It's the Bridge's end.", ["it's", "the", "bridge's", "end"]),
        ("桥梁很长 and iPhone15很好", ["桥", "梁", "很", "长", "and", "iphone15", "很", "好"]),
        ("naïve cafe\u0301", ["naïve", "cafe\u0301"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("ภาษา", ["ภ", "า", "ษ", "า"]),
        ("한국어 문장", ["한국어", "문장"]),
        ("--- !!! ...", []),
    ],
)
def test_words_of_many_scripts(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("the cat sat on the mat", "the cat lay on a mat", 2 * 4 / 12),
        ("police killed the gunman", "the gunman killed police", 2 * 2 / 8),
        ("桥梁很长", "桥很长", 2 * 3 / 7),
        ("One, two; THREE!", "one two three", 1.0),
        ("!!!", "!!!", 1.0),
        ("!!!", "???", 0.0),
    ],
)
def test_rouge_l_is_the_f1_of_the_common_subsequence(
    first: str, second: str, expected: float
) -> None:
    assert rouge_l(first, second) == pytest.approx(expected)


def test_rouge_l_reads_the_first_words_only() -> None:
    text = "a " * LONGEST

    assert rouge_l(text + "b", text + "c") == 1.0


@given(first=st.text(alphabet="abc", max_size=90), second=st.text(alphabet="abc", max_size=90))
def test_common_subsequence_is_what_the_table_gives(first: str, second: str) -> None:
    row = [0] * (len(second) + 1)
    for letter in first:
        above, row = row, [0]
        for j, other in enumerate(second):
            row.append(above[j] + 1 if letter == other else max(row[j], above[j + 1]))

    assert common_subsequence(first, second) == row[-1]


def test_length_is_the_shorter_over_the_longer() -> None:
    assert length("abcd", "ab") == 0.5
    assert length("a  b\n\nc", "a b c") == 1.0


PAGE = """# Bridges

A bridge **carries** a road.
It may be `long`, with $l > 5$.

1. Stone
2. Steel
   that bends

- *light*
* heavy

| a | b |
| - | - |

> said somebody

```python
# no heading
- no bullet
```
The end."""


def test_layout_counts_what_markdown_does() -> None:
    found = {kind: count for kind, count in layout(PAGE).items() if count}

    assert found == {
        "heading": 1,
        "bullet": 2,
        "numbered": 2,
        "quote": 1,
        "table": 2,
        "code": 2,
        "code block": 1,
        "bold": 1,
        "italic": 1,
        "inline code": 1,
        "formula": 1,
        "paragraph": 2,
        "paragraph length": (28 + 31 + 8) / 2,
    }


@pytest.mark.parametrize(
    "text",
    ["#no heading", "-5 degrees", "2.5 times", "__init__", "2 * 3 * 4", "a | b", "1999. Then"],
)
def test_what_only_looks_like_markup_is_a_paragraph(text: str) -> None:
    found = {kind for kind, count in layout(text).items() if count}

    assert found == {"paragraph", "paragraph length"}


def test_an_unclosed_fence_runs_to_the_end() -> None:
    found = layout("```\n# a\n\n- b")

    assert (found["code block"], found["code"], found["heading"]) == (1, 3, 0)


def test_markdown_compares_the_features_that_either_text_has() -> None:
    first = "## A\n\n- b\n- c"
    second = "## A\n\n- b\n- c\n- d\n- e"

    assert markdown(first, second) == pytest.approx((1 + 2 / 4) / 2)
    assert markdown(first, "No layout at all.") == 0.0
    assert markdown("Same layout, other words.", "Some layout, other verbs.") == 1.0


def test_layout_reads_chinese_lists() -> None:
    found = layout("1、石桥\n2.钢桥\n• 木桥")

    assert (found["numbered"], found["bullet"], found["paragraph"]) == (2, 1, 0)


HOSTILE = (
    "**a",
    "`",
    "$",
    "- ",
    "|||\n",
    "\n",
    "a\u0301",
    "a'",
    "```\n",
    "\ud800",
    "\0",
    "*a ",
    "__",
)


@pytest.mark.slow
@pytest.mark.parametrize("piece", HOSTILE, ids=ascii)
@pytest.mark.parametrize("measure", TEXT_METRICS)
def test_a_megabyte_of_anything_is_compared_before_the_suite_gives_up(
    measure: TextMetric, piece: str
) -> None:
    text = piece * (1_000_000 // len(piece))

    found = compare_texts(measure, text, text[: len(text) // 2] + "x")

    assert 0.0 <= found <= 1.0


@pytest.mark.parametrize("name", ["words", *text_metrics._SPANS])
def test_no_pattern_that_searches_a_whole_text_can_backtrack(name: str) -> None:
    """With possessive repeats alone, every start of a match is tried once."""
    pattern = text_metrics._WORD if name == "words" else text_metrics._SPANS[name]

    without_classes = re.sub(r"\\.|\[(?:\\.|[^\]\\])*\]", "x", pattern.pattern)
    repeats = re.findall(r"[*+][+?]?", without_classes)

    assert repeats
    assert set(repeats) <= {"*+", "++"}
