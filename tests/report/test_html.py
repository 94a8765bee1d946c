"""The page: nothing from the log becomes markup, nothing is loaded, doubts come before ranks."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from report_builders import HOSTILE, backtest, bare, coverage, evidence, night, night_of, ranked, reason

from pipelines.report.html import IN_FULL, report_html
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


CALM = Page(report_html(night_of("calm")))


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_changes_no_element_and_no_attribute(text):
    source = report_html(night_of(text))
    page = Page(source)
    assert page.tags == CALM.tags
    assert page.others == ["doctype html"]
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]", source)
    source.encode()


@pytest.mark.parametrize(
    "text", [text for text in HOSTILE.values() if text == visible(text) and 0 < len(text) < 80], ids=ascii
)
def test_a_printable_text_is_read_as_it_was_logged(text):
    assert text in Page(report_html(night(ranked(principal=text)))).text


def test_a_huge_name_leaves_the_page_small():
    assert len(report_html(night_of("A" * 65_536))) < 400_000


def test_the_policy_allows_this_style_and_nothing_else():
    source = report_html(night())
    (style,) = re.findall(r"<style>(.*?)</style>", source, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = [v for tag, name, v in Page(source).values if tag == "meta" and "default-src" in v and name]
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert source.index("Content-Security-Policy") < source.index("<style>")


def test_the_page_loads_runs_and_links_nothing():
    page = Page(report_html(night_of("calm")))
    tags = {tag for tag, *_ in page.tags}
    assert not tags & {"script", "link", "img", "a", "iframe", "object", "embed", "form", "base", "image", "use"}
    names = {name for _, name, _ in page.values}
    assert not names & {"src", "href", "xlink:href", "srcset", "action", "style", "data"}
    assert not [name for name in names if name.startswith("on")]
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


def test_blind_features_are_named():
    assert "cannot show 2 features" in " ".join(
        Page(report_html(night(coverage=coverage(blind=("privileged_pods", "new_images"))))).text.split()
    )


def test_the_first_ranks_are_in_full_and_the_others_in_a_table():
    rows = [ranked(rank, principal=f"p-{rank:02d}") for rank in range(1, IN_FULL + 4)]
    page = Page(report_html(night(*rows)))
    assert [tag for tag, *_ in page.tags].count("article") == IN_FULL
    assert page.values.count(("th", "class", "principal")) == 1 + 3
    assert re.findall(r"p-\d\d", page.text) == [row.principal for row in rows]


def test_a_reason_and_its_evidence_are_read_together():
    text = " ".join(Page(report_html(night())).text.split())
    assert "41 requests Secrets read, listed or watched with success." in text
    assert "usually 0 a night, its peers 0 to 2; expected less than once in 3,200 nights 72 % of the score" in text
    assert "Evidence: 41 requests, 03:12:07 to 03:12:59 UTC 2 audit IDs of 41 requests:" in text
    assert "7e1f0a52-36a5-4b5c-9d57-1c2a5d1f0001" in text


def test_evidence_without_its_reason_is_shown_too():
    page = report_html(night(ranked(evidence=(evidence(feature="denied", audit_ids=("lone-id",)),))))
    assert "lone-id" in page


def test_what_is_not_known_is_a_dash():
    source = report_html(night(bare()))
    assert "None" not in Page(source).text
    assert source.count(f"<dd>{DASH}</dd>") == 3
    assert "No single feature stands out." in source


def test_times_and_shares_that_are_not_known_are_left_out():
    text = " ".join(
        Page(
            report_html(
                night(
                    ranked(
                        reasons=(reason(share=None),),
                        evidence=(evidence(first_ts=None, last_ts=None, audit_ids=()),),
                    )
                )
            )
        ).text.split()
    )
    assert "% of the score" not in text
    assert f"Evidence: 41 requests, {DASH} to {DASH} UTC No audit ID was kept." in text


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
