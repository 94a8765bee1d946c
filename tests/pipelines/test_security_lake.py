"""Security Lake: each OCSF version and each form of Parquet gives the event it was made from, as far as it says."""

from __future__ import annotations

import errno
import gzip
import io
import json
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parsing import parse

from pipelines.endings import explained
from pipelines.envelopes import inflate, security_lake
from pipelines.envelopes.limits import Limits
from pipelines.envelopes.ocsf import event, event_line, of_path
from pipelines.envelopes.security_lake import LACKS
from pipelines.errors import DataError, Exit
from pipelines.parsing.events import NAMES
from pipelines.sources import stored
from pipelines.sources.base import Batch

LIMITS = Limits(16_000_000, 100_000, 1 << 26)
SECRET = "hunter2"
BODY = json.dumps({"spec": {"token": SECRET}})
RECEIVED, STAGE = "2026-09-15T12:00:00.123000Z", "2026-09-15T12:00:00.125000Z"
STAGE_MS = 1789473600125
ANNOTATIONS = {
    "authorization.k8s.io/decision": "allow",
    "authorization.k8s.io/reason": 'RBAC: allowed by RoleBinding "b/dev" of Role "r" to User "eve"',
    "audit.k8s.io/truncated": "true",
}
ARN = "arn:aws:sts::111122223333:assumed-role/node/i-0abc"

EXPECTED: dict[str, Any] = {
    "kind": "Event",
    "apiVersion": "audit.k8s.io/v1",
    "level": "RequestResponse",
    "auditID": "9f2c",
    "stage": "ResponseComplete",
    "requestURI": "/apis/apps/v1/namespaces/dev/deployments/cart/scale?timeout=5s",
    "verb": "patch",
    "user": {
        "username": "eve",
        "uid": "aws-iam-authenticator:111122223333:AROA",
        "groups": ["system:masters", "dev"],
        "extra": {
            "accessKeyId": ["ASIA"],
            "arn": [ARN],
            "canonicalArn": ["arn:aws:iam::111122223333:role/node"],
            "sessionName": ["i-0abc"],
        },
    },
    "sourceIPs": ["10.0.3.4"],
    "userAgent": "kubectl/v1.32",
    "objectRef": {
        "resource": "deployments",
        "subresource": "scale",
        "namespace": "dev",
        "name": "cart",
        "apiGroup": "apps",
        "apiVersion": "v1",
    },
    "responseStatus": {"code": 200},
    "requestReceivedTimestamp": RECEIVED,
    "stageTimestamp": STAGE,
}


def record(**more: Any) -> dict[str, Any]:
    """What all versions have in common."""
    return {
        "class_uid": 6003,
        "category_uid": 6,
        "activity_id": 3,
        "type_uid": 600303,
        "time": STAGE_MS,
        "message": "ResponseComplete",
        "metadata": {
            "version": "1.1.0",
            "log_level": "RequestResponse",
            "product": {"name": "Amazon EKS", "version": "audit.k8s.io/v1"},
        },
        "api": {
            "operation": "patch",
            "version": "v1",
            "request": {"uid": "9f2c", "data": BODY},
            "response": {"code": 200, "data": BODY},
        },
        "actor": {
            "user": {
                "name": "eve",
                "uid": "aws-iam-authenticator:111122223333:AROA",
                "groups": [{"name": "system:masters"}, {"name": "dev"}],
            },
            "session": {
                "credential_uid": "ASIA",
                "issuer": "arn:aws:iam::111122223333:role/node",
                "uid": "i-0abc",
            },
        },
        "src_endpoint": {"ip": "10.0.3.4"},
        "http_request": {"url": {"path": EXPECTED["requestURI"]}, "user_agent": "kubectl/v1.32"},
        "resources": [{"type": "deployments", "name": "cart", "namespace": "dev"}],
        "cloud": {"provider": "AWS", "account": {"uid": ARN}},
        "start_time_dt": "2026-09-15 12:00:00.123",
        "time_dt": "2026-09-15 12:00:00.125",
    } | more


FLAT = {"annotations." + key: value for key, value in ANNOTATIONS.items()} | {"requestObject.spec.token": SECRET}
NESTED = {"annotations": ANNOTATIONS, "kind": "Event", "requestObject": {"spec": {"token": SECRET}}}
MAP = pa.map_(pa.string(), pa.string())
V1_1 = record(unmapped=FLAT | {"sourceIPs[]": "10.0.3.4,10.0.0.1"})
V1_2 = record(time=STAGE_MS * 1000, start_time_dt=RECEIVED, unmapped=NESTED | {"sourceIPs": ["10.0.3.4", "10.0.0.1"]})
V1_5 = record(unmapped={"eks_cluster_name": "prod"})
ANNOTATED = EXPECTED | {"sourceIPs": ["10.0.3.4", "10.0.0.1"], "annotations": ANNOTATIONS}

FORMS: dict[str, tuple[dict[str, Any], pa.DataType | None, dict[str, Any]]] = {
    "1.1.0, a struct of dotted names": (V1_1, None, ANNOTATED),
    "1.1.0, a map": (V1_1 | {"unmapped": list(V1_1["unmapped"].items())}, MAP, ANNOTATED),
    "1.1.0, JSON text": (V1_1 | {"unmapped": json.dumps(V1_1["unmapped"])}, None, ANNOTATED),
    "1.2.0, a nested struct": (V1_2, None, ANNOTATED),
    "1.2.0, a map of JSON texts": (
        V1_2 | {"unmapped": [(k, json.dumps(v)) for k, v in V1_2["unmapped"].items()]},
        MAP,
        ANNOTATED,
    ),
    "1.2.0, JSON text": (V1_2 | {"unmapped": json.dumps(V1_2["unmapped"])}, None, ANNOTATED),
    "1.5.0, no annotations": (V1_5, None, EXPECTED),
    "1.5.0, nothing unmapped": (record(), None, EXPECTED),
}


def parquet(records: list[dict[str, Any]], unmapped: pa.DataType | None = None, **options: Any) -> bytes:
    table = pa.Table.from_pylist([{k: v for k, v in one.items() if k != "unmapped"} for one in records])
    if any("unmapped" in one for one in records):
        table = table.append_column("unmapped", pa.array([one.get("unmapped") for one in records], unmapped))
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def batches(data: bytes, file: Callable[[bytes], Any] = io.BytesIO) -> list[Batch]:
    with stored.reading("o", "s3://lake/o", file(data)) as found:
        read = [batch for batch in found.batches() if isinstance(batch, Batch)]
    assert (found.sha256, found.stored_bytes) == (sha256(data).hexdigest(), len(data))
    return read


def events(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(text) for batch in batches(data) for text in batch.data.splitlines()]


@pytest.mark.parametrize(("made", "unmapped", "expected"), FORMS.values(), ids=FORMS)
def test_each_version_and_form_gives_the_event(
    made: dict[str, Any], unmapped: pa.DataType | None, expected: dict[str, Any]
) -> None:
    data = parquet([made], unmapped)
    assert events(data) == [expected]
    assert SECRET.encode() not in b"".join(batch.data for batch in batches(data))


def test_a_line_is_canonical_and_not_raw() -> None:
    (batch,) = batches(parquet([record(), record()]))
    canonical = json.dumps(EXPECTED, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    assert (batch.data, batch.raw, batch.offset) == (canonical * 2, False, 0)


GOLDEN = (
    b'{"apiVersion":"audit.k8s.io/v1","auditID":"9f2c","kind":"Event","level":"RequestResponse","objectRef":{"apiGroup":'
    b'"apps","apiVersion":"v1","name":"cart","namespace":"dev","resource":"deployments","subresource":"scale"},'
    b'"requestReceivedTimestamp":"2026-09-15T12:00:00.123000Z","requestURI":"/apis/apps/v1/namespaces/dev/deployments/'
    b'cart/scale?timeout=5s","responseStatus":{"code":200},"sourceIPs":["10.0.3.4"],"stage":"ResponseComplete",'
    b'"stageTimestamp":"2026-09-15T12:00:00.125000Z","user":{"extra":{"accessKeyId":["ASIA"],"arn":["arn:aws:sts::'
    b'111122223333:assumed-role/node/i-0abc"],"canonicalArn":["arn:aws:iam::111122223333:role/node"],"sessionName":'
    b'["i-0abc"]},"groups":["system:masters","dev"],"uid":"aws-iam-authenticator:111122223333:AROA","username":"eve"},'
    b'"userAgent":"kubectl/v1.32","verb":"patch"}'
)


def test_a_line_has_the_bytes_by_whose_hash_archives_know_it() -> None:
    """Whoever changes a byte has every night of Security Lake parsed once more where it is read again."""
    assert event_line(record()) == GOLDEN


@pytest.mark.parametrize(
    "moment",
    [
        {"time": STAGE_MS},
        {"time": STAGE_MS * 1000},
        {"time": None, "time_dt": "2026-09-15 12:00:00.125"},
        {"time": None, "time_dt": "2026-09-15T14:00:00.125+02:00"},
        {"time": None, "time_dt": datetime(2026, 9, 15, 12, 0, 0, 125000, UTC)},
        {"time": datetime(2026, 9, 15, 12, 0, 0, 125000), "time_dt": None},  # noqa: DTZ001 (Parquet may lack the zone)
        {"time": 10**18, "time_dt": "2026-09-15 12:00:00.125"},
        {"time": -1, "time_dt": "2026-09-15 12:00:00.125"},
    ],
)
def test_a_time_is_read_in_each_of_its_forms(moment: Mapping[str, Any]) -> None:
    assert event(record(**moment))["stageTimestamp"] == STAGE


@pytest.mark.parametrize("start", [STAGE_MS - 2, (STAGE_MS - 2) * 1000])
def test_the_time_received_may_be_a_number(start: int) -> None:
    assert event(record(start_time_dt=None, start_time=start))["requestReceivedTimestamp"] == RECEIVED


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/v1/nodes", ("", "nodes", "")),
        ("/api/v1/nodes/n1/status", ("", "nodes", "status")),
        ("/api/v1/namespaces", ("", "namespaces", "")),
        ("/api/v1/namespaces/dev", ("", "namespaces", "")),
        ("/api/v1/namespaces/dev/finalize", ("", "namespaces", "finalize")),
        ("/api/v1/namespaces/dev/status", ("", "namespaces", "status")),
        ("/api/v1/namespaces/dev/pods?limit=500", ("", "pods", "")),
        ("/api/v1/namespaces/dev/pods/p/exec?command=ls", ("", "pods", "exec")),
        ("/api/v1/namespaces/dev/services/s/proxy/a/b", ("", "services", "proxy")),
        ("/api/v1/watch/namespaces/dev/pods/p", ("", "pods", "")),
        ("/apis/rbac.authorization.k8s.io/v1/clusterroles/r", ("rbac.authorization.k8s.io", "clusterroles", "")),
        ("/apis/apps/v1/namespaces/dev/deployments/d/scale", ("apps", "deployments", "scale")),
        ("/apis/apps/v1", ("apps", "", "")),
        ("/apis", ("", "", "")),
        ("/healthz", ("", "", "")),
        ("", ("", "", "")),
    ],
)
def test_group_and_subresource_are_read_from_the_path(path: str, expected: tuple[str, str, str]) -> None:
    assert of_path(path) == expected


def test_a_path_of_another_resource_says_nothing_of_this_one() -> None:
    found = event(record(resources=[{"type": "pods", "name": "cart"}]))["objectRef"]
    assert found == {"resource": "pods", "name": "cart", "apiVersion": "v1"}


def test_an_account_that_is_only_a_number_is_no_arn() -> None:
    assert "arn" not in event(record(cloud={"account": {"uid": "111122223333"}}))["user"]["extra"]


def test_records_of_other_classes_are_counted_and_rows_keep_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "_BATCH_LINES", 2)
    made = [record(class_uid=3001 if i % 3 == 0 else 6003, message=f"m{i}") for i in range(7)]
    found = batches(parquet(made, row_group_size=2))
    assert sum(b.skipped for b in found) == 3
    numbers = [b.offset + n for b in found if b.starts is not None for n in b.starts.tolist()]
    assert numbers == [1, 2, 4, 5]
    assert [json.loads(x)["stage"] for b in found for x in b.data.splitlines()] == [f"m{n}" for n in numbers]
    assert max(len(b.data.splitlines()) for b in found) == 2


@pytest.mark.parametrize("class_uid", ["6003", " 6003 ", [6003], "API Activity", None, {"id": 6003}])
def test_a_class_that_is_no_number_hands_its_record_on(class_uid: object) -> None:
    made = [record(class_uid=class_uid, message=f"m{i}") for i in range(2)]
    assert [one["stage"] for one in events(parquet(made))] == ["m0", "m1"]
    assert sum(batch.skipped for batch in batches(parquet(made))) == 0


@pytest.mark.parametrize("class_uid", ["3002", 3002, 3002.0])
def test_another_class_is_passed_over_in_each_form_of_a_number(class_uid: object) -> None:
    (batch,) = batches(parquet([record(class_uid=class_uid)]))
    assert (batch.data, batch.skipped) == (b"", 1)


FAR_US = 300_000_000_000_000_000


@pytest.mark.parametrize("far", [FAR_US, -FAR_US], ids=["year 11476", "before the year 1"])
def test_a_time_that_no_calendar_holds_costs_only_itself(far: int) -> None:
    made = [record(message=f"m{i}") for i in range(3)]
    table = pa.Table.from_pylist([{k: v for k, v in one.items() if k not in ("time_dt", "metadata")} for one in made])
    times = pa.array([STAGE_MS * 1000, far, STAGE_MS * 1000], pa.timestamp("us", "UTC"))
    metadata = pa.StructArray.from_arrays([times, pa.array(["Metadata"] * 3)], ["logged_time_dt", "log_level"])
    sink = io.BytesIO()
    pq.write_table(table.append_column("time_dt", times).append_column("metadata", metadata), sink)
    found = events(sink.getvalue())
    assert [(one["stage"], one["level"], one["stageTimestamp"]) for one in found] == [
        (f"m{i}", "Metadata", STAGE) for i in range(3)
    ]


class _Failing(io.BytesIO):
    """A file on a disk that fails."""

    def read(self, *_: object) -> bytes:
        raise OSError(errno.EIO, "Input/output error")


def test_a_disk_that_fails_is_not_told_as_a_damaged_object() -> None:
    with pytest.raises(OSError, match="Input/output error") as caught:
        list(security_lake.batches("o", "s3://lake/o", _Failing(parquet([record()])), LIMITS))
    assert explained(caught.value) == (
        Exit.TRANSIENT,
        "this machine: [Errno 5] Input/output error; free space or mend permissions, then run again",
    )


def test_a_full_disk_is_not_told_as_a_damaged_object(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(security_lake.tempfile, "TemporaryFile", full)
    with pytest.raises(OSError, match="No space left on device"):
        batches(parquet([record()]), _Pipe)


class _Pipe(io.RawIOBase):
    """A stream that goes only forward."""

    def __init__(self, data: bytes) -> None:
        self._inner = io.BytesIO(data)

    def read(self, size: int = -1) -> bytes:
        return self._inner.read(size)


@pytest.mark.parametrize("chunk", [7, 16_000_000])
def test_a_stream_and_a_packed_file_are_read_like_a_file(monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    monkeypatch.setattr(stored, "_BATCH_BYTES", chunk)
    data = parquet([record()])
    lines = [b.data for b in batches(data)]
    assert [b.data for b in batches(data, _Pipe)] == [b.data for b in batches(gzip.compress(data))] == lines


@pytest.mark.parametrize("column", [k for k in record() if k != "class_uid"])
def test_a_column_that_is_not_there_costs_only_itself(column: str) -> None:
    made = record(start_time=STAGE_MS - 2)
    del made[column]
    (found,) = events(parquet([made]))
    assert {"kind", "apiVersion"} <= found.keys()
    kept = {k for k, v in found.items() if v == EXPECTED[k]}
    assert len(kept) >= len(EXPECTED) - 4


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3)
_ANY = st.recursive(_LEAVES, lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=5), x, max_size=3))


@given(st.dictionaries(st.sampled_from([*record(), "unmapped", "start_time"]), _ANY))
def test_no_record_raises(wrong: dict[str, Any]) -> None:
    assert event(record(**wrong))["kind"] == "Event"


def test_text_that_is_half_a_surrogate_costs_no_event() -> None:
    made = record(unmapped='{"annotations":{"a":"\\ud800"}}')
    assert events(parquet([made]))[0]["annotations"] == {"a": "?"}


BROKEN: dict[str, bytes] = {
    "cut": parquet([record()])[:-200],
    "only its sign": b"PAR1",
    "other bytes": b"PAR1" + bytes(500) + b"PAR1",
    "other pages": parquet([record()])[:4] + b"\xff" * 3000 + parquet([record()])[3004:],
    "no footer": parquet([record()])[:-8] + b"\xff\xff\xff\x7fPAR1",
    "other columns": parquet([{"a": 1}]),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_read_is_told_with_the_objects_name(data: bytes) -> None:
    with pytest.raises(DataError) as caught:
        batches(data)
    text = str(caught.value)
    assert text.startswith("s3://lake/o: ")
    assert "Parquet" in text
    assert text.endswith("take it out of the source")


def test_bodies_are_not_even_read_from_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    real = pq.ParquetFile.iter_batches

    def listening(self: pq.ParquetFile, *args: Any, columns: list[str], **more: Any) -> Iterator[pa.RecordBatch]:
        asked.append(columns)
        return iter(real(self, *args, columns=columns, **more))

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", listening)
    assert events(parquet([V1_2])) == [ANNOTATED]
    assert not [path for path in asked[0] if ".data" in path or "requestObject" in path]
    assert "api.request.uid" in asked[0]


def test_what_is_said_to_be_lacking_is_all_that_is_lacking(engine: duckdb.DuckDBPyConnection) -> None:
    full = {"podName": "p", "impersonatedUser": "eve", "extra": {"authentication.kubernetes.io/pod-name": ["p"]}}
    made = [V1_2 | {"unmapped": V1_2["unmapped"] | full}]
    (batch,) = batches(parquet(made))
    rows = parse(engine, batch).rows
    assert rows.num_rows == 1
    empty = {name for name in NAMES if rows[name].null_count == rows.num_rows}
    assert empty == set(LACKS)
    assert len(LACKS) == len(set(LACKS))


LONG_AGENT = record(http_request={"url": {"path": "/api/v1/pods"}, "user_agent": "x" * 300_000})


def test_one_long_agent_of_many_rows_is_held_once_and_kept_in_part() -> None:
    data = parquet([LONG_AGENT] * 600, compression="zstd")
    tracemalloc.start()
    read = batches(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # written out, the agents alone would be 180 MB
    assert peak < 40_000_000
    assert {len(json.loads(one)["userAgent"]) for batch in read for one in batch.data.splitlines()} == {1024}


def test_rows_of_many_agents_in_many_groups_are_each_their_own() -> None:
    agents = [f"{i % 97}" * 40 for i in range(400)]
    rows = [record(http_request={"user_agent": agent}, resources=[{"name": agent}]) for agent in agents]
    for options in ({"row_group_size": 33}, {"dictionary_pagesize_limit": 900, "data_page_size": 500}):
        assert [one["userAgent"] for one in events(parquet(rows, **options))] == agents


def test_rows_that_are_more_than_a_log_of_that_size_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflate, "BOMB_BYTES", 1_000_000)
    monkeypatch.setattr(inflate, "BOMB_TIMES", 30)
    with pytest.raises(DataError, match=r"^s3://lake/o: inflates to more than 30 times its size \("):
        batches(parquet([LONG_AGENT] * 3000))


def test_a_file_on_disk_is_read_where_it_lies(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    path.write_bytes(parquet([record()]))
    with path.open("rb") as raw, stored.reading("o", str(path), raw) as found:
        assert len(list(found.batches())) == 1
        assert not raw.closed
