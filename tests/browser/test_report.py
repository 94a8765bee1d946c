"""The report in a real Chromium: hostile text does nothing, everybody can work it, and paper holds what is read."""

from __future__ import annotations

import re
from datetime import date

import pytest
from axe_playwright_python.sync_playwright import Axe
from browser.conftest import WIDTHS
from report_builders import HOSTILE, backtest, bare, coverage, detail_of, earlier, evidence, night, ranked, reason

from pipelines.report.html import report_html
from pipelines.report.model import Together

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufe00-\ufe0f]")


def _before(rows):
    return tuple(
        earlier(date(2026, 11, day), [(row.principal, row.peer_group, row.rank, row.score) for row in rows])
        for day in (18, 19, 21)
    )


def hostile():
    """Every hostile text in every place of its own row, and in those of the page."""
    rows = [
        ranked(
            rank,
            principal=text,
            usernames=(text, text[:50] + "x"),
            type=text,
            marks=(text,),
            together=Together("agent", text, 3),
            reasons=(reason(meaning=text, unit=text), reason(feature=text)),
            evidence=(evidence(audit_ids=(text,)), evidence(feature=text)),
            detail=detail_of(text),
        )
        for rank, text in enumerate(HOSTILE.values(), 1)
    ]
    notices = tuple(text for text in HOSTILE.values() if len(text) < 100)
    return night(*rows, notices=notices, before=_before(rows), coverage=coverage(blind=("<b>blind</b>",)))


def ordinary(many=30):
    """Persons and workloads; those of every third rank moved together."""
    moved = Together("agent", "kubectl", 9)
    rows = [
        ranked(
            rank,
            principal=f"user-{many - rank:03d}",
            requests=1000 * rank,
            together=None if rank % 3 else moved,
            type="workload" if rank % 2 else "person",
            peer_group="workload" if rank % 2 else "person",
            marks=("few requests",) if rank == 2 else (),
        )
        for rank in range(1, many)
    ]
    return night(*rows, bare(many), before=_before(rows), history_nights=3, notices=("Said by the job.",))


NIGHTS = {"nobody": night(ranked=()), "one": night(bare()), "ordinary": ordinary(), "500": ordinary(500)}


@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_of_hostile_text_does_nothing_and_hides_nothing(opened, width):
    page = opened(report_html(hostile()), width)
    for button in page.page.locator(".who button").all():
        button.click()
    assert page.overflows <= 0
    text = page.page.locator("body").inner_text()
    assert not _UNSEEN.search(text)
    for escape in (
        r"\u202etxt.exe",
        r"ad\u200bmin",
        r"\u001b[2Jgone",
        r"\u2066a\u2069",
        "<img src=x onerror=alert(1)>",
    ):
        assert escape in text
    assert page.page.locator("main img, main a[href^=http], main iframe").count() == 0
    assert page.page.title().startswith("prod-usw2")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", NIGHTS)
def test_no_page_is_wider_than_its_window(opened, name, width):
    page = opened(report_html(NIGHTS[name], backtest()), width)
    for button in page.page.locator(".who button").all()[:3]:
        button.click()
    assert page.overflows <= 0


def test_a_row_opens_and_closes_by_keyboard_and_arrows_walk_the_rows(opened):
    page = opened(report_html(ordinary())).page
    first, second = page.locator(".who button").nth(0), page.locator(".who button").nth(1)
    section = page.locator("#of-1")
    assert section.is_hidden()
    first.focus()
    page.keyboard.press("Enter")
    assert section.is_visible()
    assert first.get_attribute("aria-expanded") == "true"
    assert first.get_attribute("aria-controls") == "of-1"
    page.keyboard.press("Space")
    assert section.is_hidden()
    page.keyboard.press("ArrowDown")
    assert second.evaluate("button => button === document.activeElement")
    page.keyboard.press("ArrowUp")
    assert first.evaluate("button => button === document.activeElement")


def test_everything_is_reached_by_the_tab_key_in_the_order_of_the_page(opened):
    page = opened(report_html(ordinary())).page
    page.locator("#find").focus()
    reached = []
    for _ in range(9):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
    assert reached[:8] == ["type", "fold", "Rank", "Principal", "Score", "Requests", "First evidence", "user-029"]


def test_a_head_sorts_by_keyboard_says_so_and_sorts_back(opened):
    page = opened(report_html(ordinary()))
    head = page.page.locator("#ranks thead button", has_text="Requests")
    by_rank = page.rows()
    head.press("Enter")
    assert page.page.locator("#ranks th[aria-sort]").all_inner_texts() == ["Requests"]
    assert page.page.locator("#ranks th[aria-sort=descending]").count() == 1
    assert page.rows()[:1] == [by_rank[-2].replace("28", "29")] or page.rows()[0].startswith("29")
    head.press("Space")
    assert page.page.locator("#ranks th[aria-sort=ascending]").count() == 1
    page.page.locator("#ranks thead button", has_text="Principal").press("Enter")
    assert page.rows()[-1].split()[0] == "1"
    page.page.locator("#ranks thead button", has_text="Rank").press("Enter")
    assert page.rows() == by_rank


def test_words_and_a_type_narrow_the_table_and_the_number_of_rows_is_announced(opened):
    page = opened(report_html(ordinary()))
    page.page.locator("#find").focus()
    page.page.keyboard.type("USER-00")
    assert [row.split()[0] for row in page.rows()] == [str(rank) for rank in range(21, 30)]
    assert page.page.get_by_role("status").inner_text() == "9 of 30 shown"
    page.page.locator("#type").select_option("person")
    assert [row.split()[0] for row in page.rows()] == ["22", "24", "26", "28"]
    page.page.locator("#find").fill("nobody of this name")
    assert page.rows() == []


def test_who_moved_together_is_folded_behind_the_first_and_unfolds_by_keyboard(opened):
    page = opened(report_html(ordinary()))
    folded = [str(rank) for rank in range(12, 28, 3)]
    assert not set(folded) & {row.split()[0] for row in page.rows()}
    more = page.page.locator("button.chip")
    assert more.inner_text() == "show 6 behind it"
    more.press("Enter")
    assert [row.split()[0] for row in page.rows()][2:10] == ["3", *folded, "4"]
    more.press("Enter")
    page.page.locator("#fold").press("Space")
    assert len(page.rows()) == 30


def test_a_link_of_the_headline_opens_its_row(opened):
    page = opened(report_html(night(*(ranked(rank, principal=f"p-{rank}") for rank in (1, 2)))))
    page.page.evaluate("location.hash = 'rank-2'")
    page.page.locator("#of-2").wait_for(state="visible")
    assert page.page.locator("#of-1").is_hidden()


def test_without_the_script_everything_is_open(opened):
    page = opened(report_html(ordinary()), java_script_enabled=False).page
    assert (
        page.locator("#ranks > tbody").count() == page.locator("#ranks > tbody > tr:first-child:visible").count() == 30
    )
    assert page.locator(".section").count() == page.locator(".section:visible").count() > 20
    assert page.locator(".tools").is_hidden()


def test_paper_holds_every_row_and_the_first_ten_open(opened):
    page = opened(report_html(ordinary())).page
    assert page.pdf(format="A4").startswith(b"%PDF")
    page.emulate_media(media="print")
    assert page.locator(".section:visible").count() == 10
    assert page.locator(".tools").is_hidden()
    assert page.locator("#rank-30").is_visible()


def test_dark_is_dark_and_print_is_light(opened):
    page = opened(report_html(ordinary()), color_scheme="dark").page
    assert _lightness(page) < 60
    page.emulate_media(media="print", color_scheme="dark")
    assert _lightness(page) > 240


def _lightness(page):
    numbers = re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))
    return max(map(int, numbers[:3]))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["nobody", "ordinary"])
def test_axe_finds_nothing_serious(opened, name, width, scheme):
    page = opened(report_html(NIGHTS[name], backtest()), width, color_scheme=scheme).page
    for button in page.locator(".who button").all()[:3]:
        button.click()
    for details in page.locator("details:visible").all():
        details.evaluate("one => one.open = true")
    found = Axe().run(page).response["violations"]
    assert [
        (one["id"], one["impact"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] != "minor"
    ] == []
