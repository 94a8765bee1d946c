"""`show` and `compare` for programs: every text exactly as logged, in ASCII.

Tested in tests/report/test_shown.py."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from typing import Any

from pipelines.report.columns import COLUMNS, Cell, utc
from pipelines.report.sentences import notices
from pipelines.report.shown import Compared, Shown


def shown_json(found: Shown) -> str:
    """One JSON object: the row of the ranking under its columns' names, then what `show` tells beside it.

    Raises:
        ValueError: a number is not finite.
    """
    night = found.night
    document: dict[str, Any] = {
        "cluster": night.cluster,
        "date": night.date,
        "principals": found.principals,
        "notices": notices(night),
        "ranking": {column.name: column.cell(found.row) for column in COLUMNS},
        **{name: getattr(found, name) for name in ("past", "new", "evidence", "events_gone", "used_nights", "used")},
    }
    return _written(document)


def compared_json(found: Compared) -> str:
    """One JSON object with the fields of the comparison.

    Raises:
        ValueError: a number is not finite.
    """
    return _written(found)


def _written(document: object) -> str:
    return json.dumps(_plain(document), indent=1, ensure_ascii=True, allow_nan=False)


def _plain(value: Any) -> Cell:
    """Records as objects, times as text."""
    if isinstance(value, datetime):
        return utc(value)
    if isinstance(value, date):
        return value.isoformat()
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(inner) for inner in value]
    plain: Cell = value
    return plain
