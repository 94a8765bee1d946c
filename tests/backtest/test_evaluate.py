"""`auditforest evaluate`: what it says and stores, what it leaves alone, and what it says where it cannot."""

from __future__ import annotations

import json
from contextlib import chdir
from functools import partial
from pathlib import Path

import pytest
from backtest.conftest import CONFIG
from builders import event
from e2e.job import auditforest, everything, nightly, object_of, records
from e2e.world import CLUSTER, LAST, NIGHTS, written

from pipelines.archive import Archive
from pipelines.backtest.evaluate import Asked, evaluate
from pipelines.backtest.everything import KINDS
from pipelines.errors import Exit
from pipelines.report.backtest import BackTest, headline
from pipelines.store import LocalStore

FEW = [kind for kind in KINDS if kind.name in ("shells", "slow-secret-read", "stolen-token", "busy-day")]

OF_ONE_NIGHT = [kind for kind in FEW if kind.nights == 1]


@pytest.fixture
def of_one_night(monkeypatch):
    """The command with few kinds, each of one night, where no claim is about kinds."""
    assert len(OF_ONE_NIGHT) == 3
    monkeypatch.setattr("pipelines.backtest.command.Asked", partial(Asked, kinds=OF_ONE_NIGHT))


def _evaluate(archive: Path, *more: object, night: object = LAST) -> object:
    asked = ("--cluster", CLUSTER, "--archive", archive, "--date", night, "--trees", 10, "--nights", 1)
    return auditforest("evaluate", *asked, "--per-kind", 1, *more)


def _small(folder: Path, *events: dict[str, object]) -> Path:
    with chdir(folder):
        source = written(folder / "source", {LAST: events})
        assert nightly(source, folder / "archive", LAST).code == 0
    return folder / "archive"


def test_nothing_is_written_into_the_archive(built, archive, connection):
    before = everything(built)
    assert evaluate(archive, connection, Asked([LAST], 1, 0, CONFIG, FEW)).outcomes
    assert everything(built) == before


def test_the_same_seed_gives_the_same_outcomes_and_another_gives_others(archive, connection):
    first, again, other = (
        evaluate(archive, connection, Asked([LAST], 1, seed, CONFIG, OF_ONE_NIGHT)) for seed in (0, 0, 1)
    )
    assert first == again
    assert first.outcomes != other.outcomes


def test_the_guilty_neither_act_nor_stand_above(archive, connection):
    kinds = [kind for kind in KINDS if kind.name == "quiet-listing"]
    plain = evaluate(archive, connection, Asked([LAST], 4, 0, CONFIG, kinds)).outcomes
    above = next(o for o in plain if o.standing.above).case.actor
    thief = "system:serviceaccount:shop:cart"
    found = evaluate(archive, connection, Asked([LAST], 4, 0, CONFIG, kinds, lambda _: {thief})).outcomes
    assert above.principal != thief
    assert thief not in {o.case.actor.principal for o in found}
    assert {o.standing.others for o in found} == {
        o.standing.others - 1 for o in plain if o.case.actor.principal != thief
    }


def test_who_a_mark_confirms_on_a_night_is_no_innocent_of_it(copied, monkeypatch):
    root, thief, asked = Path(copied.store.url), "system:serviceaccount:shop:cart", []

    def seen(*given, **named):
        asked.append(given[2])
        return evaluate(*given, **named)

    monkeypatch.setattr("pipelines.backtest.command.Asked", partial(Asked, kinds=OF_ONE_NIGHT[:1]))
    monkeypatch.setattr("pipelines.backtest.command.evaluate", seen)
    where = ("--archive", root, "--cluster", CLUSTER, "--date", LAST)
    assert auditforest("mark", thief, "--as", "confirmed", "--because", "ticket 4711", *where).code == 0
    assert _evaluate(root).code == 0
    assert set(asked[0].guilty(LAST)) == {thief}
    assert not asked[0].guilty(NIGHTS[0])


def test_the_command_stores_its_result_beside_the_reports_and_the_page_shows_it(copied):
    root = Path(copied.store.url)
    before = everything(root)
    ended = _evaluate(root)
    assert (ended.code, ended.complaints) == (0, [])
    after = everything(root)
    changed = {name for name in after if after[name] != before.get(name)}
    place = f"reports/cluster={CLUSTER}/date={LAST}"
    assert changed == {f"{place}/backtest.json", f"{place}/report.html"}
    stored = BackTest.from_json(after[f"{place}/backtest.json"])
    assert headline(stored) in " ".join(ended.out.split())
    page = after[f"{place}/report.html"].decode()
    assert "What a back-test found" in page
    assert all(group.kind in page and group.kind in ended.out for group in (*stored.kinds, *stored.innocents))
    assert records(root)[-1]["command"] == "evaluate"
    assert auditforest("archive", "check", "--archive", root, "--strict").code == 0


@pytest.mark.usefixtures("of_one_night")
def test_running_it_again_changes_no_byte(copied):
    root = Path(copied.store.url)
    first, after = _evaluate(root), everything(root)
    again = _evaluate(root)
    assert (again.out, everything(root)) == (first.out, after)


@pytest.mark.usefixtures("of_one_night")
def test_the_document_on_stdout_is_the_one_that_is_stored(copied):
    root = Path(copied.store.url)
    ended = _evaluate(root, "--format", "json")
    assert ended.out == object_of(root, "reports", LAST, "backtest.json").read_text()
    assert json.loads(ended.out)["per_kind"] == 1


def test_a_document_is_of_one_cluster(tmp_path):
    declared = tmp_path / "two.toml"
    declared.write_text("[clusters.prod]\n[clusters.stage]\n")
    ended = auditforest("evaluate", "--config", declared, "--format", "json")
    assert ended.code == Exit.USAGE
    assert "--format json without --cluster" in ended.complaints[0]


def test_a_back_test_that_cannot_be_read_is_named_by_the_report(copied):
    root = Path(copied.store.url)
    object_of(root, "reports", LAST, "backtest.json").write_text('{"limits": [1]}')
    ended = auditforest("report", "--cluster", CLUSTER, "--archive", root, "--date", LAST)
    assert ended.code == Exit.USAGE
    assert "backtest.json: no back-test that this version reads" in ended.complaints[0]
    assert "'auditforest evaluate' again" in ended.complaints[0]


def test_without_a_night_it_says_what_to_do(tmp_path):
    ended = _evaluate(tmp_path / "nothing")
    assert ended.code == Exit.USAGE
    assert "run 'auditforest export" in ended.complaints[0]
    assert not (tmp_path / "nothing").exists()


@pytest.mark.usefixtures("of_one_night")
def test_the_last_archived_nights_before_the_date_are_judged(copied):
    ended = _evaluate(Path(copied.store.url), "--nights", 2, "--format", "json", night="2026-09-20")
    assert json.loads(ended.out)["nights"] == [f"{night}" for night in NIGHTS[-2:]]


def test_what_a_cluster_has_no_name_for_is_not_possible_and_says_why(tmp_path):
    one = event(user="eve", resource="configmaps", name="a", namespace="shop", at=f"{LAST}T10:00:00Z")
    other = event(user="system:serviceaccount:shop:cart", resource=None, at=f"{LAST}T11:00:00Z")
    ended = _evaluate(_small(tmp_path, one, other), "--per-kind", 6, "--format", "json")
    assert ended.code == 0
    found = json.loads(ended.out)
    reasons = {row["kind"]: row["reason"] for row in found["not_possible"]}
    assert (
        reasons["mass-secret-read"].endswith("name no secret")
        or "no principal of this type" in reasons["mass-secret-read"]
    )
    assert reasons["shells"].endswith("name no pod") or "no principal of this type" in reasons["shells"]
    assert reasons["anonymous-probing"] == f"no principal of this type in the night of {LAST}"
    assert f"{LAST} has no earlier night to be judged by, only its own principals" in found["notices"]
    assert f"{LAST} has 2 principals: hardly anybody can stand above anybody" in found["notices"]


def test_with_one_principal_nothing_is_made_up(tmp_path):
    archive = _small(tmp_path, event(user="eve", at=f"{LAST}T10:00:00Z"))
    ended = _evaluate(archive, "--per-kind", 6, "--format", "json")
    assert ended.code == 0
    found = BackTest.from_json(ended.out.encode())
    # a new colleague has somebody to stand among
    assert {group.kind for group in (*found.kinds, *found.innocents)} <= {"first-day"}
    assert found.attacks is None
    assert headline(found) == "No attack could be acted out."
    assert "the night has no innocent principal beside the actor" in {row.reason for row in found.not_possible}


@pytest.mark.usefixtures("of_one_night")
def test_a_history_that_cannot_be_used_is_told(copied):
    root = Path(copied.store.url)
    object_of(root, "items", NIGHTS[3], "items.parquet").unlink()
    ended = _evaluate(root)
    assert ended.code == 0
    assert f"{NIGHTS[3]} is not in the history" in " ".join(ended.out.split())


@pytest.mark.parametrize(
    ("flag", "value"), [("--nights", "0"), ("--per-kind", "-1"), ("--format", "xml"), ("--seed", "x")]
)
def test_a_number_that_makes_no_sense_is_refused(flag, value, built):
    assert _evaluate(built, flag, value).code == Exit.USAGE


def test_who_is_idle_on_the_night_may_act_from_what_earlier_nights_show_of_him(tmp_path, connection):
    idle, busy = "system:serviceaccount:shop:idle", "system:serviceaccount:shop:busy"
    nights = {NIGHTS[-2]: [event(user=idle, at=f"{NIGHTS[-2]}T10:00:00Z")], LAST: []}
    for night in nights:
        nights[night].append(event(user=busy, name="cart-0", at=f"{night}T11:00:00Z"))
    with chdir(tmp_path):
        assert nightly(written(tmp_path / "source", nights), tmp_path / "archive", *nights).code == 0
    archive = Archive(LocalStore(tmp_path / "archive"), CLUSTER)
    kinds = [kind for kind in KINDS if kind.name in ("shells", "slow-secret-read")]
    found = evaluate(archive, connection, Asked([LAST], 12, 0, CONFIG, kinds))
    acted = {(o.case.actor.principal, o.standing.of) for o in found.outcomes if o.case.kind.name == "shells"}
    # the other one has nobody to stand among that night
    assert acted == {(idle, 2)}
