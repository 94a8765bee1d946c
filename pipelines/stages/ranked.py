"""The counts that a night was ranked by, and the ranked nights before it. tests/pipelines/test_ranked.py,
tests/e2e/test_stage_order.py."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.archive import PRINCIPAL_DAYS, RANKING, Archive
from pipelines.decoded import Derived
from pipelines.errors import OrderError
from pipelines.report.earlier import LOOK_BACK, EarlierNight
from pipelines.stages.features import typed

_STANDING = ("principal", "peer_group", "rank", "score")
"""Columns of an earlier ranking that are read: its reasons and evidence are most of it."""


def counts_as_ranked(
    archive: Archive, ranking: Derived, night: date, principals: Collection[str]
) -> dict[str, dict[str, Any]]:
    """By principal its row of principal_days.

    Raises:
        OrderError: the ranking was made from other counts than stand in the archive now, or they are gone.
    """
    days = archive.derived(PRINCIPAL_DAYS, night)
    if days is None or days.sha256 != ranking.meta["origin"]["days"]:
        found = "gone" if days is None else "others"
        raise OrderError(
            f"{archive.store.url}: {archive.cluster}, {night}: the counts that the night was ranked by are {found}; "
            f"run {typed('features', archive, night)}, then {typed('score', archive, night)}"
        )
    of = pa.array(sorted(principals), pa.string())
    rows = days.table.filter(pc.is_in(days.table["principal"], of))
    return {row["principal"]: row for row in rows.to_pylist()}


def ranked_before(archive: Archive, night: date, shown: Collection[str]) -> tuple[EarlierNight, ...]:
    """The nights that a report looks back on, as they are ranked now, ascending.

    Args:
        shown: the principals whose standings are kept; spans are of everybody.
    Raises:
        DataError: a ranking is damaged.
    """
    known = [day for day in archive.nights(RANKING) if 0 < (night - day).days <= LOOK_BACK]
    found = ((day, archive.derived(RANKING, day, _STANDING)) for day in known)
    return tuple(_earlier(day, ranking, shown) for day, ranking in found if ranking is not None)


def _earlier(night: date, ranking: Derived, shown: Collection[str]) -> EarlierNight:
    columns = ranking.table.to_pydict()
    return EarlierNight.of(night, ranking.meta["generation"], zip(*columns.values(), strict=True), shown)
