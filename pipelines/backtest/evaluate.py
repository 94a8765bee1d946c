"""The back-test of an archive: cases drawn, acted out night after night in the engine, and judged.

Nothing is ever written to the archive; each night's events are read once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import duckdb
import pyarrow as pa

from pipelines.archive import EVENTS, Archive
from pipelines.backtest.cases import Case, Cast, Impossible, candidates, draw
from pipelines.backtest.cluster import Actor, cluster_of
from pipelines.backtest.everything import KINDS
from pipelines.backtest.kinds import Kind
from pipelines.backtest.recount import ITEM, Night, recount
from pipelines.backtest.scene import LackingError
from pipelines.backtest.standing import Standing, standings, whole
from pipelines.config import Config, ForestConfig
from pipelines.stages.features import events_of, requests_of
from pipelines.stages.history import History, history


@dataclass(frozen=True)
class Asked:
    """What a back-test is to do: so many cases of each kind on each of these archived nights (ascending)."""

    nights: Sequence[date]
    per_kind: int
    seed: int
    config: Config
    kinds: Sequence[Kind] = KINDS
    guilty: Callable[[date], Collection[str]] = lambda _: ()
    """Of a night, principals that are neither actors nor innocents: labelled attackers."""

    @property
    def forest(self) -> ForestConfig:
        """One forest a case: the median of many moves a rank by a place or two, and takes as many times as long."""
        return self.config.forest.model_copy(update={"seeds": 1})


@dataclass(frozen=True)
class Outcome:
    """A case and where it stood."""

    case: Case
    standing: Standing


@dataclass
class Evaluated:
    """All cases of a back-test: where they stood, those that could not be, and what was wrong with the history."""

    outcomes: list[Outcome] = field(default_factory=list)
    impossible: list[Impossible] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    history_nights: dict[date, int] = field(default_factory=dict)
    """Of each judged night, the earlier nights that it was judged by."""
    principals: dict[date, int] = field(default_factory=dict)
    """Of each judged night, its real principals."""


@dataclass
class _Running:
    """A case under way: what its earlier nights left in its own history."""

    case: Case
    days: dict[date, pa.Table] = field(default_factory=dict)
    items: list[pa.Table] = field(default_factory=list)


def evaluate(
    archive: Archive,
    engine: duckdb.DuckDBPyConnection,
    asked: Asked,
    past_of: Callable[[date], History] | None = None,
    tell: Callable[[date], None] = lambda _: None,
) -> Evaluated:
    """Every kind acted on each asked night, and where that would have ranked.

    Args:
        past_of: a night's history; unsaid, as the archive holds it.
        tell: called with each night before it is read.
    Raises:
        OrderError: a night has no events.
        DataError: the archive is damaged.
    """
    archived = set(archive.nights(EVENTS))
    opening = [(_opens(judged, kind, archived), judged, kind) for judged in asked.nights for kind in asked.kinds]
    found = Evaluated()
    running: list[_Running] = []
    known: dict[str, Actor] = {}
    for night in sorted({night for opens, judged, _ in opening for night in _days(opens, judged)}):
        tell(night)
        past = history(archive, night, asked.config.history.nights) if past_of is None else past_of(night)
        with requests_of(archive, engine, events_of(archive, night), past) as lacking:
            real = Night.of(engine, lacking)
            cast = _cast(archive, real, night, asked, known)
            drawn = [
                case
                for opens, judged, kind in opening
                if opens == night
                for case in draw(kind, asked.per_kind, judged, cast, f"{asked.seed} {archive.cluster}")
            ]
            running += [_Running(case) for case in drawn if isinstance(case, Case)]
            found.impossible += [case for case in drawn if isinstance(case, Impossible)]
            running = _acted(real, cast, running, past, asked, found)
        if night in asked.nights:
            found.principals[night] = real.days.num_rows
            found.history_nights[night] = len(past.nights)
            found.notices += [notice for notice in past.notices if notice not in found.notices]
    return found


def _opens(judged: date, kind: Kind, archived: Collection[date]) -> date:
    """The night on which a case begins: as many before the judged one as the kind takes, if they are archived."""
    first = judged
    while (judged - first).days + 1 < kind.nights and first - timedelta(days=1) in archived:
        first -= timedelta(days=1)
    return first


def _days(first: date, last: date) -> Iterator[date]:
    return (first + timedelta(days=day) for day in range((last - first).days + 1))


def _cast(archive: Archive, real: Night, night: date, asked: Asked, known: dict[str, Actor]) -> Cast:
    """What may be named in the night, and who may act: also who is idle tonight.

    Args:
        known: actors of the nights read before; tonight's are added.
    """
    types = dict(zip(real.days["principal"].to_pylist(), real.days["type"].to_pylist(), strict=True))
    actors = candidates(real.engine, types, f"{asked.seed} {archive.cluster} {night}", asked.guilty(night))
    guilty = asked.guilty(night)
    for name in sorted(set(known) - set(types) - set(guilty)):
        actors.setdefault(known[name].type, []).append(known[name])
    known |= {actor.principal: actor for there in actors.values() for actor in there}
    return Cast(night, cluster_of(real.engine), actors)


def _acted(
    real: Night, cast: Cast, running: Sequence[_Running], past: History, asked: Asked, found: Evaluated
) -> list[_Running]:
    """Act one night of every running case and judge those that end with it; the others come back."""
    acting, added = [], []
    for run in running:
        try:
            added.append(run.case.events(cast.night, cast.cluster))
            acting.append(run)
        except LackingError as lacking:
            found.impossible.append(Impossible(run.case.kind.name, run.case.type, run.case.night, str(lacking)))
    changes = recount(real, added, {i: pa.concat_tables(run.items) for i, run in enumerate(acting) if run.items})
    before = past.days
    pasts = [_own_past(past, run) if run.days else before for run in acting]
    for run, change, own in zip(acting, changes, pasts, strict=True):
        if run.case.night != cast.night:
            run.days[cast.night] = whole(real, change, own)
            run.items.append(change.items.select(ITEM))
    final = [i for i, run in enumerate(acting) if run.case.night == cast.night]
    guilty = asked.guilty(cast.night)
    judged = standings(real, [changes[i] for i in final], [pasts[i] for i in final], before, asked.forest, guilty)
    for i, standing in zip(final, judged, strict=True):
        _ended(acting[i].case, standing, found)
    return [run for run in acting if run.case.night != cast.night]


def _ended(case: Case, standing: Standing, found: Evaluated) -> None:
    if standing.others:
        found.outcomes.append(Outcome(case, standing))
    else:
        reason = "the night has no innocent principal beside the actor"
        found.impossible.append(Impossible(case.kind.name, case.type, case.night, reason))


def _own_past(past: History, run: _Running) -> pa.Table | None:
    """The history with the case's earlier nights in it."""
    nights = [
        replace(n, days=replace(n.days, table=_like(n.days.table.schema, run.days[n.night])))
        if n.night in run.days
        else n
        for n in past.nights
    ]
    return History(tuple(nights), ()).days


def _like(schema: pa.Schema, table: pa.Table) -> pa.Table:
    """The table's columns in a schema's order; null where it lacks one."""
    columns = [table[f.name] if f.name in table.schema.names else pa.nulls(len(table), f.type) for f in schema]
    return pa.table(columns, schema=schema)
