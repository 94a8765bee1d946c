"""What `auditforest compare` says on a terminal. Text from the log is drawn, never interpreted.

Tested in tests/report/test_compared.py."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from pipelines.report.drawing import some, table
from pipelines.report.sentences import NOTHING, counted, figure, rarity
from pipelines.report.shown import Changed, Compared
from pipelines.report.shown_text import past_table
from pipelines.report.text import clip, shown_name

_NAME = 100
_COUNTS = 15
_ITEMS = 8


def compared_text(found: Compared) -> Iterator[str | Table]:
    """Both ranks, the counts that differ, things new and gone; a line or a table each."""
    before, after = found.before.night, found.after.night
    yield f"{shown_name(found.principal, _NAME)} of {clip(found.cluster, _NAME)}, {before} and {after}"
    yield past_table((found.before, found.after))
    yield _counts(found)
    yield _items(found)


def _counts(found: Compared) -> Table | str:
    if not found.counts:
        return "every count is the same"
    before, after = str(found.before.night), str(found.after.night)
    heads = ("Count", before, after, "How rare, on the stranger of the two")
    title = counted(len(found.counts), "counts") + " differ"
    if len(found.counts) > _COUNTS:
        title += f", the {_COUNTS} most surprising (--format json has all)"
    return table(title, heads, map(_count, found.counts[:_COUNTS]), (before, after))


def _count(one: Changed) -> tuple[str, ...]:
    rare = rarity(one.surprise) if one.surprise else NOTHING
    return (f"{one.meaning.rstrip('. ')} ({one.unit})", figure(one.before), figure(one.after), rare)


def _items(found: Compared) -> Table | str:
    if not found.items:
        return "it touched the same things on both"
    heads = ("What", f"Only on {found.before.night}", f"Only on {found.after.night}")
    rows = ((one.meaning, *(_some(items) for items in (one.vanished, one.new))) for one in found.items)
    return table("Things it touched on one of the two", heads, rows)


def _some(items: tuple[str, ...]) -> str:
    return f"{len(items):,}: {some(items, _ITEMS, _NAME)}" if items else NOTHING
