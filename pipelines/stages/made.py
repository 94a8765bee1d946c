"""A derived table of a night, or the stage that makes it."""

from __future__ import annotations

from datetime import date

from pipelines.archive import ITEMS, PRINCIPAL_DAYS, RANKING, Archive
from pipelines.decoded import Derived
from pipelines.errors import OrderError
from pipelines.stages.features import events_of, typed

_BY = {ITEMS: "features", PRINCIPAL_DAYS: "features", RANKING: "score"}


def made(archive: Archive, table: str, night: date) -> Derived:
    """A derived table of a night.

    Raises:
        OrderError: the night has none; says which stage makes it.
        DataError: the object is damaged.
    """
    found = archive.derived(table, night)
    if found is None:
        events_of(archive, night)
        raise OrderError(
            f"{archive.store.url}: {archive.cluster}, {night}: the night has no {table} yet; "
            f"run {typed(_BY[table], archive, night)}"
        )
    return found
