"""Requests added up: those of one principal and hour that count alike are one row, with their number.

What a night's features and items are counted from. A busy night has six times fewer of these rows than requests, and
they are made while the events are read: no request is kept. Minutes want their own sums, in the same pass."""

from __future__ import annotations

import re

from features.blind import LACKABLE
from features.catalogue import FEATURES
from features.items import KINDS
from features.requests import COLUMNS, MADE, selected

_OF_THE_NIGHT = ("principal", "type", "username", "left_out", "level", "truncated", "retold", "decision", "unparsed")
_OF_TABLES = ("owner", "host_access", "pod_name", "credential_id", "address")
_SUMMED = ("bytes",)
_READ = re.findall(
    r"\w+",
    " ".join([*(f"{f.counts} {f.distinct} {f.aggregate} {f.reads_bodies_of} {f.told_by}" for f in FEATURES),
              *(f"{k.item} {k.counts}" for k in KINDS), *(lackable.shown for lackable in LACKABLE.values()),
              *MADE.values(), *_OF_THE_NIGHT, *_OF_TABLES, "told"]),
)  # fmt: skip
# a text may name a column that it does not read: that makes more rows, and none wrong
ALIKE = [name for name in COLUMNS if name in _READ and name not in ("ts", "n", *_SUMMED)]
"""Columns in which the requests of one row of grain 'alike' are equal."""

_KEY = ", ".join(name for name in ALIKE if name not in MADE)
TALLIES = f"""
SELECT *, {selected(MADE)} FROM (
SELECT {_KEY}, CASE WHEN grouping(each_minute) = 0 THEN 'minute' ELSE 'alike' END AS grain,
  coalesce(each_minute, each_hour) AS unit, count(*) AS n, min(ts) AS ts, max(ts) AS last_ts,
  {", ".join(f"CAST(sum({name}) AS BIGINT) AS {name}" for name in _SUMMED)}
FROM (SELECT *, date_trunc('minute', ts) AS each_minute, date_trunc('hour', ts) AS each_hour FROM requests)
GROUP BY GROUPING SETS (({_KEY}, each_hour), (principal, left_out, each_minute)))
"""
"""SQL over `requests`. Of grain 'alike': `n` requests from `ts` to `last_ts`, equal in every other column and in their
hour, `unit`. Of grain 'minute': what a principal did in one."""

SUMS = ("n", "bytes")
"""Columns that are added where rows are put together; `ts` is the least of them, `last_ts` the greatest."""

TOGETHER = ", ".join(
    [*(f"CAST(sum(t.{name}) AS BIGINT) AS {name}" for name in SUMS), "min(t.ts) AS ts", "max(t.last_ts) AS last_ts"]
)
"""SQL over tallies `t` that are put together: these columns of theirs."""

MINUTES_TOGETHER = f"""
SELECT principal, left_out, grain, unit, {TOGETHER}
FROM tallies AS t WHERE grain = 'minute' GROUP BY principal, left_out, grain, unit
"""
"""SQL over `tallies` of several sets of requests: those of grain 'minute' put together; the other columns are null."""
