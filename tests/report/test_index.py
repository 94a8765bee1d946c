"""The list of all reports."""

import re
from datetime import date, timedelta

import pytest
from report_builders import HOSTILE, night, night_of

from pipelines.report.index import NAMED, ListedCluster, ListedNight, index_html
from pipelines.report.summary import Summary

DAY = date(2026, 11, 22)


def _listed(told, many=1):
    nights = [ListedNight(DAY - timedelta(days=back), Summary.of(told)) for back in range(many)]
    return index_html([ListedCluster("prod-usw2", nights)])


def test_every_night_is_linked_and_the_last_ones_are_told():
    page = _listed(night(), NAMED + 2)
    links = [f"cluster=prod-usw2/date={DAY - timedelta(days=back)}/report.html" for back in range(NAMED + 2)]
    assert re.findall(r'href="([^"]+)"', page) == links
    assert page.count("role/<wbr>dev-eve") == NAMED
    assert f"{NAMED + 2} nights of 1 cluster" in page


def test_a_night_without_a_summary_and_an_archive_without_a_report_are_listed():
    assert index_html([ListedCluster("c", [ListedNight(DAY, None)])]).count("report.html") == 1
    assert "No night is reported yet." in index_html([])


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_name_changes_no_tag(text):
    tags = re.compile("<[^>]*>")
    found, calm = (tags.findall(_listed(night_of(name, 3))) for name in (text, "calm text"))
    assert [tag for tag in found if tag != "<wbr>"] == [tag for tag in calm if tag != "<wbr>"]
