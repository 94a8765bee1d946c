"""benchmarks/detection.py: who is found, how that is counted, and that every baseline is measured on the same rows."""

from __future__ import annotations

from contextlib import chdir
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from builders import lines
from e2e.world import ATTACKER, CLUSTER, LAST, NIGHTS, ordinary, theft
from rich.console import Console

from benchmarks.baselines import BASELINES, ecod, product
from benchmarks.detection import TOP, Place, Result, compare, ranked, show, widths
from benchmarks.injected import injected
from benchmarks.recording import Recording, counted, judged, labels_of, nights_of
from pipelines.archive import EVENTS, RANKING, Archive
from pipelines.cli import cli
from pipelines.config import Config, ForestConfig
from pipelines.store import LocalStore


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Archive, Recording]:
    """The small cluster as a labelled recording, and its archive."""
    folder = tmp_path_factory.mktemp("recording")
    for night in NIGHTS:
        events = ordinary(night) + (theft(night) if night == LAST else [])
        # a name is what makes it a recording; the content is read as it is
        (folder / f"audit-{CLUSTER}-{night}.ndjson").write_bytes(lines(events))
    (folder / "label-events.tsv").write_text(
        "audit_id\tscenario\tmalicious\n" + "".join(f"{e['auditID']}\ttheft\ttrue\n" for e in theft(LAST))
    )
    archive = Archive(LocalStore(folder / "archive"), CLUSTER)
    with chdir(folder):
        where = ["--cluster", CLUSTER, "--source", "audit-*.ndjson", "--archive", str(folder / "archive")]
        earlier = ["--from", f"{NIGHTS[0]}", "--to", f"{NIGHTS[-2]}", "--seeds", "1", "--trees", "5"]
        # the last night's ranking alone is compared with
        cli(["nightly", *where, *earlier], standalone_mode=False)
        cli(["nightly", *where, "--date", f"{LAST}"], standalone_mode=False)
    return folder, archive, judged(archive, list(NIGHTS), folder / "label-events.tsv")


def test_the_attack_is_found_by_its_audit_ids_and_stands_where_the_ranking_has_it(recording):
    _, archive, found = recording
    result = ranked(found, product)
    (place,) = [p for p in result.places if p.malicious]
    ranking = {row["principal"]: row for row in archive.derived(RANKING, LAST).table.to_pylist()}
    assert (place.night, place.principal) == (LAST, ATTACKER)
    assert place.rank == ranking[ATTACKER]["rank"]
    assert place.of == len(ranking)
    # judged anew from the counts, bit for bit what the score stage made of them
    last = dict(zip(found.nights[-1].principals, product(found.nights[-1]).tolist(), strict=True))
    assert last == {name: row["score"] for name, row in ranking.items()}


def test_rank_intervals_are_those_of_the_ranking_and_are_told(recording):
    _, archive, found = recording
    rows = archive.derived(RANKING, LAST).table.to_pylist()
    by_name = sorted((row["principal"], row["rank_hi"] - row["rank_lo"]) for row in rows if row["rank"] <= TOP)
    assert widths(found)[-len(by_name) :] == [width for _, width in by_name]
    console = Console(record=True, width=150)
    show(ranked(found, product), console, [0, 1, 4])
    assert "width of the rank interval in the first 10: median 1, 90th percentile 3.4" in console.export_text()


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_scores_every_row(recording, name):
    for night in recording[2].nights[:1] + recording[2].after_warm_up:
        score = BASELINES[name](night)
        assert score.shape == (len(night.principals),)
        assert np.isfinite(score).all()


def test_the_first_seven_nights_are_not_judged(recording):
    assert [n.night for n in recording[2].after_warm_up] == list(NIGHTS[7:])


def _place(scenario: str, above: int, *, malicious: bool = True, night: date = LAST) -> Place:
    return Place(night, scenario, malicious, "eve", above + 1, 90, above)


def test_an_attack_is_found_when_it_is_on_every_one_of_its_nights():
    places = (_place("a", 0), _place("a", 5, night=NIGHTS[-2]), _place("b", 1), _place("c", 0, malicious=False))
    result = Result(places, (), ())
    assert [result.found(n) for n in (0, 1, 5)] == [(0, 1), (1, 2), (2, 3)]


def test_average_precision_is_the_mean_precision_at_each_attack():
    result = Result((), (9.0, 8.0, 7.0, 6.0), (True, False, True, False))
    assert result.average_precision == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert np.isnan(Result((), (1.0,), (False,)).average_precision)


def test_ecod_sums_the_logs_of_tails_and_takes_the_largest_sum():
    before = np.array([[0.0], [1.0], [2.0], [9.0]])
    # to the left of 9 lie all four rows and itself, to the right one and itself
    assert ecod(np.array([[9.0]]), before) == pytest.approx([-np.log(2 / 5)])
    assert ecod(np.array([[10.0]]), before)[0] > ecod(np.array([[9.0]]), before)[0]
    both = np.column_stack([before, before])
    assert ecod(np.array([[9.0, 9.0]]), both) == pytest.approx(2 * ecod(np.array([[9.0]]), before))


def test_tables_name_attacks_baselines_and_injected_kinds(recording, capsys):
    _, archive, found = recording
    console = Console(width=150)
    show(ranked(found, product), console)
    compare(found, console)
    injected(archive, found, 1, 0, console, Config(forest=ForestConfig(trees=10)))
    said = capsys.readouterr().out
    assert all(name in said for name in ("theft", "shells", "first-day", *BASELINES))


def test_what_is_counted_is_not_counted_again(recording, monkeypatch):
    folder, archive, _ = recording
    names = [folder / f"audit-{CLUSTER}-{night}.ndjson.zst" for night in NIGHTS]
    for name in names:
        name.touch()
    monkeypatch.setattr("benchmarks.recording.cli", lambda *_, **__: pytest.fail("a command was run"))
    counted(folder, archive)
    assert nights_of(folder) == (CLUSTER, list(NIGHTS))
    assert labels_of(folder).name == "label-events.tsv"
    assert archive.nights(EVENTS) == list(NIGHTS)


def test_a_folder_that_is_no_recording_is_refused(tmp_path):
    with pytest.raises(SystemExit, match=r"no audit-CLUSTER-DATE\.ndjson\.zst"):
        nights_of(tmp_path)
    with pytest.raises(SystemExit, match=r"no label-events"):
        labels_of(tmp_path)
