"""ranking.json: the night for programs, with every text exactly as logged, in ASCII.

Tested in tests/report/test_ranking_json.py.
"""

import json
from dataclasses import fields

from pipelines.report.columns import COLUMNS, Cell
from pipelines.report.groups import Group, groups
from pipelines.report.model import Coverage, Night
from pipelines.report.sentences import notices


def ranking_json(night: Night) -> str:
    """One JSON object, keys in declared order, a newline at its end; same night, same text.

    Raises:
        ValueError: a number is not finite.
    """
    document: Cell = {
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
        "ranking": [{column.name: column.cell(row) for column in COLUMNS} for row in night.ranked],
    }
    return json.dumps(document, indent=1, ensure_ascii=True, allow_nan=False) + "\n"


def _group(group: Group) -> Cell:
    members: Cell = [{"rank": member.rank, "principal": member.principal} for member in group.members]
    return {"id": group.id, "kind": group.kind, "item": group.item, "cause": group.cause, "members": members}


def _coverage(coverage: Coverage) -> Cell:
    return {field.name: getattr(coverage, field.name) for field in fields(coverage)}
