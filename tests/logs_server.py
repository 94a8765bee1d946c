"""CloudWatch Logs and the one call of EKS on loopback, with the bounds of the real ones, and faults on demand.

moto ignores logStreamNamePrefix and never fails; this server does what AWS says."""

from __future__ import annotations

import json
import math
import os
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from loopback import running

AUDIT_STREAM = "kube-apiserver-audit-0a1b"
JSON_TYPE = "application/x-amz-json-1.1"


@dataclass(frozen=True)
class Stored:
    """One event as the service keeps it."""

    at_ms: int
    message: str
    stream: str = AUDIT_STREAM
    event_id: str = ""

    def shown(self) -> dict[str, Any]:
        """As FilterLogEvents answers it."""
        return {
            "logStreamName": self.stream,
            "timestamp": self.at_ms,
            "message": self.message,
            "ingestionTime": self.at_ms,
            "eventId": self.event_id or sha256(repr(self).encode()).hexdigest()[:56],
        }


@dataclass
class Fault:
    """What becomes of an answer; `cut` says how many bytes of it are sent."""

    page: str = "any"
    """first, middle or last of FilterLogEvents' pages; any also meets other operations."""
    times: float = 1
    operation: str = "FilterLogEvents"
    start_ms: int | None = None
    status: int = 200
    body: bytes | None = None
    code: str = ""
    kind: str = JSON_TYPE
    cut: Callable[[int], int] | None = None
    reset: bool = False
    chunked: bool = False
    fired: int = 0

    @classmethod
    def refusal(cls, code: str, status: int = 400, **more: Any) -> Fault:
        """A service's error."""
        body = json.dumps({"__type": code, "message": f"{code} it is"}).encode()
        return cls(status=status, body=body, code=code, **more)


@dataclass
class FakeLogs:
    """The service's state: set it, then ask."""

    events: list[Stored] = field(default_factory=list)
    groups: dict[str, dict[str, Any]] = field(default_factory=dict)
    clusters: dict[str, Any] = field(default_factory=dict)
    page_events: int = 100
    empty_pages: int = 0
    """Answers without events, but with a token, before each page but the first."""
    same_token: bool = False
    """Have these the token of the page that follows them?"""
    heeds_prefix: bool = True
    faults: list[Fault] = field(default_factory=list)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    gate: threading.Event | None = None
    """While it is not set, FilterLogEvents does not answer."""
    _empties: Counter[tuple[int, str]] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def reset(self) -> None:
        """As at the start."""
        fresh = FakeLogs()
        for name in self.__dataclass_fields__:
            if name != "_lock":
                setattr(self, name, getattr(fresh, name))

    def add_group(self, name: str = "/aws/eks/prod/cluster", retention_days: int | None = None) -> None:
        """A log group."""
        arn = f"arn:aws:logs:us-east-1:111122223333:log-group:{name}:*"
        kept = {} if retention_days is None else {"retentionInDays": retention_days}
        self.groups[name] = {"logGroupName": name, "arn": arn, "storedBytes": 0, **kept}

    def add_cluster(self, name: str = "prod", *, audit: bool = True) -> None:
        """A cluster of EKS."""
        on = [{"types": ["api", "audit"], "enabled": audit}, {"types": ["scheduler"], "enabled": True}]
        self.clusters[name] = {"name": name, "logging": {"clusterLogging": on}}

    def add(self, *events: Stored) -> None:
        """Events of the log."""
        self.events.extend(events)

    def calls(self, operation: str) -> int:
        """How often it was asked."""
        return sum(name == operation for name, _ in self.asked)

    def answer(self, operation: str, request: dict[str, Any]) -> tuple[int, dict[str, Any], Fault | None]:
        """Status and answer, and the fault to wrap it in."""
        with self._lock:
            self.asked.append((operation, request))
            page, (status, answer) = "any", getattr(self, f"_{operation}")(request)
            if operation == "FilterLogEvents":
                last = "nextToken" not in answer
                page = "first" if "nextToken" not in request else "last" if last else "middle"
            fault = next((f for f in self.faults if self._fits(f, operation, page, request)), None)
            if fault is not None:
                fault.fired += 1
            return status, answer, fault

    def _fits(self, fault: Fault, operation: str, page: str, request: dict[str, Any]) -> bool:
        return (
            fault.operation == operation
            and fault.fired < fault.times
            and fault.page in ("any", page)
            and fault.start_ms in (None, request.get("startTime"))
        )

    def _found(self, request: dict[str, Any], *, first: int, last: int) -> list[Stored]:
        streams = request.get("logStreamNames") or [request.get("logStreamName")]
        prefix = request.get("logStreamNamePrefix", "") if self.heeds_prefix else ""
        chosen = [e for e in self.events if first <= e.at_ms <= last and e.stream.startswith(prefix)]
        return [e for e in chosen if streams == [None] or e.stream in streams]

    def _FilterLogEvents(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802
        if request["logGroupName"] not in self.groups:
            return 400, {"__type": "ResourceNotFoundException", "message": "The specified log group does not exist."}
        if not 1 <= request["limit"] <= 10_000:
            return 400, {"__type": "InvalidParameterException", "message": "limit"}
        found = self._found(request, first=request["startTime"], last=request["endTime"])
        token = request.get("nextToken", "0.0")
        at, empties = map(int, token.split("."))
        if at and (empties if not self.same_token else self._still_empty(request["startTime"], token)):
            following = token if self.same_token else f"{at}.{empties - 1}"
            return 200, {"events": [], "searchedLogStreams": [], "nextToken": following}
        end = at + min(self.page_events, request["limit"])
        more = {"nextToken": f"{end}.{self.empty_pages}"} if end < len(found) else {}
        return 200, {"events": [e.shown() for e in found[at:end]], "searchedLogStreams": [], **more}

    def _still_empty(self, start_ms: int, token: str) -> bool:
        self._empties[start_ms, token] += 1
        return self._empties[start_ms, token] % (self.empty_pages + 1) != 0

    def _CreateExportTask(self, _: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802
        return 200, {"taskId": "task-1"}

    def exported(self) -> list[Stored]:
        """What the last export task takes."""
        request = next(r for name, r in reversed(self.asked) if name == "CreateExportTask")
        return self._found(request, first=request["from"], last=request["to"])

    def _DescribeLogGroups(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802
        names = sorted(n for n in self.groups if n.startswith(request.get("logGroupNamePrefix", "")))
        at = int(request.get("nextToken", 0))
        more = {"nextToken": str(at + 2)} if at + 2 < len(names) else {}
        return 200, {"logGroups": [self.groups[n] for n in names[at : at + 2]], **more}

    def _DescribeCluster(self, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:  # noqa: N802
        if request["name"] not in self.clusters:
            return 404, {
                "__type": "ResourceNotFoundException",
                "message": f"No cluster found for name: {request['name']}.",
            }
        return 200, {"cluster": self.clusters[request["name"]]}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and name[1:2].isupper():
            return lambda _: (200, {})
        raise AttributeError(name)


@contextmanager
def logs_server() -> Iterator[tuple[str, FakeLogs]]:
    """An endpoint of both services, and their state."""
    fake = FakeLogs()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 1 << 16
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            self._serve(self.headers.get("X-Amz-Target", "Logs.Unknown").partition(".")[2], request)

        def do_GET(self) -> None:
            self._serve("DescribeCluster", {"name": self.path.rpartition("/")[2]})

        def _serve(self, operation: str, request: dict[str, Any]) -> None:
            with fake._lock:
                fake.at_once += 1
                fake.most_at_once = max(fake.most_at_once, fake.at_once)
            if fake.gate is not None and operation == "FilterLogEvents":
                fake.gate.wait(10)
            status, answer, fault = fake.answer(operation, request)
            with fake._lock:
                fake.at_once -= 1
            self._send(status, answer, fault or Fault())

        def _send(self, status: int, answer: dict[str, Any], fault: Fault) -> None:
            body = json.dumps(answer).encode() if fault.body is None else fault.body
            sent = body if fault.cut is None else body[: fault.cut(len(body))]
            self.send_response(status if fault.status == 200 else fault.status)
            self.send_header("Content-Type", fault.kind)
            self.send_header("x-amzn-ErrorType", fault.code or answer.get("__type", ""))
            if sent != body:
                self.send_header("Connection", "close")
            if fault.chunked:
                self.send_header("Transfer-Encoding", "chunked")
                sent = f"{len(body):x}\r\n".encode() + sent + (b"" if fault.cut else b"\r\n0\r\n\r\n")
            else:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(sent)
            self.wfile.flush()
            if fault.reset:
                # closed with unsent data dropped: the peer gets RST, not FIN
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                os.close(self.connection.detach())
            self.close_connection = sent != body or fault.reset

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 64

        def handle_error(self, *_: object) -> None:
            """A client that goes away is what some tests want."""

    with running(Server(("127.0.0.1", 0), Handler)) as url:
        yield url, fake


FOR_EVER = math.inf
WHOLE_BUT_WRONG: dict[str, dict[str, Any]] = {
    "html": {"body": b"<html><body>Sign in</body></html>", "kind": "text/html"},
    "html called JSON": {"body": b"<html><body>Sign in</body></html>"},
    "empty": {"body": b""},
    "empty object": {"body": b"{}"},
    "without the key": {"body": b'{"searchedLogStreams": [], "nextToken": "7"}'},
    "key of null": {"body": b'{"events": null}'},
    "a list": {"body": b"[]"},
    "key of another type": {"body": b'{"events": {"a": 1}}'},
    "deeply nested": {"body": b'{"events": ' + b"[" * 100_000 + b"}"},
}
"""Answers with status 200 and a fitting length that are not the service's."""
CUTS: dict[str, Callable[[int], int]] = {
    "nothing": lambda _: 0,
    "one byte": lambda _: 1,
    "half": lambda n: n // 2,
    "all but one byte": lambda n: n - 1,
}
"""How many bytes of a body arrive."""
