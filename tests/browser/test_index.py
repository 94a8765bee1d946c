"""The list of reports in a real Chromium."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser.conftest import WIDTHS
from report_builders import HOSTILE, night_of

from pipelines.report.index import ListedCluster, ListedNight, index_html
from pipelines.report.summary import Summary


def listed():
    """A night of each hostile text."""
    last = date(2026, 11, 22)
    texts = enumerate(list(HOSTILE.values())[:20])
    nights = [ListedNight(last - timedelta(days=back), Summary.of(night_of(text, 3))) for back, text in texts]
    return index_html([ListedCluster("prod-usw2", nights), ListedCluster("other", nights[:1])])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_list_of_hostile_names_does_nothing_fits_its_window_and_can_be_read_aloud(opened, width, scheme):
    page = opened(listed(), width, color_scheme=scheme)
    assert page.overflows <= 0
    assert page.page.get_by_role("link").first.get_attribute("href") == "cluster=prod-usw2/date=2026-11-22/report.html"
    found = Axe().run(page.page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] != "minor"] == []
