"""summary.json: a night in a few lines, from which the list of all nights is made without reading whole reports.

Every text is as it was logged, in ASCII. Tested in tests/report/test_summary.py.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from pydantic import ConfigDict, TypeAdapter

from pipelines.report.model import Night, Reason
from pipelines.report.sentences import in_short, notices
from pipelines.report.text import clip

FIRST_OF_ALL = 3
"""Ranks that are named."""

_LONGEST = 500
_FORM = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class First:
    """One of the first ranks of a night."""

    __pydantic_config__ = _FORM

    rank: int
    principal: str
    score: float
    reason: str | None  # the first one


@dataclass(frozen=True)
class Summary:
    """One night of one cluster."""

    __pydantic_config__ = _FORM

    cluster: str
    date: str
    generation: int
    principals: int
    notices: int
    first: tuple[First, ...]

    @classmethod
    def of(cls, night: Night) -> Self:
        """Of a night as it is reported: who is marked as expected is counted, and not named."""
        first = tuple(
            First(row.rank, clip(row.principal, _LONGEST), row.score, _reason(row.reasons))
            for row in night.ranked[:FIRST_OF_ALL]
        )
        said = len(notices(night))
        return cls(night.cluster, night.date.isoformat(), night.generation, len(night.principals), said, first)

    def to_json(self) -> str:
        """Canonical JSON, ASCII only."""
        plain = {name: getattr(self, name) for name in ("cluster", "date", "generation", "principals", "notices")}
        return json.dumps(plain | {"first": [vars(one) for one in self.first]}, indent=1) + "\n"

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        """What to_json wrote.

        Raises:
            ValueError, RecursionError: it is no such document, or of another version, or a value in it is of a wrong
                type.
        """
        return TypeAdapter(cls).validate_python(json.loads(body))


def _reason(reasons: Sequence[Reason]) -> str | None:
    return clip(in_short(reasons[0]), _LONGEST) if reasons else None
