"""Who joined the first ranks since the night before. Tested in tests/report/test_news.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pipelines.report.model import Night, RankedPrincipal
from pipelines.report.sentences import FIRST


@dataclass(frozen=True)
class Came:
    """One of the first ranks that was not among the first on the night before."""

    row: RankedPrincipal
    number: int  # of its row in the table, from 1
    was: int | None  # its rank on the night before; None where it was not ranked


@dataclass(frozen=True)
class News:
    """The first ranks against those of the last night that was ranked before."""

    since: date
    came: Sequence[Came]  # in the order of rank

    @property
    def said(self) -> str:
        """`8 joined the first ten since the night of 2026-09-14`; without how many stayed, for marks set some apart."""
        return f"{len(self.came) or 'nobody'} joined the first ten since the night of {self.since}"


def news(night: Night) -> News | None:
    """None where no earlier night is ranked."""
    if not night.before:
        return None
    last = night.before[-1]
    first = [row for row in night.ranked if row.rank <= FIRST]
    came = []
    for number, row in enumerate(first, 1):
        then = last.standings.get(row.principal)
        if then is None or then.rank > FIRST:
            came.append(Came(row, number, None if then is None else then.rank))
    return News(last.date, came)
