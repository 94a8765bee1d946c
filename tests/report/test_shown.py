"""What `show` and `compare` say on a terminal and to programs: everything, and as letters."""

import io
import json
import re
from dataclasses import replace

import pytest
from report.shown_builders import BEFORE, NIGHT, compared, hostile, request, shown, used
from report_builders import HOSTILE, bare, night, ranked, reason
from rich.console import Console
from rich.text import Text

from pipelines.report.compared_text import compared_text
from pipelines.report.sentences import SHARED_OUT
from pipelines.report.shown import Changed, PastRank
from pipelines.report.shown_json import compared_json, shown_json
from pipelines.report.shown_text import shown_text
from pipelines.report.text import visible


def drawn(results) -> str:
    """As `jobs.say` draws them."""
    out = io.StringIO()
    console = Console(file=out, width=300, color_system=None, force_terminal=False, legacy_windows=False)
    for result in results:
        console.print(Text(visible(result)) if isinstance(result, str) else result, soft_wrap=True)
    return out.getvalue()


def line_with(text, *words):
    """Whether some line holds all of them."""
    return any(all(word in line for word in words) for line in text.splitlines())


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_sends_no_control_byte(text):
    one, two = hostile(text)
    said = drawn(shown_text(one)) + drawn(compared_text(two)) + shown_json(one) + compared_json(two)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]", said)
    said.encode()


@pytest.mark.parametrize("text", ["[bold]x[/bold]", "[link=https://evil.example]x[/link]", "[/]", ":skull:"])
def test_markup_in_a_name_is_shown_as_it_is(text):
    one, two = hostile(text)
    assert drawn(shown_text(one)).count(text) > 10
    assert drawn(compared_text(two)).count(text) > 3


def test_everything_is_told_of_a_principal():
    said = drawn(shown_text(shown()))
    assert line_with(
        said, "night of 2026-11-22", "rank 1 (1 to 2", "of 12", "score 120", "412 requests", "strange since tonight"
    )
    assert line_with(said, "1. Secrets read, listed or watched with success: 41 requests", "(72 % of the score)")
    assert "With 0 instead of 41 requests: rank 38." in said
    assert line_with(said, str(BEFORE), "11", "no request")
    assert line_with(said, str(NIGHT), "1", "12", "120", "412", "41")
    assert line_with(said, "Client addresses", "1", "203.0.113.9")
    assert SHARED_OUT in said
    assert line_with(said, "03:12:00", "get secrets shop/own", "200", "203.0.113.9 curl/8.9", "7e1f0a52-36a5", " 1 ")
    assert line_with(said, "get", "pods", "shop", "41", "2026-11-22 03:12", "readers/shop of reader")


def test_a_principal_without_anything_says_so_in_each_place():
    past = (PastRank(BEFORE, 12), PastRank(NIGHT, None))
    said = drawn(shown_text(shown(night=night(bare()), new=(), evidence=(), used=(), past=past)))
    for told in (
        "No single feature stands out",
        "nothing was new",
        "no request is evidence",
        "was allowed",
        "not ranked",
    ):
        assert told in said


def test_the_ranks_begin_with_the_first_night_that_was_ranked():
    past = (PastRank(BEFORE, None), PastRank(NIGHT, 12))
    said = drawn(shown_text(shown(past=past)))
    assert str(BEFORE) not in said
    assert line_with(said, str(NIGHT), "12", "no request")


@pytest.mark.parametrize(
    ("nights", "low", "told"), [(1, 0.0, True), (2, 0.0, False), (1, None, False)], ids=["one", "two", "none is usual"]
)
def test_a_usual_count_that_rests_on_one_night_says_so(nights, low, told):
    row = ranked(history_nights=nights, reasons=(reason(usual_low=low, usual_high=low),))
    assert ("rests on one night alone" in drawn(shown_text(shown(night=night(row))))) == told


def test_of_many_things_the_first_are_shown_and_the_rest_counted():
    many = tuple(used(resource=f"r{n:02}") for n in range(45))
    said = drawn(shown_text(shown(used=many)))
    assert len(re.findall(r"\br\d\d\b", said)) == 40
    assert "45 permissions used on 1 night, the 40 used most (--format json has all)" in said
    assert len(json.loads(shown_json(shown(used=many)))["used"]) == 45
    assert " and 1 more" in drawn(shown_text(hostile("x")[0]))


def test_a_permission_says_who_granted_it_and_that_it_was_for_another():
    said = drawn(shown_text(shown(used=(used(as_other=True, grants=shown().used[0].grants * 2),))))
    assert "pods (as somebody else)" in said
    assert "readers/shop of reader; readers/shop of reader" in said


def test_evidence_of_several_reasons_names_their_places():
    row = ranked(reasons=(reason(), reason(feature="rbac_writes")))
    found = request(features=("secret_reads", "rbac_writes"), impersonated_user="root")
    said = drawn(shown_text(shown(night=night(row), evidence=(found,))))
    assert line_with(said, "get secrets shop/own as root", "1, 2")


def test_an_audit_id_that_several_requests_bear_says_so_and_events_that_are_gone_do():
    said = drawn(shown_text(shown(evidence=(request(audit_id="id", alike=1200),))))
    assert "id (one of 1,200 requests with this ID)" in said
    assert "gone" not in drawn(shown_text(shown()))
    told = "the events of the night are gone"
    assert f"1 of 1 request kept, {told}" in drawn(shown_text(shown(events_gone=True)))
    assert f"no request that is evidence is kept, {told}" in drawn(shown_text(shown(events_gone=True, evidence=())))


def test_the_json_holds_the_row_under_its_columns_and_everything_beside_it_raw():
    told = json.loads(shown_json(hostile("\u202eeve\n")[0]))
    assert list(told) == [
        *(
            "cluster",
            "date",
            "principals",
            "notices",
            "ranking",
            "past",
            "new",
            "evidence",
            "events_gone",
            "used_nights",
            "used",
        )
    ]
    assert told["ranking"]["principal"] == told["used"][0]["verb"] == told["evidence"][0]["name"] == "\u202eeve\n"
    assert told["used"][0]["last"] == "2026-11-22T03:12:00.000000Z"
    assert told["used_nights"] == ["2026-11-22"]


def test_a_comparison_tells_ranks_counts_and_what_is_new_or_gone():
    said = drawn(compared_text(compared()))
    assert said.startswith("role/dev-eve of prod-usw2, 2026-11-21 and 2026-11-22\n")
    assert line_with(said, str(BEFORE), "no request")
    assert line_with(said, "Secrets read (requests)", "\N{EN DASH}", "41", "once in 3,200 nights")
    assert line_with(said, "Client addresses", "1: 10.0.0.7", "1: 203.0.113.9")


def test_of_many_counts_the_most_surprising_are_shown():
    counts = tuple(Changed(f"c{n}", f"Count {n:02}.", "requests", 0, n, 0.0, 1.0) for n in range(20))
    said = drawn(compared_text(compared(counts=counts, items=())))
    assert len(re.findall(r"Count \d\d", said)) == 15
    assert "20 counts differ, the 15 most surprising" in said
    assert "it touched the same things on both" in said
    assert "every count is the same" in drawn(compared_text(compared(counts=())))
    assert len(json.loads(compared_json(compared(counts=counts)))["counts"]) == 20


def test_a_long_text_is_clipped_in_every_place():
    one, two = hostile("x" * 100_000)
    # notices are the job's own words
    one = replace(one, night=replace(one.night, notices=()))
    assert drawn(shown_text(one)).count("x") < 50_000
    assert drawn(compared_text(two)).count("x") < 10_000
