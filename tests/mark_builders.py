"""Marks for tests: one of a principal that does one thing, every field to be overridden by name."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from pipelines.marking.record import EXPECTED, Mark, Range

NIGHT = date(2026, 11, 22)
EVE = "role/dev-eve"
MADE = datetime(2026, 11, 23, 9, tzinfo=UTC)


def mark(state: str = EXPECTED, minute: int = 0, **changes: Any) -> Mark:
    """Eve's 41 secrets of the night, marked so many minutes after nine, for ten nights."""
    return Mark(
        **{
            "cluster": "prod-usw2",
            "night": NIGHT,
            "principal": EVE,
            "state": state,
            "because": "ticket 4711",
            "features": (Range("secret_reads", 41, named=False),),
            "until": NIGHT + timedelta(days=10),
            "made_at": MADE + timedelta(minutes=minute),
            "run_id": "20261123T090000Z-0a1b2c3d",
            "os_user": "ann",
            "aws_identity": None,
        }
        | changes
    )


def named(*features: str) -> tuple[Range, ...]:
    """What a mark holds that names these features, of each 41."""
    return tuple(Range(feature, 41, named=True) for feature in features)
