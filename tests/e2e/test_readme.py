"""What the README tells a user to type works as it stands, and the demo shows what it promises."""

from __future__ import annotations

import re
import shlex
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from e2e.job import FEW_TREES, auditforest, everything
from scipy.stats import spearmanr

from benchmarks.detection import judge
from benchmarks.recording import nights_of
from features.catalogue import FEATURES, FOREST_NAMES
from features.history import surprises, together
from features.matrix import counts_of, rows_of, weighted
from pipelines.archive import PRINCIPAL_DAYS, RANKING, Archive
from pipelines.config import Config
from pipelines.errors import ENDINGS
from pipelines.report.sentences import FIRST, figure, lasting, otherwise, reason_sentence
from pipelines.stages.history import history
from pipelines.stages.judge import first
from pipelines.stages.judge import judge as scored
from pipelines.stages.report import night_of
from pipelines.store import LocalStore

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SAMPLE = ROOT / "data" / "sample"
LAST = date(2026, 9, 15)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that looks like a checkout to the commands of the README."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sample").symlink_to(SAMPLE, target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def blocks(language: str) -> list[str]:
    """The README's code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_every_command_and_snippet_of_the_readme_runs(checkout: Path, capfd: pytest.CaptureFixture[str]) -> None:
    commands = [line for block in blocks("console") for line in block.splitlines()]
    assert len(commands) > 4
    for command in commands:
        words = shlex.split(command)[1:]
        ended = auditforest(*words, *(FEW_TREES if words[0] in ("nightly", "score") else ()))
        assert (ended.code, ended.complaints) == (0, []), command
    assert len(blocks("python")) == 2
    for snippet in blocks("python"):
        assert "build/demo" in snippet
        exec(snippet.replace("build/demo", str(checkout / "build" / "mine")), {})  # noqa: S102
        said = capfd.readouterr().out
        assert "secrets" in said
        assert "  ...  " not in said, "a table leaves out its middle"


def test_the_numbers_that_the_readme_tells_of_its_snippet_are_those_of_the_demo(
    demo: tuple[Path, list[str], str], capfd: pytest.CaptureFixture[str]
) -> None:
    exec(blocks("python")[1].replace("build/demo", str(demo[0])), {})  # noqa: S102
    codisp, without = capfd.readouterr().out.splitlines()[-2:]
    assert f"CoDisp, {codisp.split()[0]} by one forest" in README
    assert f"and {without} without any secret" in README


def scores_of(archive: Path) -> dict[str, float]:
    """Score by principal of the last night."""
    ranking = Archive(LocalStore(archive), "prod-usw2").derived(RANKING, LAST)
    assert ranking is not None
    return {row["principal"]: row["score"] for row in ranking.table.to_pylist()}


def test_the_demo_puts_every_attack_near_the_top(demo: tuple[Path, list[str], str]) -> None:
    archive, _, out = demo
    cluster, nights = nights_of(SAMPLE)
    assert (cluster, nights[-1]) == ("prod-usw2", LAST)
    assert f"{archive}/reports/cluster=prod-usw2/date=2026-09-15/report.html" in out
    judged = judge(Archive(LocalStore(archive), cluster), nights, SAMPLE / "label-events.tsv")
    attacks = [p for p in judged.places if p.malicious]
    assert len(attacks) == 6
    assert {p.scenario: p.above for p in attacks if p.above > 4} == {}


def test_the_readme_shows_the_first_ranks_of_the_demo(demo: tuple[Path, list[str], str]) -> None:
    ranking = Archive(LocalStore(demo[0]), "prod-usw2").derived(RANKING, LAST)
    assert ranking is not None
    shown = re.findall(r"^\| ([0-9]+) \| `([^`]+)` \| ([0-9.,]+) \| ([0-9,]+) \| (.+?):", README, re.MULTILINE)
    assert len(shown) == 7
    meanings = {feature.name: feature.meaning.rstrip(". ") for feature in FEATURES}
    for told, row in zip(shown, ranking.table.to_pylist(), strict=False):
        reason = meanings[row["reasons"][0]["feature"]]
        found = (row["rank"], row["principal"], figure(row["score"]), f"{row['requests']:,}", reason)
        assert told == tuple(map(str, found))


def test_the_page_on_ranking_shows_the_demo_as_it_is(demo: tuple[Path, list[str], str]) -> None:
    page = (ROOT / "docs" / "ranking.md").read_text()
    archive = Archive(LocalStore(demo[0]), "prod-usw2")
    ranking = archive.derived(RANKING, LAST)
    assert ranking is not None
    row = night_of(archive, ranking, LAST).ranked[4]
    reasons = [f"> - {reason_sentence(reason)} ({100 * (reason.share or 0):.0f} %)" for reason in row.reasons]
    for line in (f"> rank {row.rank}, {lasting(row)}", *reasons, f"> {otherwise(row)}"):
        assert line in page


def test_without_its_reasons_nobody_of_the_demo_stays_at_the_top_unsaid(demo: tuple[Path, list[str], str]) -> None:
    """The night judged anew from the counts, those of every reason of the first ten at their usual values."""
    archive = Archive(LocalStore(demo[0]), "prod-usw2")
    ranking, days = archive.derived(RANKING, LAST), archive.derived(PRINCIPAL_DAYS, LAST)
    before = history(archive, LAST, 28).days
    assert ranking is not None
    assert days is not None
    assert before is not None
    night = night_of(archive, ranking, LAST)
    top = [row for row in night.ranked if row.rank <= FIRST]
    counts, past = counts_of(days.table), counts_of(before)
    judged, values = surprises(counts, past), counts.values.copy()
    at = [days.table["principal"].to_pylist().index(row.principal) for row in top]
    for i, row in zip(at, top, strict=True):
        for reason in row.reasons:
            column = FOREST_NAMES.index(reason.feature)
            usual = np.array([judged.usual[i, column], judged.peers_usual.median[i, column], 0.0])
            values[i, column] = min(np.floor(usual[~np.isnan(usual)][0]), reason.value)
    other = surprises(counts.with_values(values), past)
    calm = weighted(together(other.own, other.peers, other.cluster))[at]
    anew = scored(first(calm, rows_of(before), Config().forest)).score
    for row, score in zip(top, anew, strict=True):
        rank = 1 + sum(other.score > score for other in night.ranked if other.principal != row.principal)
        assert row.counterfactual is not None
        assert (row.counterfactual.rank_without_all, row.counterfactual.score_without_all) == (rank, score)
        assert f"till rank {rank} " in str(otherwise(row)) if rank <= FIRST else f"rank {rank}." in str(otherwise(row))
    widths = sorted(row.rank_hi - row.rank_lo for row in top if row.rank_hi and row.rank_lo)
    assert widths[len(widths) // 2] <= 2


def test_the_demo_run_again_repeats_its_bytes(demo: tuple[Path, list[str], str]) -> None:
    archive, words, out = demo
    before = everything(archive)
    again = auditforest("nightly", *words).out
    assert run_told(again).startswith("this run: nothing new; ")
    assert again == out.replace(run_told(out), run_told(again))
    assert everything(archive) == before


def run_told(out: str) -> str:
    """What a run says of itself, which no other run need say."""
    (line,) = [line for line in out.splitlines() if line.startswith("this run: ")]
    return line


def test_the_readme_lists_every_exit_code() -> None:
    table = README.partition("| code | meaning |")[2].partition("\n\n")[0]
    told = re.findall(r"^\| ([0-9]+) \| (.+) \|$", table, re.MULTILINE)
    assert [(int(code), meaning) for code, meaning in told] == list(ENDINGS.items())


def test_the_rrcf_engine_gives_the_ranking_of_the_compiled_one(
    demo: tuple[Path, list[str], str], tmp_path: Path
) -> None:
    copy = shutil.copytree(demo[0], tmp_path / "archive")
    span = ("--cluster", "prod-usw2", "--archive", copy, "--date", LAST)
    # twenty forests of rrcf take minutes; one of each engine shows as much
    ended = auditforest("score", *span, "--seeds", "1")
    assert (ended.code, ended.complaints) == (0, [])
    compiled = scores_of(copy)
    ended = auditforest("score", *span, "--seeds", "1", "--forest", "rrcf")
    assert (ended.code, ended.complaints) == (0, [])
    rrcf = scores_of(copy)
    assert rrcf.keys() == compiled.keys()
    assert rrcf != compiled
    order = list(compiled)
    assert spearmanr([compiled[who] for who in order], [rrcf[who] for who in order]).statistic >= 0.98


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "data/sample/README.md"])
def test_every_file_a_page_names_is_there(page: str) -> None:
    text = (ROOT / page).read_text()
    linked = [(ROOT / page).parent / link for link in re.findall(r"\]\(([^)#:]+)\)", text)]
    named = [
        ROOT / name for name in re.findall(r"`((?:features|models|pipelines|tests|docs|benchmarks)/[^` ]*)`", text)
    ]
    assert [path for path in (*linked, *named) if not path.exists()] == []
    assert linked or named
