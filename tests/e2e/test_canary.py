"""Words planted wherever a secret may stand in a log are found nowhere after a whole night; a word that is kept, is."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders import event, line
from e2e.job import Ended, auditforest, records
from e2e.world import CLUSTER
from envelope_builders import compact, record

from pipelines.parsing.redact import KEPT

NIGHT = "2026-09-15"
SECRET = "kanarienvogel"
CONTROL = "kontrollwort"


@dataclass
class Planted:
    """Secret words, each told from the others by its place."""

    words: list[str] = field(default_factory=list)

    def __call__(self, place: str) -> str:
        word = f"{SECRET}-{len(self.words)}-{place}"
        self.words.append(word)
        return word


def _bodies(secret: Planted) -> Iterator[dict[str, Any]]:
    """Writes whose bodies feed facts, a secret in every other member."""
    noted = {"annotations": {"last-applied": secret("last-applied"), secret("key"): "x"}, "labels": {"a": secret("l")}}
    container = {
        "image": f"https://{secret('image-user')}:{secret('image-word')}@registry.example/shop/cart:1",
        "env": [{"name": "PASSWORD", "value": secret("env")}],
        "command": ["sh", "-c", secret("command")],
        "securityContext": {"privileged": True, "x": secret("context")},
    }
    volumes = [{"name": secret("volume"), "hostPath": {"path": f"/{secret('path')}"}}]
    pod = {"metadata": noted, "spec": {"hostPID": True, "containers": [container], "volumes": volumes}}
    yield {"resource": "pods", "verb": "create", "body": pod, "responseObject": pod}
    wide = {"metadata": {"annotations": {"a": secret("deployment")}}, "spec": {"template": pod}}
    yield {"resource": "deployments", "group": "apps", "verb": "update", "body": wide}
    values = [{"op": "add", "path": f"/spec/{secret('op')}", "value": {"x": secret("value")}}]
    yield {"resource": "pods", "verb": "patch", "body": values}
    data = {"data": {"password": secret("data")}, "stringData": {secret("data-key"): secret("text")}}
    yield {"resource": "secrets", "verb": "create", "body": data, "responseObject": data}
    yield {"resource": "secrets", "verb": "update", "body": secret("body-as-text")}
    yield {"resource": "secrets", "verb": "patch", "body": [secret("body-as-list")]}
    token = {"spec": {"expirationSeconds": 60, "audiences": [secret("audience")]}, "status": {"token": secret("jwt")}}
    asked = {"verb": "create", "resource": "serviceaccounts", "subresource": "token"}
    yield asked | {"body": token, "responseObject": token}
    yield asked | {"body": {"spec": {"expirationSeconds": secret("seconds")}}}
    addresses = [
        f"https://{secret('user')}:{secret('word')}@hook.example/p?k={secret('k')}#{secret('f')}",
        f"https://user:pa/{secret('behind-a-slash')}@hook.example/p",
        f"https://hooks.example/services/T0/B0/{secret('path')}",
        f"https://hooks.example/services/{secret('path')}@x",
        f"user:{secret('no-scheme')}@hook.example",
    ]
    hooks = [{"clientConfig": {"url": url, "caBundle": secret("bundle")}} for url in addresses]
    group = "admissionregistration.k8s.io"
    yield {"verb": "create", "resource": "mutatingwebhookconfigurations", "group": group, "body": {"webhooks": hooks}}
    auth = {"data": {"mapRoles": f"- rolearn: arn:aws:iam::111122223333:role/r\n  note: {secret('map')}"}}
    yield {"verb": "update", "resource": "configmaps", "namespace": "kube-system", "name": "aws-auth", "body": auth}
    rbac = {"verb": "create", "group": "rbac.authorization.k8s.io"}
    yield rbac | {"resource": "roles", "body": {"rules": [{"verbs": ["*"], "resourceNames": [secret("rule")]}]}}
    bound = {"roleRef": {"kind": "Role", "name": "r", "x": secret("ref")}, "subjects": [{"kind": "User", "name": "a"}]}
    yield rbac | {"resource": "rolebindings", "body": bound | {"metadata": {"name": secret("metadata")}}}
    review = {"spec": {"resourceAttributes": {"verb": "get"}, "user": secret("review"), "extra": {"a": [secret("e")]}}}
    yield {"verb": "create", "resource": "subjectaccessreviews", "group": "authorization.k8s.io", "body": review}
    for path in (f"/x?token={secret('asked')}", f"/x;{secret('asked')}", f"/x%3ftoken={secret('asked')}"):
        url = {"spec": {"nonResourceAttributes": {"verb": "get", "path": path}}}
        yield {"verb": "create", "resource": "subjectaccessreviews", "group": "authorization.k8s.io", "body": url}


def _fields(secret: Planted) -> Iterator[dict[str, Any]]:
    """Members that no column is read from."""
    yield {"annotations": {"authorization.k8s.io/decision": "allow", "x/y": secret("annotation"), secret("key"): "z"}}
    yield {"annotations": {"audit.k8s.io/truncated": secret("truncated"), "k8s.io/deprecated": secret("deprecated")}}
    for name in ("headers", "authorization", "cookie", "token", "authenticationMetadata", "managedFields"):
        yield {name: {"Authorization": f"Bearer {secret(name)}", "all": [secret(f"{name}-list")]}}
    yield {secret("member"): 1}
    yield {"user": {"username": "eve", "password": secret("password"), "extra": {"scopes": [secret("scope")]}}}
    yield {"user": {"username": "eve", "extra": {"sessionName": ["maria", secret("second")], secret("extra"): ["x"]}}}
    yield {"user": {"username": "eve", "groups": "", "extra": secret("extra-as-text")}}
    yield {"impersonatedUser": {"username": "root", "uid": secret("uid"), "groups": [secret("g")]}}
    failed = {
        "code": 403,
        "message": secret("message"),
        "reason": secret("reason"),
        "details": {"n": secret("details")},
    }
    yield {"responseStatus": failed}
    yield {"objectRef": {"resource": "pods", "name": "cart", "uid": secret("ref"), "resourceVersion": secret("rv")}}
    for text in (f"Authorization: Bearer {secret('bearer')}", f"basic\t{secret('basic')}", _token(secret, "agent")):
        yield {"agent": f"curl/8 {text}"}
        yield {"annotations": {"authorization.k8s.io/reason": f"webhook: {text}"}}
    for member in ("resource", "subresource", "namespace", "name"):
        yield {"objectRef": {"resource": "pods", member: _token(secret, member)}}


_PARAMETERS = (
    "token", "access_token", "password", "api_key", "sig", "X-Amz-Signature", "path", "impersonate", "TOKEN", "a[b]",
    "Limit", "limit2", "%74oken", "command%20", "container%3d", "", "watch;token", "user:password",
)  # fmt: skip


def _uris(secret: Planted) -> Iterator[dict[str, Any]]:
    """Query strings."""
    path = "/api/v1/namespaces/shop/pods"
    for name in _PARAMETERS:
        yield {"uri": f"{path}?limit=500&{name}={secret('query')}&watch=true"}
    yield {"uri": f"{path}?{secret('bare')}"}
    yield {"uri": f"{path}?limit=5?token={secret('second')}"}
    yield {"uri": f"{path}?limit=5;token={secret('semicolon')}"}
    yield {"uri": f"{path}?{'&'.join(f'{k}=1' for k in KEPT)}&x={secret('behind-all')}"}
    shell = f"command=sh&command=-c&command={quote('curl -H ' + secret('header'))}"
    run = {"subresource": "exec", "name": "cart", "verb": "create"}
    yield run | {"uri": f"{path}/cart/exec?container=c&{shell}&stdin=true"}
    yield run | {"uri": f"{path}/cart/exec?command=env%20TOKEN%3D{secret('one-word')}%20sh"}
    yield run | {"uri": f"{path}/cart/exec?stdin=true&command=mysql&command=-p{secret('mysql')}"}
    yield run | {"uri": f"{path}/cart/exec?command={_token(secret, 'program')}"}
    yield {"uri": f"{path}/{_token(secret, 'path')}"}
    yield {"uri": f"{path}?container={_token(secret, 'container')}"}
    for cut in (";", "#", "%3B", "%3f", "%253F", "%23"):
        yield {"uri": f"{path}/cart{cut}token={secret('behind-a-path')}"}
    for proxy in ("/api/v1/namespaces/shop/services/b/proxy", "/api/v1/nodes/b/proxy", "/api/v1/proxy"):
        yield {"uri": f"{proxy}/{secret('proxied')}/{secret('proxied')}"}
        yield {"uri": f"{proxy}/reset/{secret('proxied')}?limit={secret('kept-elsewhere')}"}
        yield {"uri": f"{proxy}%2Freset%2f{secret('proxied')}"}
        yield {"uri": f"{proxy}?command={secret('program')}"}
    for selector in ("data.token%3D", "password=", "metadata.name!=x%2Cdata.a%3d", "a%20in%20%28b%2C", "a in (b,"):
        yield {"uri": f"{path}?fieldSelector={selector}{secret('field')}&labelSelector={selector}{secret('label')}%29"}


def _token(secret: Planted, place: str) -> str:
    """A JSON Web Token."""
    return f"eyJhbGciOiJSUzI1NiJ9.eyJ{secret(place)}.{secret('signature')}"


def _damaged(secret: Planted) -> Iterator[bytes]:
    """Lines that are no events, or only the start of one."""
    who = {"user": {"username": "eve", "extra": {"x": secret("cut")}}, "requestURI": f"/x?token={secret('cut-uri')}"}
    yield f"kube-apiserver: password {secret('text')} refused".encode()
    yield compact({"secret": secret("other-json"), secret("other-key"): 1})
    yield compact({k: v for k, v in event(body={"a": secret("no-id")}).items() if k != "auditID"} | who)
    yield compact(event(stageTimestamp=secret("no-time")))
    yield b"[1," + compact(secret("in-a-list")) + b"]"
    yield b"[" + compact({"a": secret("listed")}) + b"," + compact(event(body=secret("beside"))) + b"]"
    yield b"\xff" + compact(event(body=secret("no-utf-8")))
    yield compact({"category": "kube-audit", "properties": {"log": secret("azure")}})
    yield compact({"log": f"not an event {secret('wrapped')}"})
    whole = compact(event() | who | {"requestObject": {"data": {"password": secret("cut-body")}}, "z": secret("end")})
    for cut in range(40, len(whole), 9):
        yield whole[:cut]
        yield whole[:cut] + b"[Truncated...]"
        yield f"{NIGHT}T12:00:00.123Z ".encode() + whole[:cut]


def events(secret: Planted) -> list[dict[str, Any]]:
    """All events that are whole; the control word is the name of one principal."""
    made = []
    for number, more in enumerate([*_bodies(secret), *_fields(secret), *_uris(secret), {"user": CONTROL}]):
        asked = {"at": f"{NIGHT}T{number % 24:02d}:00:00.000000Z", "level": "RequestResponse"}
        plain = {k: more[k] for k in more if k not in ("user", "annotations", "objectRef")}
        member = {k: more[k] for k in ("annotations", "objectRef") if k in more}
        user = more.get("user")
        made.append(event(**asked | plain | ({"user": user} if isinstance(user, str) else {})) | member)
        if isinstance(user, dict):
            made[-1]["user"] = user
    return made


def _ocsf(one: Mapping[str, Any], secret: Planted) -> dict[str, Any]:
    body = json.dumps(one.get("requestObject", {}))
    return {
        "class_uid": 6003,
        "time_dt": one["stageTimestamp"],
        "message": one["stage"],
        "metadata": {"log_level": one["level"], "uid": secret("ocsf-uid"), "product": {"version": "audit.k8s.io/v1"}},
        "api": {
            "operation": one["verb"],
            "request": {"uid": f"{one['auditID']}-lake", "data": body},
            "response": {"code": 200, "data": secret("ocsf-response"), "message": secret("ocsf-message")},
        },
        "actor": {"user": {"name": one["user"].get("username"), "credential_uid": secret("ocsf-user")}},
        "http_request": {
            "url": {"path": one["requestURI"], "query_string": secret("ocsf-query")},
            "http_headers": [{"name": "Authorization", "value": secret("ocsf-header")}],
            "user_agent": "cart",
        },
        "resources": [{"type": "pods", "data": secret("ocsf-resource")}],
        "unmapped": [("requestObject", body), ("annotations.x", secret("ocsf-annotation")), ("y", secret("unmapped"))],
    }


def _lake(made: list[dict[str, Any]], secret: Planted) -> pa.Table:
    found = [_ocsf(one, secret) for one in made]
    table = pa.Table.from_pylist([{k: v for k, v in one.items() if k != "unmapped"} for one in found])
    unmapped = pa.array([one["unmapped"] for one in found], pa.map_(pa.string(), pa.string()))
    return table.append_column("unmapped", unmapped)


FORMS = ("plain.log", "firehose.json.gz", "pretty.json", "lake.parquet", "fluent.log")


def laid(folder: Path, secret: Planted) -> Path:
    """A source with a file of each form, every one with words of its own."""
    folder.mkdir()
    (folder / "plain.log").write_bytes(b"".join([*map(line, events(secret)), *(d + b"\n" for d in _damaged(secret))]))
    inner = [*(line(one).rstrip() for one in events(secret)), *_damaged(secret)]
    carried = [one for one in inner if b"\xff" not in one]
    other = compact(record([secret("other-stream").encode()], stream="kube-scheduler-1"))
    probe = compact(record([secret("probe").encode()], messageType="CONTROL_MESSAGE"))
    broken = compact(record([secret("broken").encode()]))[:-9]
    body = probe + compact(record(carried, owner=secret("owner"))) + other + broken
    (folder / "firehose.json.gz").write_bytes(gzip.compress(body))
    pretty = [json.dumps(one, indent=1).encode() for one in events(secret)]
    (folder / "pretty.json").write_bytes(b"\n".join(pretty) + b"\n{\n" + secret("half").encode())
    pq.write_table(_lake(events(secret), secret), folder / "lake.parquet")
    wrapped = [{"log": one.decode(), "kubernetes": secret("shipper")} for one in carried]
    (folder / "fluent.log").write_bytes(b"".join(map(line, wrapped)))
    return folder


def everywhere(root: Path, ended: Ended) -> dict[str, bytes]:
    """All that a run left behind: printed, in every file as it lies, and in every table as it reads."""
    found = {"stdout": ended.out.encode(), "stderr": ended.err.encode()}
    for path in filter(Path.is_file, root.rglob("*")):
        name = path.relative_to(root).as_posix()
        found[name] = name.encode() + b"\n" + path.read_bytes()
        if path.suffix == ".parquet":
            with pq.ParquetFile(path) as file:
                rows = json.dumps(file.read().to_pylist(), default=str, ensure_ascii=False)
                found[f"{name}, read"] = f"{rows}\n{file.metadata.metadata}\n{file.schema_arrow}".encode()
    return found


def holding(word: str, left: Mapping[str, bytes]) -> set[str]:
    """Where the word stands, in either case."""
    return {name for name, body in left.items() if word.encode() in body.lower()}


@dataclass(frozen=True)
class Night:
    """The night with all words planted, and what it left behind."""

    archive: Path
    words: list[str]
    ended: Ended
    left: dict[str, bytes]
    temporary: Path


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Night:
    """A whole night. Not to be changed."""
    root, secret = tmp_path_factory.mktemp("canary"), Planted()
    source, temporary = laid(root / "source", secret), root / "temporary"
    temporary.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(temporary))
        patch.chdir(temporary)
        asked = ("--cluster", CLUSTER, "--source", source, "--archive", root / "archive", "--date", NIGHT)
        ended = auditforest("nightly", *asked, "--trees", "10", AUDITFOREST_EXPORT__QUARANTINED_PERCENT="100")
    return Night(root / "archive", secret.words, ended, everywhere(root / "archive", ended), temporary)


def test_the_night_ran_to_its_end_on_every_form(night: Night) -> None:
    assert night.ended.code == 0, night.ended.err
    export = records(night.archive)[-1]["export"]
    assert set(export["objects"]) == set(FORMS)
    assert all(found["archived"] > 40 for found in export["objects"].values()), export["objects"]
    assert sum(found["quarantined"] > 10 for found in export["objects"].values()) >= 3
    assert len(night.words) > 500


def test_a_word_that_is_kept_is_found(night: Night) -> None:
    found = holding(CONTROL, night.left)
    tables = {name.partition("/")[0] for name in found if name.endswith(", read")}
    assert {"events", "items", "principal_days", "ranking"} <= tables
    files = {name.rpartition("/")[2] for name in found}
    assert {"report.html", "ranking.csv", "ranking.json"} <= files
    assert not any(name.startswith(("runs/", "quarantine/")) for name in found)


def test_no_secret_is_found_anywhere(night: Night) -> None:
    words = {w for w in night.words for body in night.left.values() if w.encode() in body}
    assert (holding(SECRET, night.left), words) == (set(), set())
    assert any(name.startswith("quarantine/") and name.endswith(", read") for name in night.left)
    assert any(name.startswith("runs/") for name in night.left)


def test_no_part_of_a_cut_secret_is_found(night: Night) -> None:
    # a line may have been cut inside of a word
    assert holding(SECRET[:6], night.left) == set()


def test_nothing_is_left_in_the_folder_for_temporary_files(night: Night) -> None:
    assert list(night.temporary.iterdir()) == []


REFUSED: dict[str, Callable[[Planted], tuple[str, bytes]]] = {
    "nothing but bad lines": lambda secret: ("a.log", b"".join(d + b"\n" for d in list(_damaged(secret))[:5])),
    "cut gzip": lambda secret: ("a.log.gz", gzip.compress(f"{secret('gzip')} ".encode() * 9)[:-5]),
    "Parquet of another kind": lambda secret: ("a.parquet", _parquet({secret("column"): [secret("cell")]})),
    "Parquet that is damaged": lambda secret: ("a.parquet", b"PAR1" + secret("damaged").encode() * 50 + b"PAR1"),
    "too many bad lines": lambda secret: (
        "a.log",
        line(event()) + b"".join(d + b"\n" for d in list(_damaged(secret))[:5]),
    ),
}


def _parquet(columns: Mapping[str, list[str]]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(dict(columns)), sink)
    return bytes(sink.getvalue())


@pytest.mark.parametrize("made", REFUSED.values(), ids=REFUSED)
def test_a_night_that_fails_tells_no_secret(made: Callable[[Planted], tuple[str, bytes]], tmp_path: Path) -> None:
    name, body = made(Planted())
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / name).write_bytes(body)
    asked = ("--cluster", CLUSTER, "--source", tmp_path / "source", "--archive", tmp_path / "archive", "--date", NIGHT)
    ended = auditforest("nightly", *asked)
    assert ended.code == 3, ended.err
    assert holding(SECRET, everywhere(tmp_path / "archive", ended)) == set()
