"""The terminal draws names and obeys none."""

import io
import re

import pytest
from report_builders import HOSTILE, bare, night, night_of, ranked
from rich.console import Console

from pipelines.report.model import Newcomer, Places, Together
from pipelines.report.sentences import coverage_line
from pipelines.report.terminal import ranking_table, remarks


def drawn(tonight, **options) -> str:
    out = io.StringIO()
    console = Console(file=out, width=400, color_system=None, force_terminal=False, legacy_windows=False)
    console.print(ranking_table(tonight, **options))
    return out.getvalue()


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_sends_no_control_byte(text):
    shown = drawn(night_of(text)) + coverage_line(night_of(text))
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]", shown)
    shown.encode()


@pytest.mark.parametrize("text", ["[bold]x[/bold]", "[link=https://evil.example]x[/link]", "[/]", ":skull:"])
def test_markup_in_a_name_is_shown_as_it_is(text):
    assert text in drawn(night(ranked(principal=text)))


def test_a_link_in_a_name_is_no_link():
    out = io.StringIO()
    table = ranking_table(night(ranked(principal="[link=https://evil.example]x[/link]")))
    Console(file=out, width=400, force_terminal=True, color_system="truecolor").print(table)
    assert "\x1b]8;" not in out.getvalue()


def test_only_the_first_ranks_are_shown():
    tonight = night(*(ranked(rank, principal=f"p-{rank:02d}") for rank in range(1, 15)))
    assert re.findall(r"p-\d\d", drawn(tonight)) == [f"p-{rank:02d}" for rank in range(1, 11)]
    assert re.findall(r"p-\d\d", drawn(tonight, top=2)) == ["p-01", "p-02"]


def test_a_row_shows_rank_name_type_score_requests_and_first_reason():
    line = next(line for line in drawn(night()).splitlines() if "dev-eve" in line)
    for said in ("1", "role/dev-eve", "person", "120", "412", "41 requests; usually 0 a night"):
        assert said in line


def test_a_principal_without_a_reason_has_a_dash():
    assert "\N{EN DASH}" in drawn(night(bare()))


def test_what_is_remarkable_of_the_first_ranks_is_told_below_the_table():
    move = Together("agent", "argo", 12)
    others = [ranked(n, principal=f"p{n}", together=move) for n in range(3, 15)]
    tonight = night(
        ranked(1, newcomer=Newcomer(None, None, ())), ranked(2, principal="far", places=Places(2, 90, 3)), *others
    )
    first, second, third = remarks(tonight)
    assert first == "rank 1, role/dev-eve: Joined the first ten tonight because no earlier night of it is known."
    assert second.startswith("rank 2, far: The measures disagree, rank 2 by CoDisp, 90 by norm, 3 by AWS score: ")
    assert third.startswith("ranks 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 2 more: 12 principals worked with a client")
    assert list(remarks(tonight, top=0)) == []
