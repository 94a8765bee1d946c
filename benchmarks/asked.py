"""The figures the forest is held to, and whether they were reached.

Imports benchmarks/ alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks import night
from benchmarks.exactness import Off
from benchmarks.grid import ATTRIBUTION, BUILD, BYTES, SCORE, Figures, ratios
from benchmarks.markdown import spread
from benchmarks.rivals import OURS, SKLEARN

_EXACT = 1e-6


@dataclass
class Seen:
    """All that was measured; empty where a part did not run.

    Attributes:
        off: by kind, rows and columns.
        extra: bytes after each step, by rows and columns.
        nights: seconds by way, by principals.
    """

    quick: bool
    figures: Figures = field(default_factory=dict)
    off: dict[tuple[str, int, int], Off] = field(default_factory=dict)
    extra: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    nights: dict[int, dict[str, float]] = field(default_factory=dict)


def answers(seen: Seen) -> Iterator[list[str]]:
    """Rows of the table: figure, asked, seen, met."""
    yield from _speed(seen.figures)
    sizes = [f.value * 1e-6 for key, f in seen.figures.items() if key[1:] == (BYTES, False, OURS)
             and (key.cell.columns, key.cell.trees) == (24, 100)]  # fmt: skip
    yield from _row("model, D=24, 100 x 256, MB", "at most", 4, sizes)
    for (n, d), risen in seen.extra.items():
        what = f"extra peak of fit + score + attribution, {n:,} rows, D={d}, MB"
        yield from _row(what, "at most", {24: 80, 64: 130}[d], [risen[-1] * 1e-6])
    for part, what in (("score", "score"), ("total", "sum of shares")):
        found = [getattr(off, part) for off in seen.off.values()]
        if found:
            met = "yes" if max(found) <= _EXACT else "no"
            yield [f"{what} beside a double precision walk", f"within {_EXACT:.0e}", f"{max(found):.1e}", met]
    for principals, seconds in seen.nights.items():
        way, best = night.better(seconds)
        seeds = "4 of 20" if seen.quick else "20"
        what = f"a night, {principals:,} principals, {seeds} seeds, s ({way})"
        yield from _row(what, "below", {100: 3, 20_000: 40}[principals], [best])


def _speed(figures: Figures) -> Iterator[list[str]]:
    for d in (24, 48):
        yield from _row(f"score: krcf / ours, D={d}", "at least", 15, ratios(figures, SCORE, "krcf", d))
    for rows in sorted({key.cell.rows for key in figures}):
        slower = [1 / ratio for ratio in ratios(figures, SCORE, SKLEARN, 24, rows)]
        most = 1.0 if rows == 2_000 else 1.5
        yield from _row(f"score: ours / scikit-learn, {rows:,} rows, D=24", "at most", most, slower)
    for d in (24, 48):
        yield from _row(f"attribution: krcf / ours, D={d}", "at least", 25, ratios(figures, ATTRIBUTION, "krcf", d))
    yield from _row("build: rrcf / ours, D=24", "at least", 50, ratios(figures, BUILD, "rrcf", 24))


def _row(figure: str, bound: str, limit: float, found: Sequence[float]) -> Iterator[list[str]]:
    """One row, none where nothing was found; met in every case, in some, or in none."""
    if found:
        reached = [value >= limit if bound == "at least" else value <= limit for value in found]
        met = "yes" if all(reached) else f"{sum(reached)} of {len(reached)}" if any(reached) else "no"
        yield [figure, f"{bound} {limit:g}", spread(min(found), max(found)), met]
