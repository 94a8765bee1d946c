"""Who joined the first ranks, and which of its reasons were not strange on its own last night."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from features.counts import STRANGE
from features.matrix import SUFFIXES
from pipelines.decoded import Derived
from pipelines.report.sentences import FIRST
from pipelines.stages.history import History, PastNight
from pipelines.stages.newcomer import newcomers

MONDAY, TUESDAY = date(2026, 9, 14), date(2026, 9, 15)
NAMES = ("secret_reads", "execs")


def _night(night, **principals):
    """A night on which principals had these (count, surprise) of each feature."""
    columns = {"principal": list(principals)}
    for k, name in enumerate(NAMES):
        columns[name] = [cells[k][0] for cells in principals.values()]
        columns |= {
            f"{name}_{suffix}": [float(cells[k][1]) for cells in principals.values()] for suffix in SUFFIXES.values()
        }
    table = Derived(pa.table(columns), {}, "")
    return PastNight(night, table, table)


def _ranking(*principals):
    return Derived(pa.table({"principal": list(principals), "rank": list(range(1, len(principals) + 1))}), {}, "")


def _tonight(*principals):
    reasons = [{"feature": name, "value": 41} for name in NAMES]
    return [{"principal": name, "rank": n, "reasons": reasons} for n, name in enumerate(principals, 1)]


PAST = History(
    (
        _night(MONDAY, eve=((3, STRANGE), (0, 0)), bob=((0, 0), (1, STRANGE))),
        _night(TUESDAY, eve=((0, 0), (2, STRANGE + 1))),
    ),
    (),
)
CALM = [f"p{n}" for n in range(FIRST)]


def test_reasons_that_were_not_strange_on_its_last_night_are_new():
    found = newcomers(_tonight("eve"), PAST, _ranking(*CALM))
    new = [{"feature": "secret_reads", "value": 41, "before": 0}]
    assert found == {"eve": {"absent": None, "last_night": TUESDAY, "new": new}}


def test_the_last_night_is_the_principals_own():
    found = newcomers(_tonight("bob"), PAST, _ranking(*CALM))
    assert found["bob"]["last_night"] == MONDAY
    assert found["bob"]["absent"] == TUESDAY
    assert [new["feature"] for new in found["bob"]["new"]] == ["secret_reads"]


def test_who_was_never_seen_has_no_last_night():
    assert newcomers(_tonight("new"), PAST, _ranking(*CALM)) == {"new": {"absent": None, "last_night": None, "new": []}}


@pytest.mark.parametrize("before", [None, _ranking("eve")], ids=["nothing ranked before", "there before"])
def test_nobody_is_new_who_was_there_or_where_nobody_can_know(before):
    assert newcomers(_tonight("eve"), PAST, before) == {}


def test_only_the_top_counts_then_and_now():
    below = _ranking(*CALM, "eve")
    assert set(newcomers(_tonight("eve"), PAST, below)) == {"eve"}
    assert newcomers(_tonight(*CALM, "eve"), PAST, _ranking(*CALM)) == {}
