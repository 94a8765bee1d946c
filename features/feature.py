"""What a feature is: one whole number of a principal's night, its SQL, its evidence and what it needs to be seen."""

from __future__ import annotations

from dataclasses import dataclass

from features.levels import Level
from features.predicates import ACTION_ON_OBJECT

YARDSTICKS = ("principal", "type", "cluster")
"""For whom an item is new."""


REPEATS = 5
"""How often one request that is made over and over counts as a failure or a question: a loop is no search."""

FIRST_NIGHT = 1
"""How many new items of a kind count for a principal on its first night: all is new then, and more says no more."""


@dataclass(frozen=True)
class Feature:
    """One whole number of a principal's night.

    Exactly one of five forms: requests that satisfy `counts`; distinct values of `distinct` among them, or, with
    `at_most`, the requests for each of these values up to so many; an `aggregate` of them; an `aggregate` of the rows
    of a small table, `over`; items of kind `new[0]` that are new for `new[1]`, an item's yardstick. `counts` is also
    the evidence, but for a small table, which has its own."""

    name: str
    group: str
    unit: str
    meaning: str
    counts: str = "true"
    distinct: str | None = None
    at_most: int | None = None
    aggregate: str | None = None
    over: str | None = None
    new: tuple[str, str] | None = None
    needs: Level = Level.METADATA
    reads_bodies_of: str | None = None
    """Requests whose body it reads; where none of them was logged at the level it needs, it is blind."""
    told_by: str | None = None
    """SQL over such a request that shows its body was read, where the level alone does not."""
    reads: tuple[str, ...] = ()
    """Columns that a source may lack (features/blind.py); where it does the feature is blind."""
    forest: bool = True
    """Does the forest read it? The others are counted for people to read."""


def requests(
    name: str,
    group: str,
    meaning: str,
    counts: str,
    reads_bodies_of: str | None = None,
    *,
    reads: tuple[str, ...] = (),
    forest: bool = True,
) -> Feature:
    """A count of requests."""
    needs = Level.METADATA if reads_bodies_of is None else Level.REQUEST
    return Feature(
        name,
        group,
        "requests",
        meaning,
        counts,
        needs=needs,
        reads_bodies_of=reads_bodies_of,
        reads=reads,
        forest=forest,
    )


def distinct(
    name: str,
    group: str,
    unit: str,
    meaning: str,
    expression: str,
    counts: str = "true",
    *,
    reads: tuple[str, ...] = (),
    forest: bool = True,
) -> Feature:
    """A count of different values."""
    return Feature(name, group, unit, meaning, counts, distinct=expression, reads=reads, forest=forest)


def of_table(
    name: str,
    group: str,
    unit: str,
    meaning: str,
    over: str,
    aggregate: str,
    *,
    reads: tuple[str, ...] = (),
    forest: bool = True,
) -> Feature:
    """An aggregate of a small table's rows."""
    return Feature(name, group, unit, meaning, aggregate=aggregate, over=over, reads=reads, forest=forest)


def repeated(name: str, group: str, meaning: str, counts: str) -> Feature:
    """A count of requests, the same one at most so often."""
    told = f"{meaning}, one that is repeated at most {REPEATS} times."
    return Feature(name, group, "requests", told, counts, distinct=ACTION_ON_OBJECT, at_most=REPEATS)
