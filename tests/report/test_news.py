"""Who is new among the first ranks."""

from datetime import date

from report_builders import night, ranked

from pipelines.report.earlier import EarlierNight
from pipelines.report.model import Newcomer
from pipelines.report.news import news


def _before(day, *names):
    return EarlierNight.of(date(2026, 11, day), 1, [(name, "person", rank, 1.0) for rank, name in enumerate(names, 1)])


def test_without_an_earlier_night_nothing_is_told():
    assert news(night(ranked(newcomer=Newcomer(None, ())))) is None


def test_newcomers_are_those_of_the_first_ten_that_were_not_among_them_on_the_last_night():
    everybody = [f"p-{nth:02d}" for nth in range(1, 13)]
    came = Newcomer(None, ())
    rows = [
        ranked(rank, principal=name, newcomer=came if name in ("new", "p-10") else None)
        for rank, name in enumerate(["new", *everybody[1:]], 1)
    ]
    swapped = [*everybody[:9], everybody[11], everybody[10], everybody[9]]
    found = news(night(*rows, before=(_before(19, "new"), _before(21, *swapped))))
    assert (found.since, found.stayed) == (date(2026, 11, 21), 8)
    assert [(one.row.principal, one.number, one.was) for one in found.came] == [("new", 1, None), ("p-10", 10, 12)]
