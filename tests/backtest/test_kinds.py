"""Every declared kind, by every type that may act it: it does what it says, in rows as the API server logs them."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from backtest.conftest import CONFIG
from e2e.world import LAST

from features.catalogue import NAMES
from features.principal import TYPES
from pipelines.backtest.cases import Cast, candidates, draw
from pipelines.backtest.cluster import cluster_of
from pipelines.backtest.events import SCHEMA
from pipelines.backtest.everything import KINDS
from pipelines.backtest.kinds import Kind
from pipelines.backtest.recount import Night, recount
from pipelines.parsing.body_facts import FACTS
from pipelines.stages.features import events_of, requests_of
from pipelines.stages.history import history

ACTED = [(kind, type_) for kind in KINDS for type_ in kind.actors]
IDS = [f"{kind.name} by {type_}" for kind, type_ in ACTED]
CANNOT = {("new-release", "workload"), ("new-release", "system account")}
"""In the small cluster only a pipeline deploys."""


def _only(kind: Kind, type_: str) -> Kind:
    return Kind(kind.name, kind.mitre, kind.description, (type_,), kind.acts, kind.moves, kind.nights)


@pytest.fixture(scope="module")
def cast(built, connection):
    """The loaded last night: its engine, its real rows, who may act."""
    from e2e.world import CLUSTER

    from pipelines.archive import Archive
    from pipelines.store import LocalStore

    archive = Archive(LocalStore(built), CLUSTER)
    past = history(archive, LAST, CONFIG.history.nights)
    with requests_of(archive, connection, events_of(archive, LAST), past):
        real = Night.of(connection)
        types = dict(zip(real.days["principal"].to_pylist(), real.days["type"].to_pylist(), strict=True))
        yield real, Cast(LAST, cluster_of(connection), candidates(connection, types, "seed", ()))


@pytest.fixture(scope="module")
def acted(cast):
    """By kind and type: the case, its rows and what it changes."""
    real, loaded = cast
    cases = {
        (kind.name, type_): draw(_only(kind, type_), 1, LAST, loaded, "0")[0]
        for kind, type_ in ACTED
        if (kind.name, type_) not in CANNOT
    }
    rows = {key: case.events(LAST, loaded.cluster) for key, case in cases.items()}
    return {
        key: (cases[key], rows[key], change)
        for key, change in zip(rows, recount(real, list(rows.values()), {}), strict=True)
    }


def test_there_are_enough_kinds_and_names_are_told_apart():
    assert sum(kind.malicious for kind in KINDS) >= 16
    assert sum(not kind.malicious for kind in KINDS) >= 6
    assert len({kind.name for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_declaration_can_be_printed_and_refers_to_what_exists(kind):
    assert re.fullmatch("[a-z]+(-[a-z]+)*", kind.name)
    assert kind.mitre is None or re.fullmatch(r"T1[0-9]{3}(\.[0-9]{3})?", kind.mitre)
    assert kind.description.endswith(".")
    assert kind.actors
    assert set(kind.actors) <= set(TYPES)
    assert kind.moves
    assert set(kind.moves) <= set(NAMES)


@pytest.mark.parametrize(("kind", "type_"), ACTED, ids=IDS)
def test_a_kind_moves_a_feature_that_it_must(kind, type_, cast, acted):
    if (kind.name, type_) in CANNOT:
        reason = draw(_only(kind, type_), 1, LAST, cast[1], "0")[0].reason
        assert reason == "no principal of this type deploys anything that night"
        return
    real = {row["principal"]: row for row in cast[0].days.to_pylist()}
    _, _, change = acted[kind.name, type_]
    after = {row["principal"]: row for row in change.days.to_pylist() if row["principal"] in change.acting}
    assert len(after) == 1
    for principal, row in after.items():
        assert row["type"] == type_
        before = real.get(principal, dict.fromkeys(NAMES, 0))
        assert [name for name in kind.moves if row[name] > before[name]], f"{principal} moves none of {kind.moves}"


@pytest.mark.parametrize(("kind", "type_"), [a for a in ACTED if (a[0].name, a[1]) not in CANNOT])
def test_rows_are_such_as_the_api_server_logs(kind, type_, acted):
    case, rows, _ = acted[kind.name, type_]
    assert len({row["audit_id"] for row in rows}) == len(rows)
    facts = {fact.name for fact in FACTS}
    for row in rows:
        assert set(row) == set(SCHEMA.names)
        assert row["received_ts"] <= row["stage_ts"] < row["received_ts"] + timedelta(seconds=1)
        assert row["stage_ts"].date() == LAST
        assert row["source_ips"]
        assert row["request_uri"].startswith("/")
        assert (row["stage"] == "ResponseStarted") == (row["code"] == 401)
        assert row["decision"] == {401: None, 403: "forbid"}.get(row["code"], "allow")
        # bodies are logged of nothing that was refused, and at no level that leaves them out
        told = {name for name in facts if row[name] is not None}
        assert not told or (row["code"] < 400 and row["level"] != "Metadata"), told
    identities = {row["username"] for row in rows}
    assert kind.name == "first-day" or identities <= {face.identity["username"] for face in case.actor.faces}


def test_the_same_seed_makes_the_same_rows_and_another_makes_others(cast):
    _, loaded = cast
    for kind in KINDS:
        first, again, other = (draw(kind, 1, LAST, loaded, seed)[0] for seed in ("1", "1", "2"))
        rows = [case.events(LAST, loaded.cluster) for case in (first, again, other) if hasattr(case, "events")]
        if len(rows) == 3:
            assert rows[0] == rows[1]
            assert rows[0] != rows[2]


def test_the_types_take_turns_from_case_to_case_and_from_night_to_night(cast):
    _, loaded = cast
    kind = next(kind for kind in KINDS if kind.name == "stolen-token")
    nights = [LAST + timedelta(days=day) for day in range(len(kind.actors))]
    for number in (1, 2, 4):
        drawn = [case.type for night in nights for case in draw(kind, number, night, loaded, "0")]
        assert {drawn.count(type_) for type_ in kind.actors} == {number}


def test_the_docs_list_every_kind_as_it_is_declared():
    page = (Path(__file__).parents[2] / "docs" / "backtest.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    assert rows == [
        f"| {kind.name} | {kind.mitre or '-'} | {kind.description.rstrip('.')} | {', '.join(kind.actors)} |"
        for kind in KINDS
    ]
