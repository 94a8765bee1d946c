"""ranking.json holds everything, exactly, in ASCII."""

import json

import pytest
from report_builders import HOSTILE, bare, night, night_of

from pipelines.report.columns import COLUMNS
from pipelines.report.ranking_json import ranking_json


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_reads_back_exactly_from_plain_ascii(text):
    written = ranking_json(night_of(text, rows=2))
    assert written.isascii()
    assert not any((char < " " and char != "\n") or char == "\x7f" for char in written)
    document = json.loads(written)
    assert document["cluster"] == text
    assert document["coverage"]["blind"] == [text]
    for row in document["ranking"]:
        assert row["principal"] == row["usernames"][0] == row["marks"][0] == row["reasons"][0]["meaning"] == text
        assert row["evidence"][0]["audit_ids"] == [text, text]
        assert row["detail"]["requests"][0]["agent"] == row["detail"]["new"][0]["first"][0]["item"] == text


def test_keys_stand_in_declared_order():
    (row,) = json.loads(ranking_json(night()))["ranking"]
    assert list(row) == [column.name for column in COLUMNS]


def test_what_is_not_known_is_null():
    (row,) = json.loads(ranking_json(night(bare())))["ranking"]
    assert [name for name, cell in row.items() if cell is None] == [
        "rank_lo",
        "rank_hi",
        "aws_score",
        "one_in",
        "counterfactual",
        "together",
        "places",
        "newcomer",
        "detail",
        "first_seen",
    ]
    assert row["reasons"] == row["evidence"] == []


def test_every_number_is_one_that_json_knows():
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads(ranking_json(night()), parse_constant=refuse)


def test_the_notices_of_the_page_are_in_the_file():
    (said,) = json.loads(ranking_json(night(history_nights=3)))["notices"]
    assert said.startswith("Only 3 earlier nights")


def test_the_same_night_gives_the_same_text_with_a_newline_at_its_end():
    assert ranking_json(night()) == ranking_json(night())
    assert ranking_json(night()).endswith("}\n")
