"""The page: nothing from the log becomes markup, nothing is loaded, doubts come before ranks."""

import base64
import hashlib
import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser

import pytest
from report_builders import (
    HOSTILE,
    backtest,
    bare,
    coverage,
    detail,
    earlier,
    evidence,
    night,
    night_of,
    ranked,
    reason,
    request,
)

from pipelines.report.detail import Hour
from pipelines.report.html import MOST_BYTES, report_html
from pipelines.report.model import Newcomer, Together
from pipelines.report.sentences import FIRST
from pipelines.report.text import visible

DASH = "\N{EN DASH}"


class Page(HTMLParser):
    """Every tag with its attribute names in order, comments and declarations, and the text between."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, ...]] = []
        self.values: list[tuple[str, str, str]] = []
        self.text = ""
        self.others: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, *(name for name, _ in attrs)))
        self.values += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        self.tags.append(("/" + tag,))

    def handle_data(self, data):
        self.text += data

    def handle_comment(self, data):
        self.others.append(data)

    def handle_decl(self, decl):
        self.others.append(decl)

    unknown_decl = handle_pi = handle_comment


CALM = Page(report_html(night_of("calm text", 12)))
"""An audit ID with a space, as no hostile one, can stand in a query."""


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_changes_no_element_and_no_attribute(text):
    source = report_html(night_of(text, 12))
    page = Page(source)
    assert _without_breaks(page) == _without_breaks(CALM)
    assert page.others == ["doctype html"]
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]", source)
    source.encode()


def _without_breaks(page):
    """Its tags; a name may break where its parts end."""
    return [tag for tag in page.tags if tag != ("wbr",)]


@pytest.mark.parametrize(
    "text", [text for text in HOSTILE.values() if text == visible(text) and 0 < len(text) < 80], ids=ascii
)
def test_a_printable_text_is_read_as_it_was_logged(text):
    assert text in Page(report_html(night(ranked(principal=text)))).text.replace("\n", "")


@pytest.mark.parametrize(
    "text", ["A" * 65_536, "\x1b" * 65_536, "<" * 300, "secrets"], ids=["long", "raw", "tags", "calm"]
)
def test_the_page_stays_below_its_bound_however_many_and_however_long(text):
    page = report_html(night(*(night_of(text, 1).ranked * 700), before=(_earlier(text),)))
    assert len(page.encode()) <= MOST_BYTES
    assert "more principals, in ranking.csv" in " ".join(Page(page).text.split())


def test_a_page_of_500_principals_has_every_row_and_opens_the_first_of_them():
    rows = [_busy(rank) for rank in range(1, 501)]
    page = Page(report_html(night(*rows, before=tuple(_before(rows, back) for back in range(14, 0, -1)))))
    ids = [value for tag, name, value in page.values if (tag, name) == ("tbody", "id")]
    assert ids == [f"rank-{rank}" for rank in range(1, 501)]
    opened = [value for tag, name, value in page.values if tag == "tr" and name == "id"]
    assert opened == [f"of-{number}" for number in range(1, len(opened) + 1)]
    assert FIRST <= len(opened) < 500
    assert f"The first {len(opened)} rows open" in page.text


def _earlier(*names):
    return earlier(date(2026, 11, 21), [(name, "person", 1, 2.5) for name in names])


def _before(rows, back):
    night_then = date(2026, 11, 22) - timedelta(days=back)
    return earlier(night_then, [(row.principal, row.peer_group, row.rank, row.score) for row in rows])


def _busy(rank):
    """As much as is kept of a principal: five reasons, ten requests."""
    name = f"system:serviceaccount:team-{rank:03d}:a-service-with-a-name"
    requests = tuple(request(audit_id=f"7e1f0a52-36a5-4b5c-9d57-{rank:06d}{nth:06d}") for nth in range(10))
    hours = tuple(Hour(hour, 10 * hour, hour, 1) for hour in range(24))
    return ranked(
        rank,
        principal=name,
        reasons=(reason(),) * 5,
        evidence=(evidence(),) * 5,
        detail=detail(requests=requests, hours=hours),
    )


def test_the_policy_allows_this_style_this_script_and_nothing_else():
    source = report_html(night())
    (style,) = re.findall(r"<style>(.*?)</style>", source, re.DOTALL)
    (script,) = re.findall(r"<script>(.*?)</script>", source, re.DOTALL)
    (policy,) = [v for tag, name, v in Page(source).values if tag == "meta" and "default-src" in v and name]
    assert policy == (
        f"default-src 'none'; script-src '{_hashed(script)}'; style-src '{_hashed(style)}'; base-uri 'none'; "
        "form-action 'none'"
    )
    assert source.index("Content-Security-Policy") < source.index("<style>")


def _hashed(text):
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def test_the_page_loads_nothing_and_links_to_itself_alone():
    page = Page(report_html(night_of("calm")))
    tags = [tag for tag, *_ in page.tags]
    assert not set(tags) & {"link", "img", "iframe", "object", "embed", "form", "base", "image"}
    assert tags.count("script") == 1
    assert ("script",) in page.tags, "the script has no attribute, so no source"
    names = {name for _, name, _ in page.values}
    assert not names & {"src", "xlink:href", "srcset", "action", "style", "data"}
    assert not [name for name in names if name.startswith("on")]
    assert not [value for _, name, value in page.values if name == "href" and not value.startswith("#")]
    (style,) = re.findall(r"<style>(.*?)</style>", report_html(night()), re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style


def test_the_same_night_gives_the_same_page():
    assert report_html(night_of("x")) == report_html(night_of("x"))


def test_notices_and_coverage_stand_before_the_ranking():
    text = Page(report_html(night(history_nights=3, notices=("Said by the job.",)))).text
    places = [
        text.index(said)
        for said in ("Who behaved", "Only 3 earlier nights", "Said by the job.", "1,000 lines read", "role/dev-eve")
    ]
    assert places == sorted(places)


def test_a_calm_night_has_no_notice():
    assert ("section", "class", "aria-labelledby") in Page(report_html(night(notices=("x",)))).tags
    assert "Before you read" not in report_html(night())


def test_missing_hours_are_drawn_and_said():
    page = Page(report_html(night(coverage=coverage(hours_seen=tuple(range(22))))))
    drawn = [value for tag, name, value in page.values if tag == "rect" and name == "class"]
    assert drawn[:24] == ["seen"] * 22 + ["missing"] * 2
    assert ("svg", "aria-label", "Hours of the day with an event: 22 of 24") in page.values
    assert "no event in 22, 23 UTC" in page.text


def test_blind_features_and_revised_nights_are_named():
    revised = earlier(date(2026, 11, 20), [], generation=2)
    found = coverage(blind=("privileged_pods", "new_images"))
    text = " ".join(Page(report_html(night(coverage=found, before=(revised, _earlier())))).text.split())
    assert (
        "blind: privileged_pods, new_images. The source cannot show 2 blind features: a zero there is no calm." in text
    )
    assert "7 earlier nights behind the ranks, 7 wanted; added to after they were first archived: 2026-11-20." in text


def test_who_joined_the_first_is_told_before_all_else():
    rows = [
        ranked(rank, principal=f"p-{rank}", newcomer=Newcomer(None, None, ()) if rank == 1 else None)
        for rank in range(1, 13)
    ]
    known = [earlier(date(2026, 11, 21), [(f"p-{rank}", "person", rank - 1, 1.0) for rank in range(2, 13)])]
    text = " ".join(Page(report_html(night(*rows, before=known))).text.split())
    assert "12 principals ranked; 1 joined the first ten since the night of 2026-11-21: p-1 not ranked then" in text
    assert text.index("1 joined") < text.index("What was read")


def test_a_reason_stands_with_its_evidence_what_is_usual_and_its_share():
    text = " ".join(Page(report_html(night())).text.split())
    assert (
        "Secrets read, listed or watched with success. expected less than once in 3,200 nights"
        " 41 requests, 03:12:07 to 03:12:59 UTC 41 requests00 to 2 72 %"
    ) in text
    assert "With 0 instead of 41 requests: rank 38." in text


def test_a_row_says_its_first_reason_in_short_and_how_many_more_there_are():
    text = " ".join(Page(report_html(night(ranked(reasons=(reason(), reason()))))).text.split())
    assert "Secrets read, listed or watched with success: 41 requests; usually 0 and 1 more" in text


def test_requests_new_things_and_bindings_are_shown_as_they_were_kept():
    text = " ".join(Page(report_html(night())).text.split())
    assert (
        "03:12:07getsecrets shop/db-password200203.0.113.7kubectl/v1.31.0 (linux/amd64)"
        "7e1f0a52-36a5-4b5c-9d57-1c2a5d1f0001"
    ) in text
    assert "401 succeeded 2 refused 9 failed" in text
    assert "Client addresses 203.0.113.7 new to the cluster" in text
    assert "Secrets asked for shop/db-password new to its peers and 8 more" in text
    assert "debug-admin of cluster-admin 400 requests and 2 more bindings" in text


def test_a_request_in_the_name_of_another_says_whose_as_harmless_text():
    other = detail(requests=(request(impersonated_user="<b>ann\u202e"),))
    page = report_html(night(ranked(detail=other)))
    assert "secrets shop/db-password as <bdi>&lt;b&gt;ann\\u202e</bdi></td>" in page


def test_a_principal_without_details_keeps_its_evidence_and_its_queries():
    page = report_html(night(ranked(detail=None)))
    assert "7e1f0a52-36a5-4b5c-9d57-1c2a5d1f0002" in page
    assert "Evidence: " not in page


def test_principals_that_moved_together_are_folded_behind_the_first_of_them():
    moved = [ranked(rank, together=Together("agent", "kubectl", 9)) for rank in (3, 4, 11, 12)]
    page = Page(report_html(night(ranked(1), *moved, ranked(13))))
    assert [value for _, name, value in page.values if name == "data-folds"] == ["2"]
    assert [value for _, name, value in page.values if name == "data-behind"] == ["rank-2", "rank-2"]


def test_evidence_without_its_reason_is_shown_too():
    text = " ".join(Page(report_html(night(ranked(evidence=(evidence(feature="denied"),))))).text.split())
    assert "denied 41 requests, 03:12:07" in text


def test_what_is_not_known_is_a_dash():
    source = report_html(night(bare()))
    assert "None" not in Page(source).text
    assert source.count(f"<dd>{DASH}</dd>") == 3
    assert source.count("No single feature stands out.") == 2


def test_times_and_shares_that_are_not_known_are_dashes():
    rows = ranked(reasons=(reason(share=None),), evidence=(evidence(first_ts=None, last_ts=None, audit_ids=()),))
    text = " ".join(Page(report_html(night(rows))).text.split())
    assert "% of the score" not in text
    assert f"41 requests, {DASH} UTC" in text


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ((22, 3, 12), (22, 3, 13), "03:12:00 to 03:13:00 UTC"),
        ((21, 23, 55), (22, 23, 59), "2026-11-21 23:55:00 to 2026-11-22 23:59:00 UTC"),
        ((21, 23, 55), (21, 23, 59), "2026-11-21 23:55:00 to 2026-11-21 23:59:00 UTC"),
    ],
)
def test_once_an_end_of_the_evidence_is_of_another_date_both_bear_theirs(first, last, said):
    times = {name: datetime(2026, 11, *time, tzinfo=UTC) for name, time in (("first_ts", first), ("last_ts", last))}
    text = " ".join(Page(report_html(night(ranked(evidence=(evidence(**times),))))).text.split())
    assert f"41 requests, {said}" in text


def test_the_first_evidence_is_that_of_the_first_reason():
    earlier = evidence(feature="execs", first_ts=datetime(2026, 11, 22, 1, 46, tzinfo=UTC))
    row = ranked(reasons=(reason(), reason(feature="execs")), evidence=(earlier, evidence()))
    assert '<td class="first">03:12:07</td>' in report_html(night(row))


def test_a_night_with_nobody_says_so():
    assert "Nobody to rank" in report_html(night(ranked=()))


def test_a_back_test_is_a_section_of_its_own():
    plain, page = CALM, Page(report_html(night_of("calm"), backtest()))
    assert "What a back-test found" in page.text
    assert "What a back-test found" not in plain.text
    rows = [line for line in page.text.splitlines() if line.startswith(("quiet-listing", "shells", "busy-day"))]
    assert rows == [
        "quiet-listingT161320 % (0 to 66)50 % (9 to 91)100 % (34 to 100)100 % (34 to 100)",
        "shellsT16092100 % (34 to 100)100 % (34 to 100)100 % (34 to 100)100 % (34 to 100)",
        f"busy-day{DASH}10 % (0 to 79)0 % (0 to 79)0 % (0 to 79)100 % (21 to 100)",
    ]
    assert "new-release by a principal of type person (nobody deploys)" in page.text


def test_every_table_head_has_its_scope_and_the_page_its_language():
    page = Page(report_html(night_of("calm")))
    assert ("html", "lang", "en") in page.values
    heads = [tag for tag in page.tags if tag[0] == "th"]
    assert heads
    assert all("scope" in head for head in heads)
