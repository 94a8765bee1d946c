"""One declaration feeds csv, json and the page."""

import csv
import html
import io
import json
from dataclasses import fields

import pytest
from report_builders import bare, night, ranked

from pipelines.report.columns import COLUMNS
from pipelines.report.html import report_html
from pipelines.report.model import Evidence, RankedPrincipal, Reason
from pipelines.report.ranking_json import ranking_json
from pipelines.report.table_csv import ranking_csv


def test_the_columns_are_the_fields_of_a_ranked_principal():
    assert [column.name for column in COLUMNS] == [field.name for field in fields(RankedPrincipal)]


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_a_declared_column_is_in_csv_json_and_on_the_page(column):
    tonight = night(ranked(), bare(2))
    assert (column.name in next(csv.reader(io.StringIO(ranking_csv(tonight))))) == (not column.deep)
    document = json.loads(ranking_json(tonight))
    assert all(column.name in row for row in document["ranking"])
    assert column.name in [said["name"] for said in document["columns"]]
    page = html.unescape(report_html(tonight))
    assert f"<code>{column.name}</code>" in page
    assert column.meaning in page


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_a_column_is_explained_in_a_sentence(column):
    assert column.title
    assert column.meaning.endswith(".")


@pytest.mark.parametrize(("name", "record"), [("reasons", Reason), ("evidence", Evidence)])
def test_a_list_column_carries_every_field_of_its_record(name, record):
    (cell,) = next(column for column in COLUMNS if column.name == name).cell(ranked())
    assert list(cell) == [field.name for field in fields(record)]
