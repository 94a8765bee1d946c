"""Details of a principal: the ranking's cell, and what a request was for."""

import json

import pytest
from report_builders import detail, night, ranked, request

from pipelines.ranking import SCHEMA
from pipelines.report.columns import COLUMNS
from pipelines.report.detail import Detail


def test_a_cell_of_the_ranking_reads_back_as_the_details_it_was_made_of():
    whole = detail()
    things = [
        {"kind": kind.kind, "items": kind.items, "first": [vars(item) for item in kind.first]} for kind in whole.new
    ]
    bindings = {"items": whole.bindings_used, "first": [vars(binding) for binding in whole.bindings]}
    row = {"hours": [vars(hour) for hour in whole.hours], "new": things, "bindings": bindings}
    row["requests"] = [vars(one) for one in whole.requests]
    assert set(row) == {field.name for field in SCHEMA.field("detail").type}
    assert Detail.of(row) == whole


def test_json_holds_the_details_with_times_in_utc():
    (column,) = (column for column in COLUMNS if column.name == "detail")
    told = json.loads(json.dumps(column.cell(ranked())))
    assert told["requests"][0]["ts"] == told["new"][0]["first"][0]["first_ts"] == "2026-11-22T03:12:07.250000Z"
    assert night(ranked(detail=None)).ranked[0].detail is None


def test_a_request_of_an_older_version_tells_no_impersonation():
    row = vars(detail()) | {"bindings": {"items": 0, "first": []}, "new": [], "hours": []}
    old = {name: value for name, value in vars(request()).items() if name != "impersonated_user"}
    assert Detail.of(row | {"requests": [old]}).requests[0].impersonated_user is None


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({}, "secrets shop/db-password"),
        ({"name": None}, "secrets shop"),
        ({"namespace": None, "name": None}, "secrets"),
        ({"object": "url", "request_uri": "/version"}, "/version"),
        ({"object": "url", "request_uri": None}, "url"),
    ],
)
def test_a_request_says_what_it_was_for(changes, what):
    assert request(**changes).what == what
