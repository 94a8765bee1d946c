"""A derived table of a night, or the stage that makes it. tests/e2e/test_stage_order.py, test_which.py."""

from __future__ import annotations

from datetime import date

from pipelines.archive import ITEMS, PRINCIPAL_DAYS, RANKING, Archive
from pipelines.decoded import Derived
from pipelines.errors import OrderError
from pipelines.stages.features import events_of, typed

_BY = {ITEMS: "features", PRINCIPAL_DAYS: "features", RANKING: "score"}


def made(archive: Archive, table: str, night: date, command: str | None = None) -> Derived:
    """A derived table of a night.

    Args:
        command: that was given, if naming another night is all that it takes to give it again.
    Raises:
        OrderError: the night has none. Says which stage makes it, or where no event of the night is archived, which
            night was ranked last and how this one is archived.
        DataError: the object is damaged.
    """
    found = archive.derived(table, night)
    if found is None:
        events_of(archive, night, _rather(archive, table, command))
        raise OrderError(
            f"{archive.store.url}: {archive.cluster}, {night}: the night has no {table} yet; "
            f"run {typed(_BY[table], archive, night)}"
        )
    return found


def _rather(archive: Archive, table: str, command: str | None) -> str:
    nights = archive.nights(RANKING) if table == RANKING else []
    if not nights:
        return ""
    last = f"name {nights[-1]}" if command is None else f"run {typed(command, archive, nights[-1])}"
    return f"{last} for the last that is ranked, or to archive this one "
