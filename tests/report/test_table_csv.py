"""ranking.csv is numbers for pandas and harmless text for a spreadsheet."""

import csv
import io
import json
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook
from report_builders import HOSTILE, bare, evidence, night, night_of, ranked, reason

from pipelines.report.columns import SHEET, utc
from pipelines.report.table_csv import guarded, ranking_csv

SIGNS = tuple("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
NUMBERS = ("rank", "rank_lo", "rank_hi", "requests", "score", "codisp", "norm", "aws_score", "one_in", "history_nights")
likely = st.text(st.sampled_from("=+-@\t\r\n,;\"' a1\uff1d\u202e\x00\ud800"), max_size=12) | st.text(
    st.characters(exclude_categories=())
)


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def parts(cell: str) -> list[str]:
    """What an importer may make of a cell that splits at separators, quotes and line breaks, and trims."""
    return [part.lstrip(" ") for part in re.split(r'[,;"\n\r]', cell)]


def assert_harmless(text: str) -> None:
    numbers = [column.name in NUMBERS for column in SHEET]
    for line in csv.reader(io.StringIO(text, newline="")):
        assert len(line) == len(SHEET)
        for number, cell in zip(numbers, line, strict=True):
            if not number:
                assert not any(part.startswith(SIGNS) for part in parts(cell)), cell


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_name_starts_no_formula_and_no_line(text):
    tonight = night_of(text, rows=2)
    table = ranking_csv(tonight)
    assert_harmless(table)
    assert table.count("\n") == len(tonight.ranked) + 1
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", table)
    table.encode()


@given(likely)
def test_no_text_starts_a_formula(text):
    assert_harmless(ranking_csv(night(ranked(principal=text, usernames=(text,), marks=(text,)))))


@given(likely)
def test_a_guarded_text_starts_no_formula_even_with_its_line_breaks(text):
    assert not any(part.startswith(SIGNS) for part in parts(guarded(text)))
    if not any(sign in text for sign in SIGNS):
        assert guarded(text) == text


@given(st.text(st.characters(exclude_categories=()), max_size=50), st.floats(0, 1e6))
def test_lists_read_back_exactly(text, expected):
    row = ranked(
        usernames=(text, "=1"),
        marks=(text,),
        reasons=(reason(meaning=text, expected=expected),),
        evidence=(evidence(audit_ids=("-1", text)),),
    )
    (line,) = read(ranking_csv(night(row)))
    assert json.loads(line["usernames"]) == [text, "=1"]
    assert json.loads(line["marks"]) == [text]
    (said,) = json.loads(line["reasons"])
    assert (said["meaning"], said["expected"]) == (text, expected)
    (proof,) = json.loads(line["evidence"])
    assert proof["audit_ids"] == ["-1", text]
    assert proof["first_ts"] == utc(row.evidence[0].first_ts) == "2026-11-22T03:12:07.250000Z"


@given(st.floats(-1e300, 1e300))
def test_a_real_number_stays_that_number(number):
    text = ranking_csv(night(ranked(aws_score=number)))
    position = [column.name for column in SHEET].index("aws_score")
    _, line = csv.reader(io.StringIO(text), quoting=csv.QUOTE_NONNUMERIC)
    assert line[position] == number
    assert isinstance(line[position], float)


def test_pandas_reads_numbers_as_numbers_and_nothing_as_missing():
    frame = pd.read_csv(io.StringIO(ranking_csv(night(ranked(), ranked(2, principal="-1"), bare(3)))))
    assert list(frame["rank"]) == [1, 2, 3]
    assert list(frame["principal"]) == ["role/dev-eve", "'-1", "role/dev-eve"]
    for name in NUMBERS:
        assert pd.api.types.is_numeric_dtype(frame[name]), name
    for name in ("rank_lo", "rank_hi", "aws_score", "one_in", "first_seen"):
        assert list(frame[name].isna()) == [False, False, True], name
    assert frame["score"][0] == 120.5


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_spreadsheet_library_takes_no_cell_for_a_formula(text):
    """openpyxl knows a formula by its equals sign; the other signs are the rule of assert_harmless."""
    sheet = Workbook().active
    for line in csv.reader(io.StringIO(ranking_csv(night_of(text, 2)), newline="")):
        sheet.append(line)
    assert {cell.data_type for row in sheet for cell in row} <= {"n", "s"}
    sheet.append(["=1"])
    assert sheet.cell(sheet.max_row, 1).data_type == "f"


def test_a_night_with_nobody_is_its_header():
    assert ranking_csv(night(ranked=())).count("\n") == 1
