from __future__ import annotations

import csv
from collections.abc import Mapping

import pytest

from hydrometer.engine.errors import FileInvalid
from hydrometer.engine.setup.tabular import csv_header, read_rows

Row = tuple[int, Mapping[str, object]]


def read(text: str) -> list[Row]:
    return list(read_rows(text, "f"))


def test_json_lines_keep_their_types_and_line_numbers() -> None:
    text = '\n{"a": 1, "b": null}\r\n\n  {"a": [true]}  \n'

    assert read(text) == [(2, {"a": 1, "b": None}), (4, {"a": [True]})]


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_only_a_newline_ends_a_line(odd: str) -> None:
    """Python's splitlines knows ten more, and answers of models hold them raw."""
    text = f'{{"a": "x{odd if odd > "~" else ""}y"}}\n{{"a": "z"}}'

    assert [line for line, _ in read(text)] == [1, 2]
    assert read(f"a,b\nx{odd}y,2\n") == [(2, {"a": f"x{odd}y", "b": "2"})]


def test_csv_is_text_with_quotes_and_newlines_inside() -> None:
    text = 'a,b\r\n"x\n""y"",z",2\r\n,\r\n'

    assert read(text) == [(3, {"a": 'x\n"y",z', "b": "2"}), (4, {"a": "", "b": ""})]


def test_a_field_that_a_csv_row_does_not_have_is_absent_and_not_an_empty_text() -> None:
    """A file that was cut in mid-row would otherwise end in an empty answer."""
    assert read("a,b,c\n1,2\n3,4,\n") == [
        (2, {"a": "1", "b": "2"}),
        (3, {"a": "3", "b": "4", "c": ""}),
    ]


@pytest.mark.parametrize("text", ["", "\n", " \n\n", "a,b\n", "a,b"])
def test_a_file_without_rows_has_none(text: str) -> None:
    assert read(text) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[]", "f is a JSON array; write one object a line (JSON Lines)"),
        ('\n  [{"a": 1}]', "f is a JSON array; write one object a line (JSON Lines)"),
        ('{"a": 1}\n{"a": 1', "f:2: not JSON: Input data was truncated"),
        ('{"a": 1}\n[1]', "f:2: must be a JSON object"),
        ('{"a": 1}\n"a"', "f:2: must be a JSON object"),
        ('{"a": 1}\nnull', "f:2: must be a JSON object"),
        ('{"a": NaN}', "f:1: not JSON: "),
        ('{\n"a": 1\n}', "f:1: not JSON: "),
        ('{"a": "\\ud800"}', "f:1: not JSON: "),
        ('{"a": ' + "[" * 200_000 + "]" * 200_000 + "}", "f:1: not JSON: "),
        ("a,b,a\n1,2,3\n", "f:1: two columns are called 'a'"),
        ('c,"b\n",a,"b\n"\n', "f:3: two columns are called 'b\\n'"),
        ("a,b\n1,2,3\n", "f:2: more fields than the header names"),
        ('a,b\n1,"2\n', "f:2: not CSV: unexpected end of data"),
        ('a,b\n1,"2"3\n', "f:2: not CSV: ',' expected after '\"'"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(text: str, said: str) -> None:
    with pytest.raises(FileInvalid) as raised:
        read(text)

    assert str(raised.value).startswith(said)
    assert "\n" not in str(raised.value)


def test_columns_without_a_name_may_be_several() -> None:
    """Spreadsheets write them where a cell far to the right was once filled."""
    assert read("a,b,,\n1,2,,\n") == [(2, {"a": "1", "b": "2", "": ""})]


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("a,b\n1,2\n", ("a", "b")),
        ("a,b", ("a", "b")),
        ('\n{"a": 1}', None),
        ('[{"a": 1}]', None),
        (" \n", None),
    ],
)
def test_csv_alone_has_a_header(text: str, header: tuple[str, ...] | None) -> None:
    assert csv_header(text, "f") == header


def test_a_long_field_is_read_and_the_process_keeps_its_own_limit() -> None:
    before = csv.field_size_limit()
    rows = read_rows("a\n" + "x" * 300_000 + "\n1\n", "f")

    first = next(rows)
    between = csv.field_size_limit()
    rest = list(rows)

    assert len(str(first[1]["a"])) == 300_000
    assert rest == [(3, {"a": "1"})]
    assert between == csv.field_size_limit() == before


def test_the_limit_is_kept_also_when_a_row_is_broken() -> None:
    before = csv.field_size_limit()

    with pytest.raises(FileInvalid):
        read('a\n"x')

    assert csv.field_size_limit() == before
