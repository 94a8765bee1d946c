"""A night is checked at birth; the coverage knows what is missing."""

from datetime import datetime

import pytest
from report_builders import coverage, evidence, ranked, reason


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_refused(bad):
    with pytest.raises(ValueError, match=r"Reason\.surprise"):
        reason(surprise=bad)
    with pytest.raises(ValueError, match=r"RankedPrincipal\.score"):
        ranked(score=bad)


def test_more_audit_ids_than_promised_are_refused():
    evidence(audit_ids=("id",) * 20)
    with pytest.raises(ValueError, match="21 audit IDs"):
        evidence(audit_ids=("id",) * 21)


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="UTC"):
        evidence(first_ts=datetime(2026, 11, 22))  # noqa: DTZ001


def test_an_hour_that_no_day_has_is_refused():
    with pytest.raises(ValueError, match=r"\[24\]"):
        coverage(hours_seen=(0, 24))


def test_missing_hours_are_those_not_seen():
    assert coverage().missing_hours == ()
    assert coverage(hours_seen=tuple(range(1, 23))).missing_hours == (0, 23)
