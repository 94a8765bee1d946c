"""Two processes on one archive at once: every event once, whole commits, and the same objects as of one alone."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import event, line, lines
from e2e.job import Ended, auditforest, everything, records
from e2e.world import CLUSTER, NIGHTS, PUBLIC, ordinary

from pipelines.stages.listing import INDEX

BEFORE, NIGHT = NIGHTS[:2]
RACED = ("other writers committed first", "other runs changed its events or its history")
"""What a run says that another one overtook; to run it again is enough."""
BAD = b"no event\n"
OWN = re.compile(
    r"this run: (?:nothing new; )?201 lines read = (\d+) archived \+ (\d+) duplicate "
    r"\+ (?P<quarantined>\d+) quarantined \+ 0 outside the asked nights"
)
"""Where the lines of a run over 200 events and a bad line ended."""
_SERVE = """
import json, sys
import pipelines.aws.s3
from e2e.job import auditforest
for job in map(json.loads, sys.stdin):
    print(json.dumps(vars(auditforest(*job["arguments"], **job["environment"]))), flush=True)
"""


class Process:
    """A process that runs one command line after the other."""

    def __init__(self, running: subprocess.Popen[str]) -> None:
        assert running.stdin is not None
        assert running.stdout is not None
        self._asked: IO[str] = running.stdin
        self._told: IO[str] = running.stdout

    def begin(self, *arguments: object, **environment: str) -> None:
        job = {"arguments": [str(a) for a in arguments], "environment": environment}
        self._asked.write(json.dumps(job) + "\n")
        self._asked.flush()

    def end(self) -> Ended:
        return Ended(**json.loads(self._told.readline()))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Process, Process]]:
    """Two processes that have loaded everything."""
    root, folder = Path(__file__).parents[2], tmp_path_factory.mktemp("processes")
    streams: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'tests'}"}
    with ExitStack() as open_ones:
        command = [sys.executable, "-c", _SERVE]
        started = [subprocess.Popen(command, cwd=folder, env=environment, **streams) for _ in range(2)]
        processes = [Process(open_ones.enter_context(one)) for one in started]
        for process in processes:
            process.begin("--version")
        assert [process.end().code for process in processes] == [0, 0]
        yield processes[0], processes[1]


class Place:
    """An archive in a folder or in S3, and what lies in it."""

    def __init__(self, url: str, read: Callable[[], dict[str, bytes]], **environment: str) -> None:
        self.url, self._read = url, read
        # each night looked back on is a request or two of the emulator
        self.environment = {"AUDITFOREST_HISTORY__NIGHTS": "2", "AUDITFOREST_PARSE__THREADS": "1", **environment}

    def objects(self) -> dict[str, bytes]:
        """Every object but the records of runs and what a run tries an emulator with."""
        return {n: b for n, b in self._read().items() if not n.startswith(("runs/", "_probe", INDEX))}

    def commits(self, night: date) -> list[dict[str, Any]]:
        """Commits of a night's events, the first first."""
        where = f"events/cluster={CLUSTER}/date={night}/_commit-"
        found = {name: json.loads(body) for name, body in self.objects().items() if name.startswith(where)}
        return [found[f"{where}{n}.json"] for n in range(1, len(found) + 1)]

    def archived(self, night: date) -> list[str]:
        """Hashes of the lines that the newest commit of a night names."""
        where = f"events/cluster={CLUSTER}/date={night}/"
        parts = max(self.commits(night), key=lambda c: int(c["generation"]))["parts"]
        return sorted(self._column([f"{where}{p['file']}" for p in parts], "content_hash"))

    def quarantined(self) -> list[str]:
        """Hashes of the lines in quarantine."""
        files = [name for name in self.objects() if name.startswith(f"quarantine/cluster={CLUSTER}/")]
        return self._column(files, "sha256")

    def _column(self, files: list[str], name: str) -> list[str]:
        objects = self.objects()
        return [value for f in files for value in pq.read_table(pa.BufferReader(objects[f]))[name].to_pylist()]


def in_folder(where: Path) -> Place:
    return Place(str(where / "archive"), lambda: everything(where / "archive"))


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty archive."""
    if request.param == "folder":
        return in_folder(tmp_path)
    moto: str = request.getfixturevalue("moto")
    s3: Any = boto3.client(
        "s3", endpoint_url=moto, region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    bucket = f"raced-{uuid4().hex[:12]}"
    s3.create_bucket(Bucket=bucket)

    def read() -> dict[str, bytes]:
        keys = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket).get("Contents", ())]
        return {key.removeprefix("a/"): s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    return Place(f"s3://{bucket}/a", read, AUDITFOREST_AWS__ENDPOINT=moto)


def command(name: str, source: Path, place: Place, night: date) -> tuple[object, ...]:
    trees = ("--trees", 2) if name == "nightly" else ()
    where = ("--cluster", CLUSTER, "--source", source, "--archive", place.url, "--date", night)
    return (name, *where, *trees)


def at_once(two: tuple[Process, Process], place: Place, *commands: tuple[object, ...]) -> list[Ended]:
    """Both commands, begun together; one that was overtaken says so, and is run once more."""
    for process, arguments in zip(two, commands, strict=True):
        process.begin(*arguments, **place.environment)
    ended = [process.end() for process in two]
    for nth, (process, arguments) in enumerate(zip(two, commands, strict=True)):
        if ended[nth].code in (3, 4):
            assert any(said in ended[nth].complaints[0] for said in RACED)
            process.begin(*arguments, **place.environment)
            ended[nth] = process.end()
    assert [(e.code, e.complaints) for e in ended] == [(0, []), (0, [])]
    return ended


def hashes(made: list[bytes]) -> list[str]:
    return sorted({sha256(one.rstrip(b"\n")).hexdigest()[:32] for one in made})


def adds_up(counts: Mapping[str, int]) -> bool:
    return counts["read"] == sum(counts[n] for n in ("archived", "duplicate", "quarantined", "outside"))


def log(where: Path, made: list[bytes]) -> Path:
    where.write_bytes(b"".join(made))
    return where


def test_the_same_night_of_the_same_source_is_committed_once_as_by_one_alone(
    two: tuple[Process, Process], place: Place, tmp_path: Path
) -> None:
    made = [line(one) for one in ordinary(NIGHT)[:200]]
    source = log(tmp_path / "audit.log", [*made, BAD])
    both = command("nightly", source, place, NIGHT)
    ended = at_once(two, place, both, both)
    (commit,) = place.commits(NIGHT)
    assert (commit["counts"]["archived"], commit["counts"]["quarantined"]) == (200, 1)
    alone = in_folder(tmp_path / "alone")
    two[0].begin(*command("nightly", source, alone, NIGHT), **alone.environment)
    one = two[0].end()
    assert one.code == 0
    assert place.objects() == alone.objects()
    # what is said of the night, too; who filed the bad line says so, and each run where its own lines ended
    wanted = one.out.replace(alone.url, place.url).splitlines()
    (filed,) = (said for said in wanted if said.startswith("1 line quarantined. The first: audit.log at byte "))
    (own,) = (said for said in wanted if OWN.fullmatch(said))
    for told in (e.out.splitlines() for e in ended):
        (mine,) = (found for said in told if (found := OWN.fullmatch(said)))
        assert sum(map(int, mine.groups())) == 201
        assert (filed in told) == (mine["quarantined"] == "1")
        assert [said for said in told if said not in (mine[0], filed)] == [
            said for said in wanted if said not in (own, filed)
        ]


def test_two_sources_at_once_leave_all_rows_of_both_and_none_twice(
    two: tuple[Process, Process], place: Place, tmp_path: Path
) -> None:
    both = [line(event(at=f"{NIGHT}T12:00:00Z")) for _ in range(20)]
    own = [[line(event(user=f"u{i}", at=f"{NIGHT}T13:00:00Z")) for _ in range(30)] for i in range(2)]
    made = [[*own[i], *both, BAD * (i + 1)] for i in range(2)]
    commands = [command("export", log(tmp_path / f"{i}.log", made[i]), place, NIGHT) for i in range(2)]
    # in so short a log three bad lines are a larger share than in a sound one
    place.environment["AUDITFOREST_EXPORT__QUARANTINED_PERCENT"] = "10"
    at_once(two, place, *commands)
    assert place.archived(NIGHT) == hashes([*both, *own[0], *own[1]])
    assert place.quarantined() == [sha256(BAD.rstrip()).hexdigest()] * 3
    counts = [commit["counts"] for commit in place.commits(NIGHT)]
    assert (counts[-1]["archived"], counts[-1]["quarantined"], counts[-1]["duplicate"]) == (80, 3, 20)
    assert all(adds_up(c) for c in counts)
    before = place.objects()
    at_once(two, place, *commands)
    assert place.objects() == before


def test_neighbouring_nights_at_once_share_what_came_late(two: tuple[Process, Process], tmp_path: Path) -> None:
    place = in_folder(tmp_path)
    early = [line(one) for one in ordinary(BEFORE)[:60]]
    first = command("nightly", log(tmp_path / "early.log", early), place, BEFORE)
    assert auditforest(*first, **place.environment).code == 0
    late = [line(event(user=f"u{n}", ip=PUBLIC, at=f"{BEFORE}T23:00:00Z")) for n in range(3)]
    today = [line(one) for one in ordinary(NIGHT)[:60]]
    # the first night again with one late event more, while the second brings the same and two others
    again = command("nightly", log(tmp_path / "again.log", [*early, late[0]]), place, BEFORE)
    following = command("nightly", log(tmp_path / "following.log", [*late, *today]), place, NIGHT)
    at_once(two, place, again, following)
    assert place.archived(BEFORE) == hashes([*early, *late])
    assert place.archived(NIGHT) == hashes(today)
    assert all(adds_up(c["counts"]) for night in (BEFORE, NIGHT) for c in place.commits(night))
    # whoever was last: run again, each night is ranked with all that is archived of it
    for arguments in (again, following):
        assert auditforest(*arguments, **place.environment).code == 0
    for night in (BEFORE, NIGHT):
        assert ranking(place, night)["generation"] == len(place.commits(night))
    assert {f"u{n}" for n in range(3)} < {row["principal"] for row in ranking(place, BEFORE)["ranking"]}


def ranking(place: Place, night: date) -> dict[str, Any]:
    """ranking.json of a night."""
    found: dict[str, Any] = json.loads(place.objects()[f"reports/cluster={CLUSTER}/date={night}/ranking.json"])
    return found


def test_an_event_of_two_sources_is_counted_a_duplicate_of_the_one_that_came_first(
    two: tuple[Process, Process], tmp_path: Path
) -> None:
    place = in_folder(tmp_path)
    same = lines(event(at=f"{NIGHT}T12:00:00Z") for _ in range(40))
    sources = [log(tmp_path / f"copy-{n}.log", [same]) for n in range(2)]
    at_once(two, place, *(command("export", source, place, NIGHT) for source in sources))
    (commit,) = place.commits(NIGHT)
    assert commit["counts"]["archived"] == 40
    kept = [record["export"]["counts"] for record in records(tmp_path / "archive")]
    assert sorted((c["archived"], c["duplicate"]) for c in kept) == [(0, 40), (40, 0)]
