"""Tables as the pages under docs/ hold them.

Imports nothing of ours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]], notes: Sequence[str] = ()) -> str:
    """A heading, the notes below it, and one markdown table."""
    lines = [f"### {title}", ""]
    for note in notes:
        lines += [note, ""]
    lines += [_line(header), "|" + "-|" * len(header)]
    lines += [_line(row) for row in rows]
    return "\n".join([*lines, ""])


def number(value: float) -> str:
    """Three digits that matter, thousands parted by commas."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def spread(low: float, high: float) -> str:
    """A range; one number where its ends read the same."""
    a, b = number(low), number(high)
    return a if a == b else f"{a} to {b}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
