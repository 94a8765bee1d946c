"""ranking.json: the night for programs, with every text exactly as logged, in ASCII.

Tested in tests/report/test_ranking_json.py.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from pipelines.report.columns import COLUMNS, Cell, utc
from pipelines.report.groups import Group, groups
from pipelines.report.model import Coverage, Marked, Night, RankedPrincipal
from pipelines.report.sentences import notices

_LONG = ("columns", "groups", "ranking", "expected", "marks")
"""Lists that have a line for each of their entries."""


def ranking_json(night: Night) -> str:
    """One JSON object, keys in declared order, a principal a line, a newline at its end; same night, same text.

    Raises:
        ValueError: a number is not finite.
    """
    document: dict[str, Any] = {
        "cluster": night.cluster,
        "date": night.date.isoformat(),
        "generation": night.generation,
        "version": night.version,
        "seed": night.seed,
        "trees": night.trees,
        "history_nights": night.history_nights,
        "history_expected": night.history_expected,
        "notices": notices(night),
        "coverage": _coverage(night.coverage),
        "columns": [
            {"name": column.name, "title": column.title, "unit": column.unit, "meaning": column.meaning}
            for column in COLUMNS
        ],
        "groups": [_group(group) for group in groups(night.ranked)],
        "ranking": _rows(night.ranked),
        "expected": _rows(night.expected),
        "marks": [_mark(mark) for mark in night.marks],
    }
    told = [f"{_text(name)}: {_lines(part) if name in _LONG else _text(part)}" for name, part in document.items()]
    return "{\n" + ",\n".join(told) + "\n}\n"


# without indents json needs a tenth of the time; a large night would wait for half a minute
def _text(part: Cell) -> str:
    return json.dumps(part, ensure_ascii=True, allow_nan=False)


def _lines(rows: Sequence[Cell]) -> str:
    return "[\n" + ",\n".join(map(_text, rows)) + "\n]"


def _group(group: Group) -> Cell:
    members: Cell = [{"rank": member.rank, "principal": member.principal} for member in group.members]
    return {"id": group.id, "kind": group.kind, "item": group.item, "cause": group.cause, "members": members}


def _rows(rows: Sequence[RankedPrincipal]) -> list[Cell]:
    return [{column.name: column.cell(row) for column in COLUMNS} for row in rows]


def _mark(mark: Marked) -> Cell:
    told = asdict(mark)
    return told | {"night": mark.night.isoformat(), "until": mark.until.isoformat(), "made_at": utc(mark.made_at)}


def _coverage(coverage: Coverage) -> Cell:
    return {field.name: getattr(coverage, field.name) for field in fields(coverage)}
