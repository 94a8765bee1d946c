"""One night, wrapped in everything that carries audit logs: the same rows in the archive, whatever it came in."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import event, line
from e2e.job import Ended, auditforest, records
from e2e.world import CLUSTER
from envelope_builders import CONTROL, TEXTS, compact, firehose, record
from export_task_server import ExportService, export_task_server
from logs_server import Stored, logs_server
from loopback import serving

from pipelines.aws.session import client
from pipelines.envelopes.security_lake import LACKS
from pipelines.parsing.events import NAMES

NIGHT = "2026-09-15"
STREAM = "kube-apiserver-audit-0a1b"

_POD = {
    "spec": {
        "hostPID": True,
        "containers": [{"image": "shop/cart:1", "securityContext": {"privileged": True}, "command": ["sh", "}{"]}],
        "volumes": [{"hostPath": {"path": "/"}}],
    }
}
_RBAC = "rbac.authorization.k8s.io"
_BODIES: tuple[dict[str, Any], ...] = (
    {"verb": "create", "name": "cart", "body": _POD},
    {"verb": "create", "resource": "roles", "group": _RBAC, "body": {"rules": [{"verbs": ["*"]}]}},
    {
        "verb": "create",
        "resource": "rolebindings",
        "group": _RBAC,
        "body": {"roleRef": {"kind": "Role", "name": "r"}, "subjects": [{"kind": "User", "name": "é"}]},
    },
    {
        "verb": "create",
        "resource": "serviceaccounts",
        "subresource": "token",
        "name": "cart",
        "body": {"spec": {"expirationSeconds": 86400}},
    },
)
_REFUSED = {"user": None, "resource": None, "code": 401, "stage": "ResponseStarted", "uri": "/api?token=hunter2"}
_EXEC = "/api/v1/namespaces/shop/pods/cart/exec?command=sh&command=-c&command=echo%20hunter2&container=c&stdin=true"
_PERSON = {
    "user": "arn:aws:sts::111122223333:assumed-role/SRE/maria",
    "arn": "arn:aws:iam::111122223333:role/SRE",
    "session": "maria",
}
_ALLOWED = 'RBAC: allowed by RoleBinding "b/shop" of Role "r" to User "maria"'


def _notes(**more: str) -> dict[str, str]:
    return {"authorization.k8s.io/decision": "allow"} | {k.replace("_", "/"): v for k, v in more.items()}


def _one(number: int) -> dict[str, Any]:
    """The event of that number; every kind in turn."""
    text = TEXTS[number // 8 % len(TEXTS)]
    kinds: tuple[dict[str, Any], ...] = (
        {"agent": text, "name": f"n{number}"},
        _BODIES[number // 8 % len(_BODIES)] | {"level": "RequestResponse"},
        _REFUSED,
        _PERSON | {"verb": "create", "name": "cart", "subresource": "exec", "uri": _EXEC},
        {"code": 403, "resource": "secrets", "name": f"s{number}", "user": text},
        _PERSON | {"impersonates": "root"} | {"annotations": _notes(**{"authorization.k8s.io_reason": _ALLOWED})},
        {"annotations": _notes(**{"audit.k8s.io_truncated": "true"}), "verb": "update"},
        {"code": None, "stage": "RequestReceived", "ip": "2001:db8::1", "namespace": None, "resource": "nodes"},
    )
    made = {"at": f"{NIGHT}T{number % 24:02d}:{number:02d}:07.123456Z", "audit_id": str(UUID(int=number + 1))}
    return event(**(made | kinds[number % len(kinds)]))


EVENTS = [_one(number) for number in range(60)]
LINES = [json.dumps(e, separators=(",", ":"), ensure_ascii=i % 2 == 0).encode() for i, e in enumerate(EVENTS)]
NDJSON = b"".join(one + b"\n" for one in LINES)


def logged_ms(one: Mapping[str, Any]) -> int:
    """When CloudWatch would say that it was logged."""
    return int(datetime.fromisoformat(one["stageTimestamp"]).timestamp() * 1000)


def _stamped() -> bytes:
    stamps = [datetime.fromtimestamp(logged_ms(e) / 1000, UTC).isoformat(timespec="milliseconds")[:-6] for e in EVENTS]
    return b"".join(f"{stamp}Z ".encode() + one + b"\n" for stamp, one in zip(stamps, LINES, strict=True))


def _repeated() -> bytes:
    batches = [firehose(LINES[:20]), firehose(LINES[20:])]
    return batches[0] + CONTROL + batches[1] + batches[0]


def _zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


FORMS: dict[str, Callable[[], bytes]] = {
    "lines": lambda: NDJSON,
    "gzip": lambda: gzip.compress(NDJSON),
    "zstd": lambda: _zstd(NDJSON),
    "gzip of several members": lambda: b"".join(gzip.compress(one + b"\n") for one in LINES),
    "an EventList on one line": lambda: b'{"kind":"EventList","apiVersion":"v1","items":[' + b",".join(LINES) + b"]}\n",
    "an array on one line": lambda: b"[" + b",".join(LINES) + b"]",
    "an EventList over many lines": lambda: b'{\n"kind": "EventList",\n"items": [\n' + b",\n".join(LINES) + b"\n]\n}\n",
    "lines of an export task": lambda: gzip.compress(_stamped()),
    "Firehose": lambda: firehose(LINES),
    "Firehose, one record a line": lambda: firehose(LINES, between=b"\n"),
    "Firehose, packed twice": lambda: gzip.compress(gzip.compress(firehose(LINES))),
    "Firehose, probed and repeated": _repeated,
    "messages extracted from Firehose": lambda: gzip.compress(b"".join(LINES)),
    "Fluent Bit": lambda: b"".join(line({"date": 1.5, "log": one.decode() + "\n"}) for one in LINES),
    "Fluent Bit, CRI": lambda: b"".join(
        line({"log": f"2026-09-15T12:00:00.123456789Z stdout F {one.decode()}"}) for one in LINES
    ),
}
"""Every form that carries the bytes of the API server."""
PRETTY: dict[str, Callable[[], bytes]] = {
    "events over many lines": lambda: b"".join(json.dumps(e, indent=2).encode() + b"\n" for e in EVENTS),
    "an EventList, pretty": lambda: json.dumps({"kind": "EventList", "items": EVENTS}, indent=4).encode(),
    "an array, pretty": lambda: json.dumps(EVENTS, indent=1).encode(),
}
"""Forms that carry the events in other bytes."""


@dataclass
class Fed:
    """What `--source` says, what the environment holds, and further flags."""

    source: str
    environment: Mapping[str, str] = field(default_factory=dict)
    flags: Sequence[str] = ()


def exported(fed: Fed, archive: Path) -> tuple[Ended, dict[str, int]]:
    """Export into an archive; how it ended, and where every line did."""
    options = ("--cluster", CLUSTER, "--archive", archive, "--date", NIGHT)
    ended = auditforest("export", *options, "--source", fed.source, *fed.flags, **fed.environment)
    assert ended.code == 0, ended.err
    counts: dict[str, int] = records(archive)[-1]["export"]["counts"]
    total = counts["archived"] + counts["duplicate"] + counts["quarantined"] + counts["outside"]
    assert counts["read"] == total
    return ended, counts


def archived(archive: Path) -> list[dict[str, Any]]:
    """Rows of the night, whichever part they stand in."""
    found = []
    for part in (archive / "events" / f"cluster={CLUSTER}" / f"date={NIGHT}").glob("part-*.parquet"):
        found += pq.read_table(part, partitioning=None).to_pylist()
    return sorted(found, key=lambda row: (row["audit_id"], row["stage"]))


def of_file(folder: Path, body: bytes) -> Fed:
    """A folder with one file."""
    folder.mkdir()
    (folder / "audit.log").write_bytes(body)
    return Fed(str(folder))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive of the night from plain lines. Not to be changed."""
    root = tmp_path_factory.mktemp("files")
    _, counts = exported(of_file(root / "source", NDJSON), root / "archive")
    assert counts["archived"] == len(EVENTS)
    return root / "archive"


@pytest.fixture(scope="module")
def rows(files: Path) -> list[dict[str, Any]]:
    """Its rows."""
    return archived(files)


@pytest.fixture
def again(files: Path, tmp_path: Path) -> Callable[[Fed], dict[str, int]]:
    """Exports a source into the archive that holds the night from files; the counts come back."""

    def export(fed: Fed) -> dict[str, int]:
        copy = tmp_path / "again"
        for path in files.rglob("*"):
            if path.is_file():
                (copy / path.relative_to(files)).parent.mkdir(parents=True, exist_ok=True)
                (copy / path.relative_to(files)).write_bytes(path.read_bytes())
        before = {p for p in copy.rglob("*") if "runs" not in p.parts}
        _, counts = exported(fed, copy)
        assert {p for p in copy.rglob("*") if "runs" not in p.parts} == before
        return counts

    return export


Again = Callable[[Fed], dict[str, int]]


def test_the_night_holds_what_the_columns_are_for(rows: list[dict[str, Any]]) -> None:
    filled = {name for name in NAMES for row in rows if row[name] is not None}
    own = {"privileged", "host_pid", "host_path", "images", "rule_wildcard", "binding_role", "token_expiration_s"}
    assert own | {"impersonated_user", "authz_role", "session_name", "truncated", "code"} <= filled
    assert len(rows) == len(EVENTS)
    assert "hunter2" not in json.dumps([row["request_uri"] for row in rows])
    assert {row["code"] for row in rows} == {None, 200, 401, 403}


@pytest.mark.parametrize("form", FORMS)
def test_a_form_gives_every_column_of_every_row_and_then_nothing_new(
    form: str, rows: list[dict[str, Any]], again: Again, tmp_path: Path
) -> None:
    fed = of_file(tmp_path / "source", FORMS[form]())
    _, counts = exported(fed, tmp_path / "archive")
    assert archived(tmp_path / "archive") == rows
    repeats = 20 if form == "Firehose, probed and repeated" else 0
    assert (counts["archived"], counts["duplicate"], counts["quarantined"]) == (len(EVENTS), repeats, 0)
    assert counts["skipped"] == (1 if repeats else 0)
    counts = again(fed)
    assert (counts["archived"], counts["duplicate"]) == (0, len(EVENTS) + repeats)


@pytest.mark.parametrize("form", PRETTY)
def test_a_form_in_other_bytes_gives_every_other_column(form: str, rows: list[dict[str, Any]], tmp_path: Path) -> None:
    _, counts = exported(of_file(tmp_path / "source", PRETTY[form]()), tmp_path / "archive")
    assert (counts["read"], counts["archived"]) == (len(EVENTS), len(EVENTS))
    own = ("bytes", "content_hash")
    assert [without(row, *own) for row in archived(tmp_path / "archive")] == [without(row, *own) for row in rows]


def without(row: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The other columns."""
    return {name: value for name, value in row.items() if name not in names}


# Sources in AWS


@contextmanager
def s3(endpoint: str, bodies: Mapping[str, bytes]) -> Iterator[Fed]:
    """A bucket of its own with these objects."""
    bucket = f"logs-{uuid4().hex}"
    with closing(client("s3", region="us-east-1", endpoint_url=endpoint)) as made:
        made.create_bucket(Bucket=bucket)
        for key, body in bodies.items():
            made.put_object(Bucket=bucket, Key=f"audit/{key}", Body=body)
    yield Fed(f"s3://{bucket}/audit", {"AUDITFOREST_AWS__ENDPOINT": endpoint})


@contextmanager
def objects(endpoint: str) -> Iterator[Fed]:
    """Firehose's objects, packed and not, of which each holds a part of the night."""
    kinds = [firehose(LINES[:15]), gzip.compress(firehose(LINES[15:30])), b"".join(LINES[30:45])]
    bodies = {f"2026/09/15/{hour:02d}/stream-{hour}": body for hour, body in enumerate(kinds)}
    with s3(endpoint, bodies | {"plain.gz": gzip.compress(b"\n".join(LINES[45:]))}) as fed:
        yield fed


@contextmanager
def cloudwatch(_: str) -> Iterator[Fed]:
    """The log group of the cluster, with lines of another stream in it."""
    with logs_server() as (endpoint, fake):
        fake.add_group()
        fake.add_cluster()
        fake.add(*(Stored(logged_ms(e), text.decode(), STREAM) for e, text in zip(EVENTS, LINES, strict=True)))
        fake.add(Stored(logged_ms(EVENTS[0]), "no audit event", "kube-scheduler-1"))
        settings = {"AUDITFOREST_EXPORT__LOGS_CALLS_PER_SECOND": "1000", "AUDITFOREST_AWS__ENDPOINT": endpoint}
        yield Fed("cloudwatch", settings)


@contextmanager
def bulk(endpoint: str) -> Iterator[Fed]:
    """The same group through an export task to a bucket."""
    bucket = f"bulk-{uuid4().hex}"
    with ExitStack() as stack:
        made = stack.enter_context(closing(client("s3", region="us-east-1", endpoint_url=endpoint)))
        made.create_bucket(Bucket=bucket)
        told = [(logged_ms(e), text.decode()) for e, text in zip(EVENTS, LINES, strict=True)]
        service = ExportService(made, {STREAM: sorted(told), "kube-scheduler-1": told[:1]}, ("COMPLETED",))
        both = stack.enter_context(one_endpoint(stack.enter_context(export_task_server(service)), endpoint))
        settings = {"AUDITFOREST_AWS__ENDPOINT": both, "AUDITFOREST_EXPORT__BULK_DESTINATION": f"s3://{bucket}/bulk"}
        yield Fed("cloudwatch", settings, ["--bulk"])


@contextmanager
def one_endpoint(logs: str, others: str) -> Iterator[str]:
    """An address behind which CloudWatch Logs is one server and all else another, as in AWS."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            where = logs if "X-Amz-Target" in self.headers else others
            with closing(HTTPConnection(urlsplit(where).netloc, timeout=30)) as asked:
                asked.request(self.command, self.path, body, dict(self.headers.items()))
                found = asked.getresponse()
                content = found.read()
            self.send_response(found.status)
            for name, value in found.getheaders():
                if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = answer  # noqa: N815 (the names http.server calls)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with serving(Handler) as url:
        yield url


@pytest.fixture(autouse=True)
def aws_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials for the clients that lay the sources out."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")


@pytest.mark.parametrize("laid", [objects, cloudwatch, bulk])
def test_a_source_in_aws_gives_every_column_of_every_row_and_then_nothing_new(
    laid: Callable[[str], Any], rows: list[dict[str, Any]], again: Again, tmp_path: Path, moto: str
) -> None:
    with laid(moto) as fed:
        _, counts = exported(fed, tmp_path / "archive")
        assert archived(tmp_path / "archive") == rows
        assert (counts["read"], counts["archived"]) == (len(EVENTS), len(EVENTS))
        counts = again(fed)
        assert (counts["archived"], counts["duplicate"]) == (0, len(EVENTS))


# Security Lake


def ocsf(one: Mapping[str, Any]) -> dict[str, Any]:
    """The record that Security Lake makes of an event (OCSF 1.1.0)."""
    user, ref = one["user"], one.get("objectRef", {})
    extra = user.get("extra", {})
    received = one["requestReceivedTimestamp"][:23].replace("T", " ")
    unmapped = {f"annotations.{key}": value for key, value in one["annotations"].items()}
    return {
        "class_uid": 6003,
        "time": logged_ms(one),
        "message": one["stage"],
        "start_time_dt": received,
        "metadata": {"log_level": one["level"], "product": {"version": "audit.k8s.io/v1"}},
        "api": {
            "operation": one["verb"],
            "version": "v1",
            "request": {"uid": one["auditID"], "data": json.dumps(one.get("requestObject"))},
            "response": {"code": one.get("responseStatus", {}).get("code")},
        },
        "actor": {
            "user": {"name": user.get("username"), "groups": [{"name": name} for name in user.get("groups", [])]},
            "session": {"issuer": extra.get("canonicalArn", [None])[0], "uid": extra.get("sessionName", [None])[0]},
        },
        "src_endpoint": {"ip": one["sourceIPs"][0]},
        "http_request": {"url": {"path": one["requestURI"]}, "user_agent": one["userAgent"]},
        "resources": [{"type": ref.get("resource"), "name": ref.get("name"), "namespace": ref.get("namespace")}],
        "unmapped": list(unmapped.items()),
    }


def lake() -> bytes:
    """The night as an object of Security Lake."""
    made = [ocsf(one) for one in EVENTS]
    table = pa.Table.from_pylist([without(one, "unmapped") for one in made])
    unmapped = pa.array([one["unmapped"] for one in made], pa.map_(pa.string(), pa.string()))
    sink = io.BytesIO()
    pq.write_table(table.append_column("unmapped", unmapped), sink)
    return sink.getvalue()


LAKE_KEY = "aws/EKS_AUDIT/2.0/region=us-east-1/accountId=111122223333/eventDay=20260915/a.gz.parquet"


def carried(row: Mapping[str, Any]) -> dict[str, Any]:
    """What Security Lake carries of a row: times to the millisecond."""
    kept = without(row, *LACKS, "content_hash")
    stamps = {n: kept[n].replace(microsecond=kept[n].microsecond // 1000 * 1000) for n in ("stage_ts", "received_ts")}
    return kept | stamps


def test_security_lake_gives_every_column_that_it_carries(
    rows: list[dict[str, Any]], tmp_path: Path, moto: str
) -> None:
    with s3(moto, {LAKE_KEY: lake()}) as fed:
        _, counts = exported(fed, tmp_path / "archive")
    found = archived(tmp_path / "archive")
    assert (counts["read"], counts["archived"]) == (len(EVENTS), len(EVENTS))
    assert [carried(row) for row in found] == [carried(row) for row in rows]
    assert {row[name] for row in found for name in LACKS} == {None}


def test_features_of_a_night_from_security_lake_say_what_they_cannot_see(files: Path, tmp_path: Path) -> None:
    exported(of_file(tmp_path / "source", lake()), tmp_path / "archive")
    blind = {}
    for archive in (tmp_path / "archive", files):
        ended = auditforest("features", "--cluster", CLUSTER, "--archive", archive, "--date", NIGHT)
        assert ended.code == 0, ended.err
        blind[archive] = set(records(archive)[-1]["by_night"][NIGHT]["blind"])
    from_lake, from_files = blind.values()
    assert from_files < from_lake
    unseen = " ".join(from_lake - from_files)
    assert "impersonat" in unseen
    assert "privileged" in unseen


@pytest.mark.parametrize("first", ["files", "Security Lake"])
def test_a_night_from_files_and_from_security_lake_is_archived_once(first: str, tmp_path: Path) -> None:
    feds = [of_file(tmp_path / "plain", NDJSON), of_file(tmp_path / "lake", lake())]
    one, two = feds if first == "files" else feds[::-1]
    exported(one, tmp_path / "archive")
    before = archived(tmp_path / "archive")
    _, counts = exported(two, tmp_path / "archive")
    assert (counts["archived"], counts["duplicate"]) == (0, len(EVENTS))
    assert archived(tmp_path / "archive") == before


def test_a_night_in_other_bytes_is_kept_beside_and_told(files: Path, tmp_path: Path) -> None:
    del files
    exported(of_file(tmp_path / "plain", NDJSON), tmp_path / "archive")
    _, counts = exported(of_file(tmp_path / "pretty", PRETTY["an array, pretty"]()), tmp_path / "archive")
    assert counts["archived"] == len(EVENTS)
    told = records(tmp_path / "archive")[-1]["by_night"][NIGHT]["counts"]["collisions"]
    assert told == len(EVENTS)


def test_records_of_other_streams_and_probes_are_passed_over(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    other = compact(record([b"text", b"more"], stream="kube-scheduler-1"))
    _, counts = exported(of_file(tmp_path / "source", other + CONTROL + firehose(LINES) + other), tmp_path / "archive")
    assert archived(tmp_path / "archive") == rows
    assert (counts["read"], counts["skipped"]) == (len(EVENTS), 5)
