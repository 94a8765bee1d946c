"""Ready queries hold what was asked for, and nothing that a caller could have slipped in."""

from datetime import date

import pytest
from report_builders import HOSTILE

from pipelines.report.queries import plain, queries

NIGHT = date(2026, 11, 22)
ID = "7e1f0a52-36a5-4b5c-9d57-1c2a5d1f0001"


def test_every_place_has_its_query_for_exactly_these_events():
    found = queries("prod-usw2", NIGHT, [ID, "other-1"])
    assert [title.partition(",")[0].partition(" ")[0] for title, _ in found] == ["DuckDB", "Athena", "CloudWatch"]
    for _, query in found:
        assert query.count(ID) == query.count("other-1") == 1


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_an_audit_id_that_is_no_plain_text_stands_in_no_query(text):
    assert plain([text]) == []
    assert queries("prod-usw2", NIGHT, [text]) == []
    assert all(query.count("'") % 2 == 0 for _, query in queries("prod-usw2", NIGHT, [ID, text]))
