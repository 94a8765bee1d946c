"""The ingest's benchmark: is the log made from the sample a fair one, and does the row loop give the lane's values?"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import event, lines

from benchmarks import corpus, row_loop
from pipelines.archive import Archive
from pipelines.config import ParseConfig
from pipelines.engine import engine
from pipelines.parsing.body_facts import FACTS
from pipelines.parsing.events import NAMES
from pipelines.sources.files import select
from pipelines.stages.export import export
from pipelines.store import open_store

_ID = re.compile(rb'"auditID":"([^"]+)"')
_STAGED = re.compile(rb'"stageTimestamp":"([^"]+)"')


RBAC = "rbac.authorization.k8s.io"
WRITE: dict[str, Any] = {"verb": "update", "level": "Request"}
RARE: list[dict[str, Any]] = [
    WRITE | {"body": {"metadata": {"ownerReferences": [{"kind": "Job", "name": "j", "controller": True}]},
                      "spec": {"hostPID": True, "containers": [{"image": "u:p@b"}, {"image": "a"}]}}},
    WRITE | {"verb": "patch", "body": [{"op": "add", "path": "/spec/volumes/-", "value": {"hostPath": {"path": "/"}}}]},
    WRITE | {"resource": "configmaps", "namespace": "kube-system", "name": "aws-auth",
             "body": {"data": {"mapRoles": "- rolearn: arn:aws:iam::123456789012:role/Admin"}}},
    WRITE | {"resource": "clusterroles", "group": RBAC, "namespace": None,
             "body": {"rules": [{"resources": ["secrets", "pods/exec"], "verbs": ["get", "bind"]}]}},
    WRITE | {"resource": "rolebindings", "group": RBAC,
             "body": {"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "eve"}]}},
    WRITE | {"resource": "validatingwebhookconfigurations", "namespace": None, "body": {"webhooks": [
             {"clientConfig": {"url": "https://u:p@e/x?y"}}, {"clientConfig": {"url": "e/x"}},
             {"clientConfig": {"service": {"name": "s"}}}]}},
    {"verb": "create", "resource": "serviceaccounts", "subresource": "token",
     "body": {"spec": {"expirationSeconds": 600}}},
    {"verb": "create", "resource": "selfsubjectaccessreviews", "namespace": None,
     "body": {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods", "group": "g"}}}},
    {"uri": "/api/v1/pods?limit=5&token=hunter2", "code": 403},
    {"uri": "/api/v1/namespaces/a/pods/b/exec?command=%2Fbin%2Fsh&command=-c&stdin=true", "session": "eve"},
    {"uri": "/api/v1/nodes/n/proxy/run/hunter2?limit=1", "name": "eyJhbGciOiJS", "agent": "curl Bearer hunter2"},
    {"uri": "/x;hunter2?labelSelector=a%3Dhunter2%2Cb&fieldSelector=metadata.name%3Da%2Cdata.x%3Dhunter2&watch"},
]  # fmt: skip
"""What the sample holds nowhere in its first lines."""


def looped(log: Path) -> pa.Table:
    """The rows that the row loop makes of a log."""
    row_loop.write(log, log.with_suffix(".parquet"))
    return pq.ParquetFile(log.with_suffix(".parquet")).read()


@pytest.fixture(scope="module")
def night() -> corpus.Recorded:
    """The recorded night with the attacks in it."""
    return corpus.recorded(corpus.SAMPLE / "audit-prod-usw2-2026-09-15.ndjson.zst")


@pytest.fixture
def lane(tmp_path: Path) -> Callable[[Path], pa.Table]:
    """Archives a log by the export stage; the rows of its one part come back."""

    def run(log: Path) -> pa.Table:
        with engine(ParseConfig()) as connection:
            archive = Archive(open_store(str(tmp_path / "archive")), "c")
            export(archive, connection, select(str(log)), [date(2026, 9, 15)], [], lambda _what, _share: None)
        (part,) = (tmp_path / "archive").glob("events/*/*/part-*.parquet")
        return pq.ParquetFile(part).read()

    return run


def test_the_row_loop_gives_the_lanes_rows_in_every_column(
    night: corpus.Recorded, lane: Callable[[Path], pa.Table], tmp_path: Path
) -> None:
    log = tmp_path / "night.ndjson"
    log.write_bytes(b"".join(islice(night.data.tobytes().splitlines(keepends=True), 3000)))
    expected, found = lane(log), looped(log)
    assert expected.num_rows == 3000
    assert found.column_names == list(NAMES)
    assert [name for name in NAMES if not found[name].equals(expected[name])] == []


def test_the_row_loop_reads_every_body_fact_and_hides_what_the_lane_hides(
    lane: Callable[[Path], pa.Table], tmp_path: Path
) -> None:
    log = tmp_path / "rare.ndjson"
    log.write_bytes(lines(event(at=f"{corpus.NIGHT.decode()}T12:00:00.000000Z", **one) for one in RARE))
    expected, found = lane(log), looped(log)
    assert [f.name for f in FACTS if expected[f.name].null_count == len(RARE)] == []
    assert [name for name in NAMES if not found[name].equals(expected[name])] == []
    assert sum("REDACTED" in uri for uri in found["request_uri"].to_pylist()) == 4
    assert "hunter2" not in repr(found.to_pylist())


def test_the_same_size_gives_the_same_bytes(night: corpus.Recorded) -> None:
    first, second = (b"".join(corpus.pieces(2_000_000, [night])) for _ in range(2))
    assert first == second
    assert 2_000_000 <= len(first) < 2_100_000
    assert first.endswith(b"}\n")


def test_every_copy_lies_in_one_day_in_the_order_of_the_recording(night: corpus.Recorded) -> None:
    log = b"".join(corpus.pieces(2 * len(night.data), [night]))
    times = _STAGED.findall(log)
    assert {t[:10] for t in times} == {corpus.NIGHT}
    half = len(times) // 2
    assert max(times[:half]) < b"2026-09-15T12" <= min(times[half:])


def test_a_copy_has_other_ids_of_the_same_events(night: corpus.Recorded) -> None:
    first, second = (_ID.findall(corpus.again(night, copy, copy, 2)) for copy in (0, 1))
    assert not set(first) & set(second)
    # an event told at several stages stays one
    assert [first.index(i) for i in islice(first, 2000)] == [second.index(i) for i in islice(second, 2000)]


def test_a_copy_packs_like_the_recording(night: corpus.Recorded) -> None:
    recorded = corpus.gzip_ratio([night.data.tobytes()])
    assert corpus.gzip_ratio([corpus.again(night, 3, 0, 4)]) == pytest.approx(recorded, rel=0.03)


def test_packed_logs_hold_the_same_lines(night: corpus.Recorded, tmp_path: Path) -> None:
    plain = tmp_path / "night.ndjson"
    corpus.write(plain, 500_000, [night])
    for ending, kind in ((".gz", "gzip"), (".zst", "zstd")):
        with pa.input_stream(str(corpus.packed(plain, ending)), compression=kind) as stream:
            assert stream.read() == plain.read_bytes()
    files = corpus.scattered(plain, tmp_path / "files", 100_000)
    assert len(files) == 5
    assert b"".join(path.read_bytes() for path in files) == plain.read_bytes()


@pytest.mark.parametrize(("text", "expected"), [("200MB", 200_000_000), ("2GB", 2_000_000_000)])
def test_a_size_is_read(text: str, expected: int) -> None:
    assert corpus.size(text) == expected


@pytest.mark.parametrize("text", ["", "2", "2TB", "1.5GB"])
def test_another_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="whole MB or GB expected"):
        corpus.size(text)
