"""Who is new among the first ranks."""

from datetime import date

from report_builders import earlier, night, ranked

from pipelines.report.model import Newcomer
from pipelines.report.news import news


def _before(day, *names):
    return earlier(date(2026, 11, day), [(name, "person", rank, 1.0) for rank, name in enumerate(names, 1)])


def test_without_an_earlier_night_nothing_is_told():
    assert news(night(ranked(newcomer=Newcomer(None, None, ())))) is None


def test_who_is_new_is_read_off_the_night_that_is_named_whatever_the_ranking_was_made_from():
    """The last night of the history need not be ranked, or by the same features: then the ranking names no newcomer."""
    rows = [ranked(1, principal="stayed", newcomer=Newcomer(None, None, ())), ranked(2, principal="new", newcomer=None)]
    found = news(night(*rows, before=(_before(20, "stayed", "other"),)))
    assert [one.row.principal for one in found.came] == ["new"]


def test_where_everybody_stayed_nobody_is_said_to_have_joined():
    found = news(night(ranked(1, principal="stayed"), before=(_before(20, "stayed"),)))
    assert found.said == "nobody joined the first ten since the night of 2026-11-20"


def test_newcomers_are_those_of_the_first_ten_that_were_not_among_them_on_the_last_night():
    everybody = [f"p-{nth:02d}" for nth in range(1, 13)]
    rows = [ranked(rank, principal=name) for rank, name in enumerate(["new", *everybody[1:]], 1)]
    swapped = [*everybody[:9], everybody[11], everybody[10], everybody[9]]
    found = news(night(*rows, before=(_before(19, "new"), _before(21, *swapped))))
    assert found.said == "2 joined the first ten since the night of 2026-11-21"
    assert [(one.row.principal, one.number, one.was) for one in found.came] == [("new", 1, None), ("p-10", 10, 12)]
