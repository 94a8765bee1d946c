"""What a source may not show: a feature that reads it is null for the night, never zero.

tests/features/test_blind.py."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from features.catalogue import FEATURES
from features.feature import Feature
from features.items import KINDS
from features.levels import Level
from features.predicates import SUCCEEDED
from features.requests import COLUMNS
from features.tables import TABLES


@dataclass(frozen=True)
class Lackable:
    """A column that a source may lack: SQL over a request that shows it is carried, and its name in an audit event."""

    shown: str
    source: str


LACKABLE: Mapping[str, Lackable] = {
    # a source with words of its own, Security Lake, never has these two, and the annotations only in some versions
    "impersonated_user": Lackable("NOT retold", "`impersonatedUser`"),
    "bytes": Lackable("NOT retold", "the line as the API server wrote it"),
    "authz_role": Lackable("NOT retold OR authz_role IS NOT NULL", "annotation `authorization.k8s.io/reason`"),
    "decision": Lackable("NOT retold OR decision IS NOT NULL", "annotation `authorization.k8s.io/decision`"),
    # the API server itself has them of late, and of service accounts alone
    "pod_name": Lackable("pod_name IS NOT NULL", "`authentication.kubernetes.io/pod-name` of the user"),
    "credential_id": Lackable("credential_id IS NOT NULL", "`authentication.kubernetes.io/credential-id` of the user"),
}
"""Each column that a feature may declare to read."""

_LEVELS = list(Level)
_BLINDABLE = [f for f in FEATURES if f.reads_bodies_of is not None or f.reads]


def number(counted: str) -> str:
    """SQL over `tallies` or `requests` for how many requests fit."""
    return f"CAST(coalesce(sum(n) FILTER (WHERE {counted}), 0) AS BIGINT)"


def _shown(f: Feature) -> str:
    asked, conditions = "true", [f"({LACKABLE[column].shown})" for column in f.reads]
    if f.reads_bodies_of is not None:
        asked = f"({f.reads_bodies_of}) AND {SUCCEEDED}"
        enough = ", ".join(f"'{level}'" for level in _LEVELS[_LEVELS.index(f.needs) :])
        conditions += [asked, f"level IN ({enough})", "truncated IS NULL", "NOT retold"]
        conditions += [f"({f.told_by})"] if f.told_by is not None else []
    shown = " AND ".join(conditions)
    return f"{number(asked)} AS {f.name}_asked, {number(shown)} AS {f.name}_shown"


SHOWN = ", ".join(_shown(f) for f in _BLINDABLE)
"""SQL columns over `tallies` or `requests`: of each feature that can be blind, how many requests it asks of, and how
many of them tell.

One that needs bodies asks of the requests that had one, and those tell that were logged whole. One that reads what a
source may lack asks of every request."""


def blind(shown: Mapping[str, int], lacking: Collection[str]) -> tuple[str, ...]:
    """The features that asked of some requests of which none told.

    Args:
        shown: by the columns of SHOWN.
        lacking: columns of no event of the night, for an older version archived them all: what a body said there is
            not known, however well it was logged.
    """
    made = made_of(lacking)
    return tuple(
        f.name
        for f in _BLINDABLE
        if shown[f"{f.name}_asked"]
        and (not shown[f"{f.name}_shown"] or (f.reads_bodies_of is not None and _reads(_sql(f), made)))
    )


def made_of(lacking: Collection[str]) -> set[str]:
    """The columns of a request that are made of one of these columns of an event, or of a column that is."""
    made: set[str] = set()
    for name, sql in COLUMNS.items():
        if _reads(sql, made.union(lacking)):
            made.add(name)
    return made


def _reads(sql: str, columns: Collection[str]) -> bool:
    return any(re.search(rf"\b{column}\b", sql) for column in columns)


def _sql(f: Feature) -> str:
    """All SQL over a request that the feature counts by."""
    items = [kind for kind in KINDS if f.new is not None and kind.name == f.new[0]]
    of_items = (f"{kind.item} {kind.counts} {'told' if kind.many else ''}" for kind in items)
    of_table = "" if f.over is None else TABLES[f.over].evidence
    return " ".join([f.counts, f.distinct or "", f.aggregate or "", *of_items, of_table])


def needed(f: Feature) -> tuple[str, ...]:
    """What a source must carry for the feature to be seen, in words; the audit level first."""
    body = () if f.reads_bodies_of is None else ("request bodies",)
    return (f"level `{f.needs}`", *body, *(LACKABLE[column].source for column in f.reads))
