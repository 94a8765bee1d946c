"""Requests added up: those of one principal and hour that count alike are one row, with their number.

What a night's features and items are counted from. A busy night has six times fewer of these rows than requests, and
they are made while the events are read: no request is kept. Busiest minutes want their own sums, in the same pass."""

from __future__ import annotations

import re

from features.catalogue import FEATURES
from features.items import KINDS
from features.requests import COLUMNS

_PEAKS = [f for f in FEATURES if f.peak is not None]
_UNITS = tuple(dict.fromkeys(f.peak for f in _PEAKS if f.peak is not None))

_OF_THE_NIGHT = ("principal", "type", "username", "left_out", "level", "truncated", "retold")
_READ = re.findall(
    r"\w+",
    " ".join([*(f"{f.counts} {f.distinct} {f.reads_bodies_of}" for f in FEATURES),
              *(f"{k.item} {k.counts}" for k in KINDS), *_OF_THE_NIGHT]),
)  # fmt: skip
# a text may name a column that it does not read: that makes more rows, and none wrong
_ALIKE = [name for name in COLUMNS if name in _READ and name not in ("ts", "n")]


def _grain() -> str:
    units = " ".join(f"WHEN grouping(each_{unit}) = 0 THEN '{unit}'" for unit in _UNITS)
    return f"CASE {units} ELSE 'alike' END"


def _sets() -> str:
    alike = f"({', '.join(_ALIKE)}, each_hour)"
    return ", ".join([alike, *(f"(principal, each_{unit})" for unit in _UNITS)])


def _truncated() -> str:
    return ", ".join(f"date_trunc('{unit}', ts) AS each_{unit}" for unit in dict.fromkeys(("hour", *_UNITS)))


TALLIES = f"""
SELECT {", ".join(_ALIKE)}, {_grain()} AS grain, count(*) AS n, min(ts) AS ts,
  {", ".join(f"count(*) FILTER (WHERE NOT left_out AND coalesce({f.counts}, false)) AS {f.name}" for f in _PEAKS)}
FROM (SELECT *, {_truncated()} FROM requests)
GROUP BY GROUPING SETS ({_sets()})
"""
"""SQL over `requests`. Of grain 'alike': `n` requests, the first at `ts`, equal in every other column and in their
hour. Of the grain of a peak: what a principal did in one such unit of time that counts towards the peak."""
