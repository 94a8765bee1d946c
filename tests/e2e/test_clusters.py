"""Several clusters in one run: each by itself, in the order of their names, and one that fails stops no other."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from builders import event, lines
from e2e.job import NO_CLUSTER, Ended, auditforest, records
from e2e.world import LAST, ordinary
from loopback import serving

import pipelines
from pipelines.errors import BUG, Exit, worst
from pipelines.nightly import run_export

NAMES = ("alpha", "beta", "gamma")


def configured(where: Path, clusters: Mapping[str, Mapping[str, object]], more: str = "") -> Path:
    """An auditforest.toml in that folder."""
    tables = [
        "\n".join([f"[clusters.{name}]", *(f'{key} = "{value}"' for key, value in options.items())])
        for name, options in clusters.items()
    ]
    (where / "auditforest.toml").write_text("\n\n".join([more, *tables]))
    return where


def logs(where: Path, *names: str) -> dict[str, Path]:
    """One file of a few events for each cluster."""
    found = {name: where / f"{name}.log" for name in names}
    for name, path in found.items():
        path.write_bytes(lines(event(user=f"{name}-{n % 3}", at=f"{LAST}T12:00:{n:02}Z") for n in range(12)))
    return found


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three clusters of one archive, declared in another order than that of their names; the working directory."""
    made = logs(tmp_path, *NAMES)
    monkeypatch.chdir(tmp_path)
    return configured(
        tmp_path, {name: {"source": made[name], "archive": tmp_path / "archive"} for name in reversed(NAMES)}
    )


def export(*more: object, **environment: str) -> Ended:
    return auditforest("export", "--date", LAST, *more, **environment)


def ended_with(archive: Path) -> dict[str, int]:
    """The exit code in each cluster's record, in the order in which they ran."""
    return {r["cluster"]: r["exit_code"] for r in records(archive)}


def archived(archive: Path) -> list[str]:
    """Clusters with a committed night."""
    return sorted(p.parent.parent.name.removeprefix("cluster=") for p in archive.glob("events/*/*/_commit-1.json"))


def test_without_a_name_every_cluster_is_run_in_the_order_of_their_names(three: Path) -> None:
    ended = auditforest("nightly", "--date", LAST, "--trees", 2)
    assert (ended.code, ended.complaints) == (0, [])
    said = [line for line in ended.out.splitlines() if line.startswith(("cluster ", "report: "))]
    assert said == [
        line
        for name in NAMES
        for line in (f"cluster {name}", f"report: {three}/archive/reports/cluster={name}/date={LAST}/report.html")
    ]
    for name in NAMES:
        ranking = json.loads((three / f"archive/reports/cluster={name}/date={LAST}/ranking.json").read_bytes())
        assert {row["principal"] for row in ranking["ranking"]} == {f"{name}-{n}" for n in range(3)}
    made = records(three / "archive")
    assert [(r["cluster"], r["exit_code"], r["source"]) for r in made] == [
        (name, 0, str(three / f"{name}.log")) for name in NAMES
    ]
    assert len({r["run_id"] for r in made}) == 3
    progress = [json.loads(line) for line in ended.err.splitlines()]
    assert {(line["run_id"], line["cluster"]) for line in progress} == {(r["run_id"], r["cluster"]) for r in made}


def test_each_cluster_may_have_an_archive_of_its_own(three: Path) -> None:
    configured(three, {n: {"source": three / f"{n}.log", "archive": three / f"of-{n}"} for n in NAMES})
    assert export().code == 0
    for name in NAMES:
        assert ended_with(three / f"of-{name}") == {name: 0}
        assert archived(three / f"of-{name}") == [name]


def test_a_name_runs_that_cluster_alone(three: Path) -> None:
    ended = export("--cluster", "beta")
    assert ended.code == 0
    assert not ended.out.startswith("cluster")
    assert ended_with(three / "archive") == {"beta": 0}


def broken(where: Path, name: str, how: str) -> None:
    """Make the source of a cluster fail."""
    log = where / f"{name}.log"
    if how == "missing":
        log.unlink()
    elif how == "damaged":
        log.write_bytes(gzip.compress(log.read_bytes())[:-20])
    elif how == "empty":
        log.write_bytes(lines([event(at="2026-09-01T12:00:00Z")]))


FAILURES = {
    "the first is missing": ({"alpha": "missing"}, {"alpha": 2}, 2),
    "the second is damaged": ({"beta": "damaged"}, {"beta": 3}, 3),
    "the last is empty": ({"gamma": "empty"}, {"gamma": 6}, 6),
    "an empty one, then a missing one": ({"alpha": "empty", "gamma": "missing"}, {"alpha": 6, "gamma": 2}, 2),
    "all": (
        dict(zip(NAMES, ("missing", "damaged", "empty"), strict=True)),
        dict(zip(NAMES, (2, 3, 6), strict=True)),
        3,
    ),
}


@pytest.mark.parametrize(("how", "codes", "worst_of_all"), FAILURES.values(), ids=FAILURES)
def test_one_that_fails_stops_no_other_and_the_worst_code_is_that_of_the_run(
    three: Path, how: dict[str, str], codes: dict[str, int], worst_of_all: int
) -> None:
    for name, damage in how.items():
        broken(three, name, damage)
    ended = export()
    assert ended.code == worst_of_all
    assert [line.split(": ")[:2] for line in ended.complaints] == [["auditforest", name] for name in codes]
    for line, name in zip(ended.complaints, codes, strict=True):
        assert f"{name}.log" in line
    # the first found no archive, and a mistyped source begins none
    on_record = [name for name in NAMES if how.get(name) != "missing" or name != NAMES[0]]
    assert ended_with(three / "archive") == {name: codes.get(name, 0) for name in on_record}
    assert archived(three / "archive") == [name for name in NAMES if name not in codes]
    assert [line for line in ended.out.splitlines() if line.startswith("cluster")] == [f"cluster {n}" for n in NAMES]


def test_a_cluster_without_a_source_or_an_archive_stops_no_other(three: Path) -> None:
    archive = three / "archive"
    clusters = {"a": {"source": three / "alpha.log"}, "b": {"archive": archive}}
    configured(three, clusters | {"c": {"source": three / "gamma.log", "archive": archive}})
    ended = export()
    assert ended.code == 2
    first, second = ended.complaints
    assert first.startswith("auditforest: a: no archive for a: pass --archive")
    assert second.startswith("auditforest: b: no source for b: pass --source")
    assert ended_with(archive) == {"c": 0}
    assert export().code == 2
    assert ended_with(archive) == {"b": 2, "c": 0}


def test_a_mistake_of_ours_in_one_cluster_stops_no_other_and_is_the_worst(
    three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mistaken(archive: Any, *rest: Any) -> Any:
        if archive.cluster == "alpha":
            raise RuntimeError("secret of a local variable")
        return run_export(archive, *rest)

    monkeypatch.setattr("pipelines.cli.run_export", mistaken)
    broken(three, "beta", "damaged")
    ended = export()
    assert ended.code == BUG
    assert ended.complaints[0] == "auditforest: alpha: RuntimeError, a mistake of auditforest"
    assert "Traceback" in ended.err
    assert ended_with(three / "archive") == {"alpha": 1, "beta": 3, "gamma": 0}
    assert records(three / "archive")[0]["error"] == "RuntimeError"


@pytest.mark.parametrize(
    ("codes", "of_the_run"),
    [([0, 0], 0), ([0, 6], 6), ([6, 4], 4), ([4, 2, 0], 2), ([2, 3, 4], 3), ([3, 1, 2], 1)],
)
def test_of_several_codes_the_one_that_needs_a_person_most_is_that_of_the_run(
    codes: list[int], of_the_run: int
) -> None:
    assert worst(codes) == of_the_run


def test_every_declared_exit_code_has_its_place_among_the_worst() -> None:
    assert worst([BUG, *Exit]) == BUG


def test_one_source_for_several_clusters_is_refused_before_anything_is_read(three: Path) -> None:
    ended = export("--source", three / "alpha.log")
    assert ended.code == 2
    assert ended.complaints == [
        "auditforest: --source without --cluster: the events of one source would be archived for each of 3 clusters; "
        "pass --cluster, or set source under each [clusters.NAME]"
    ]
    assert not (three / "archive").exists()


def test_one_source_for_the_only_cluster_is_taken(three: Path) -> None:
    configured(three, {"beta": {"archive": three / "archive"}})
    assert export("--source", three / "alpha.log").code == 0
    assert ended_with(three / "archive") == {"beta": 0}


@pytest.mark.parametrize("command", ["nightly", "export", "features", "score", "report"])
def test_without_any_cluster_every_command_says_what_to_do(command: str) -> None:
    ended = auditforest(command, "--date", LAST)
    assert (ended.code, ended.complaints) == (2, [NO_CLUSTER])


def test_sigterm_in_the_second_cluster_ends_the_run(three: Path) -> None:
    for name in NAMES:
        (three / f"{name}.log").write_bytes(lines(ordinary(LAST)[:100]))
    command = [sys.executable, "-m", "pipelines", "nightly", "--date", str(LAST), "--trees", "50"]
    environment = {**os.environ, "PYTHONPATH": str(Path(pipelines.__file__).parent.parent)}
    streams: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=three, env=environment, **streams) as running:
        assert running.stderr is not None
        for line in running.stderr:
            if '"cluster": "beta"' in line and '"stage": "features"' in line:
                break
        running.send_signal(signal.SIGTERM)
        rest = [line for line in running.stderr.read().splitlines() if not line.startswith("{")]
        code = running.wait(60)
    assert code == 143
    assert rest == ["auditforest: interrupted; what was committed is whole, run again for the rest"]
    assert ended_with(three / "archive") == {"alpha": 0, "beta": 143}


# Clusters of other accounts


@dataclass(frozen=True)
class Call:
    """A request as it was sent: who signed it for which region, and what matters of it."""

    path: str
    key: str
    region: str
    owner: str | None
    asked: dict[str, str]


@dataclass
class Recorder:
    """Passes requests on to an AWS on loopback and writes them down."""

    url: str = ""
    calls: list[Call] = field(default_factory=list)

    def assumed(self) -> list[tuple[str, str | None]]:
        """Role and external id of every role that was assumed."""
        asked = [c.asked for c in self.calls if c.asked.get("Action") == "AssumeRole"]
        return [(a["RoleArn"], a.get("ExternalId")) for a in asked]


@contextmanager
def recorded(endpoint: str) -> Iterator[Recorder]:
    recorder, where = Recorder(), urlsplit(endpoint)

    class Handler(BaseHTTPRequestHandler):
        def passed_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            scope = self.headers["Authorization"].partition("Credential=")[2].split(",")[0].split("/")
            asked = {k: v[0] for k, v in parse_qs(body.decode("latin-1")).items()} if self.command == "POST" else {}
            owner = self.headers.get("x-amz-expected-bucket-owner")
            recorder.calls.append(Call(self.path, scope[0], scope[2], owner, asked))
            upstream = http.client.HTTPConnection(where.hostname or "", where.port or 80, timeout=30)
            upstream.request(self.command, self.path, body, dict(self.headers))
            answer = upstream.getresponse()
            found = answer.read()
            upstream.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "connection", "server", "date"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(found)))
            self.end_headers()
            self.wfile.write(found)

        do_GET = do_POST = passed_on  # noqa: N815 (the names http.server calls)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with serving(Handler) as recorder.url:
        yield recorder


def test_a_cluster_of_another_account_is_read_in_its_role_and_region(moto: str, three: Path) -> None:
    role = "arn:aws:iam::222233334444:role/auditforest-reader"
    s3: Any = boto3.client(
        "s3", endpoint_url=moto, region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    for name in ("own-logs", "their-logs"):
        s3.create_bucket(Bucket=name)
        s3.put_object(Bucket=name, Key=f"date={LAST}/audit.log", Body=lines([event(at=f"{LAST}T01:00:00Z")]))
    theirs = {
        "role_arn": role,
        "external_id": "ours/prod",
        "region": "eu-west-1",
        "source_bucket_owner": "222233334444",
    }
    clusters = {
        "own": {"source": "s3://own-logs", "archive": three / "archive"},
        "theirs": {"source": "s3://their-logs", "archive": three / "archive", **theirs},
    }
    with recorded(moto) as recorder:
        configured(three, clusters, f'[aws]\nendpoint = "{recorder.url}"\nregion = "us-west-2"')
        ended = export()
    assert (ended.code, ended.complaints) == (0, [])
    assert ended_with(three / "archive") == {"own": 0, "theirs": 0}
    assert recorder.assumed() == [(role, "ours/prod")]
    own = {(c.key, c.region, c.owner) for c in recorder.calls if c.path.startswith("/own-logs")}
    assert own == {("testing", "us-west-2", None)}
    ((key, region, owner),) = {(c.key, c.region, c.owner) for c in recorder.calls if c.path.startswith("/their-logs")}
    assert (region, owner) == ("eu-west-1", "222233334444")
    assert key != "testing"
    assert key.startswith("ASIA")
