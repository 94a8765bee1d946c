"""Tables for a terminal, of any text: drawn, never interpreted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from rich.table import Table
from rich.text import Text

from pipelines.report.text import clip, visible


def table(
    title: str,
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    numbers: Collection[str] = (),
    whole: Collection[str] = (),
) -> Table:
    """A table under its title; columns in `numbers` stand to the right, and break no more than those in `whole`."""
    drawn = Table(title=drawable(title), title_justify="left")
    for head in heads:
        number = head in numbers
        kept = number or head in whole
        drawn.add_column(Text(head), justify="right" if number else "left", no_wrap=kept, overflow="fold")
    for row in rows:
        drawn.add_row(*map(drawable, row))
    return drawn


def drawable(value: str) -> Text:
    """The text as letters: `[bold]` and `[link=...]` are no markup."""
    return Text(visible(value))


def some(items: Sequence[str], most: int, width: int) -> str:
    """The first of them, clipped, and how many more there are."""
    told = ", ".join(clip(item, width) for item in items[:most])
    return told if len(items) <= most else f"{told} and {len(items) - most:,} more"
