"""Where the measures of one row disagree, and what that means in words.

CoDisp says how alone a row stands, the norm how much about it is unusual, the AWS score how early it is parted from
others. One sees a principal at the top that another does not: that is worth a sentence.
tests/report/test_opinions.py."""

from __future__ import annotations

from pipelines.report.model import Places, RankedPrincipal
from pipelines.report.sentences import FIRST

FACTOR = 5
"""Ranks that lie apart by so much disagree."""

_MEANS = {
    ("codisp", "norm"): "it stands alone, though by few or slight surprises.",
    ("norm", "codisp"): "much about it is unusual, but earlier nights hold rows like it.",
    ("norm", "aws_score"): "much about it is unusual, though it is parted from other rows only late.",
    ("codisp", "aws_score"): "few features part it from many rows that are otherwise like it.",
    ("aws_score", "codisp"): "it is parted from other rows early, but does not stand far from all of them.",
    ("aws_score", "norm"): "it is parted from other rows early, though by few or slight surprises.",
}
"""What it means that the first measure sees a principal most and the second least."""

_CALLED = {"codisp": "CoDisp", "norm": "norm", "aws_score": "AWS score"}


def disagree(places: Places) -> bool:
    """Does one measure see the principal that another ranks FACTOR times as far down, and below the first ten?"""
    best, worst = min(places.each), max(places.each)
    return best <= FIRST < worst and worst >= FACTOR * best


def disagreement(row: RankedPrincipal) -> str | None:
    """`The measures disagree, rank 2 by CoDisp, 41 by norm, 12 by AWS score: it stands alone, though ...`"""
    places = row.places
    if places is None or not disagree(places):
        return None
    by = dict(zip(_CALLED, places.each, strict=True))
    most, least = min(by, key=lambda name: by[name]), max(by, key=lambda name: by[name])
    told = ", ".join(f"{place:,} by {_CALLED[name]}" for name, place in by.items())
    return f"The measures disagree, rank {told}: {_MEANS[most, least]}"
