"""Where a case's principals stand among the real ones: rows, scores, innocents above.

With a history a row's score depends on no other row of the night, so one forest and one call judge all cases of it;
a case that changes more than rows (its own history, what is blind, a night without a past) is judged as a whole night.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from features.blind import blind
from features.counts import Floats, learnt
from features.days import blinded
from features.history import surprises
from features.matrix import counts_of, rows_of, with_surprises
from pipelines.backtest.recount import Changed, Night
from pipelines.config import ForestConfig
from pipelines.stages.features import NO_PAST
from pipelines.stages.judge import first, judge


@dataclass(frozen=True)
class Standing:
    """A case's best ranked principal: its rank, of how many, and how many innocents stand above."""

    principal: str
    score: float
    rank: int
    of: int
    above: int
    others: int
    """Innocents of the night, above or below."""


def standings(
    night: Night,
    changes: Sequence[Changed],
    pasts: Sequence[pa.Table | None],
    past: pa.Table | None,
    config: ForestConfig,
    guilty: Collection[str] = (),
) -> list[Standing]:
    """Of each case, where it stands.

    Args:
        pasts: of each case, its own history of principal_days; the same object as `past` where that is the night's.
        guilty: principals that are counted neither as above nor below: labelled attackers.
    """
    unseen = blind(night.shown, night.lacking)
    plain = past is not None and not np.isnan(learnt(counts_of(past)).values).all(axis=0).any()
    together = [i for i, c in enumerate(changes) if plain and pasts[i] is past and c.blind == unseen]
    found: dict[int, Standing] = {}
    if together:
        found |= _together(night, {i: changes[i] for i in together}, unseen, past, config, guilty)
    for i, change in enumerate(changes):
        if i not in found:
            table = whole(night, change, pasts[i])
            score = _scores(table, pasts[i], config)
            found[i] = _standing(dict(zip(table["principal"].to_pylist(), score, strict=True)), change.acting, guilty)
    return [found[i] for i in range(len(changes))]


def judged_by(days: pa.Table, past: pa.Table | None) -> pa.Table:
    """The rows with their surprises against a history."""
    return with_surprises(days, surprises(counts_of(days), NO_PAST if past is None else counts_of(past)))


def _scores(days: pa.Table, past: pa.Table | None, config: ForestConfig) -> Floats:
    return judge(first(rows_of(days), None if past is None else rows_of(past), config)).score


def whole(night: Night, change: Changed, past: pa.Table | None) -> pa.Table:
    """principal_days of the night with the rows of a case in place of what they replace, judged by a history."""
    changed = set(change.days["principal"].to_pylist())
    kept = [at for at, name in enumerate(night.days["principal"].to_pylist()) if name not in changed]
    rows = pa.concat_tables([night.days.take(pa.array(kept, pa.int64())), change.days]).sort_by("principal")
    return judged_by(blinded(rows, change.blind), past)


def _together(
    night: Night,
    changes: Mapping[int, Changed],
    unseen: Collection[str],
    past: pa.Table | None,
    config: ForestConfig,
    guilty: Collection[str],
) -> dict[int, Standing]:
    rows = pa.concat_tables([night.days, *(change.days for change in changes.values())])
    table = judged_by(blinded(rows, unseen), past)
    score = _scores(table, past, config)
    names = table["principal"].to_pylist()
    end = night.days.num_rows
    real = dict(zip(names[:end], score[:end], strict=True))
    found = {}
    for i, change in changes.items():
        start, end = end, end + change.days.num_rows
        found[i] = _standing(real | dict(zip(names[start:end], score[start:end], strict=True)), change.acting, guilty)
    return found


def _standing(scores: Mapping[str, float], acting: Collection[str], guilty: Collection[str]) -> Standing:
    best = max(sorted(acting), key=lambda name: scores[name])
    higher = [name for name, score in scores.items() if score > scores[best]]
    innocent = {name for name in scores if name not in acting and name not in guilty}
    above = sum(name in innocent for name in higher)
    return Standing(best, scores[best], len(higher) + 1, len(scores), above, len(innocent))
