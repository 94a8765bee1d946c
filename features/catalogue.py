"""The feature catalogue: every number of a principal's night, declared once.

Imports nothing from pipelines/ or models/. tests/features/test_catalogue.py adds one event per feature and
expects only the declared features to move."""

from __future__ import annotations

from collections import Counter

from features.counted import COUNTED
from features.feature import YARDSTICKS, Feature
from features.items import KINDS
from features.people import PEOPLE

WEIGHTS: dict[str, float] = {
    "volume": 0.5,
    "mix": 0.5,
    "impact": 1.0,
    "refusals": 1.0,
    "origin": 1.0,
    "agent": 0.7,
    "time": 0.7,
    "breadth": 1.0,
    "secrets": 1.5,
    "sensitive": 2.0,
    # groups of their own: elsewhere they would take weight from the others' columns on every ordinary night
    "crowd": 1.0,
    "tokens": 1.0,
}
"""What a group of features weighs in the forest, all its features together."""

_FOR = {"principal": "", "type": "_for_type", "cluster": "_for_cluster"}
_WHOM = {
    "principal": "the principal",
    "type": "its type",
    "cluster": "the whole cluster",
}
_NEW: tuple[Feature, ...] = tuple(
    Feature(
        f"new_{kind.things}{_FOR[whom]}",
        kind.group,
        kind.unit,
        f"{kind.meaning} new to {_WHOM[whom]}.",
        kind.counts,
        new=(kind.name, whom),
        needs=kind.needs,
        reads_bodies_of=kind.reads_bodies_of,
        reads=kind.reads,
        forest=kind.forest,
    )
    for kind in KINDS
    if kind.group is not None
    for whom in YARDSTICKS
)

FEATURES: tuple[Feature, ...] = COUNTED + PEOPLE + _NEW
NAMES: tuple[str, ...] = tuple(f.name for f in FEATURES)
_BY_NAME = dict(zip(NAMES, FEATURES, strict=True))
FOREST: tuple[Feature, ...] = tuple(f for f in FEATURES if f.forest)
"""The features that are judged, weighed and given as reasons: the columns of the forest's rows."""
FOREST_NAMES: tuple[str, ...] = tuple(f.name for f in FOREST)
GROUP_SIZES: Counter[str] = Counter(f.group for f in FOREST)
"""Columns of the forest in each group."""


def weight(f: Feature) -> float:
    """Of the forest's column: the group's weight, spread over its features there; 0 where the forest reads none."""
    return float(WEIGHTS[f.group] / GROUP_SIZES[f.group] ** 0.5) if f.forest else 0.0


def feature(name: str) -> Feature:
    """The declaration of a feature.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in _BY_NAME:
        raise ValueError(f"no feature is named {name!r}")
    return _BY_NAME[name]
