"""CloudWatch Logs as far as export tasks go, on a random loopback port: one active task for the account, statuses that
change from poll to poll, and objects laid out as the service lays them out."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from uuid import UUID

from loopback import serving

_LINES_IN_AN_OBJECT = 100
_TASKS_ON_A_PAGE = 2
_ACTIVE = ("PENDING", "RUNNING", "PENDING_CANCEL")

Event = tuple[int, str]
"""A timestamp in milliseconds, and a message."""


@dataclass
class ExportService:
    """What the account holds and how it behaves.

    `statuses` are those of a new task, poll after poll, the last for ever. `faults` are taken by the next requests of
    an operation: "lost" runs it and drops the answer, "torn" cuts the answer, "page" is a proxy's, "again" a list that
    goes on where it began, any other text a refusal with that code."""

    s3: Any
    streams: Mapping[str, Sequence[Event]] = field(default_factory=dict)
    statuses: Sequence[str] = ("PENDING", "RUNNING", "COMPLETED")
    message: str = "as it is"
    faults: list[tuple[str, str]] = field(default_factory=list)
    tasks: list[dict[str, Any]] = field(default_factory=list)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def answer(self, operation: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and answer of a request."""
        self.asked.append((operation, asked))
        run = {
            "CreateExportTask": self._create,
            "DescribeExportTasks": self._describe,
            "CancelExportTask": self._cancel,
        }
        return run[operation](asked)

    def operations(self) -> list[str]:
        """What was asked, in order."""
        return [operation for operation, _ in self.asked]

    def occupy(self, polls: int) -> None:
        """Let another task of the account run while so many are asked for."""
        self.tasks.append(_task({"taskName": "somebody else's"}, ["RUNNING"] * polls + ["COMPLETED"], len(self.tasks)))

    def _create(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        occupied = any(task["status"][0] in _ACTIVE for task in self.tasks)
        for task in self.tasks:
            if "destination" not in task["asked"]:
                _move(task)
        if occupied:
            return 400, {"__type": "LimitExceededException", "message": "Resource limit exceeded."}
        task = _task(asked, list(self.statuses), len(self.tasks))
        self.tasks.append(task)
        self._put(asked, f"{asked['destinationPrefix']}/aws-logs-write-test", b"Permission Check Successful")
        return 200, {"taskId": task["id"]}

    def _describe(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if "taskId" not in asked:
            start = int(asked.get("nextToken", 0))
            page = {"exportTasks": [self._shown(t) for t in self.tasks[start : start + _TASKS_ON_A_PAGE]]}
            more = start + _TASKS_ON_A_PAGE < len(self.tasks)
            return 200, page | ({"nextToken": str(start + _TASKS_ON_A_PAGE)} if more else {})
        found = [task for task in self.tasks if task["id"] == asked["taskId"]]
        answer = {"exportTasks": [self._shown(task) for task in found]}
        for task in found:
            if task["status"][0] == "COMPLETED":
                self._export(task)
            _move(task)
        return 200, answer

    def _cancel(self, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        for task in self.tasks:
            if task["id"] == asked["taskId"]:
                task["status"] = ["CANCELLED"]
        return 200, {}

    def _shown(self, task: Mapping[str, Any]) -> dict[str, Any]:
        asked = {key: value for key, value in task["asked"].items() if key != "logStreamNamePrefix"}
        return {**asked, "taskId": task["id"], "status": {"code": task["status"][0], "message": self.message}}

    def _export(self, task: Mapping[str, Any]) -> None:
        asked = task["asked"]
        for stream, events in self.streams.items():
            if not stream.startswith(asked.get("logStreamNamePrefix", "")):
                continue
            lines = [_line(e) for e in events if asked["from"] <= e[0] <= asked["to"]]
            for number, start in enumerate(range(0, len(lines), _LINES_IN_AN_OBJECT)):
                folder = f"{asked['destinationPrefix']}/{task['id']}/{stream.replace('/', '-')}"
                body = gzip.compress(b"".join(lines[start : start + _LINES_IN_AN_OBJECT]), mtime=0)
                self._put(asked, f"{folder}/{number:06d}.gz", body)

    def _put(self, asked: Mapping[str, Any], key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=asked["destination"], Key=key, Body=body)


def _task(asked: dict[str, Any], statuses: list[str], number: int) -> dict[str, Any]:
    return {"id": str(UUID(int=number + 1)), "asked": asked, "status": statuses}


def _move(task: dict[str, Any]) -> None:
    if len(task["status"]) > 1:
        task["status"].pop(0)


def _line(one: Event) -> bytes:
    at, message = one
    stamp = datetime.fromtimestamp(at // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{stamp}.{at % 1000:03d}Z {message}\n".encode()


@contextmanager
def export_task_server(service: ExportService) -> Iterator[str]:
    """The endpoint of the service."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            operation = self.headers["X-Amz-Target"].partition(".")[2]
            with lock:
                fault = next((f for f in service.faults if f[0] == operation), None)
                if fault is not None:
                    service.faults.remove(fault)
                self._answer(operation, asked, fault[1] if fault else "")

        def _answer(self, operation: str, asked: dict[str, Any], fault: str) -> None:
            if fault == "again":
                self._send(200, b'{"exportTasks": [], "nextToken": "0"}')
                return
            if fault not in ("", "lost", "torn", "page"):
                service.asked.append((operation, asked))
                status, body = (503 if fault.startswith("Service") else 400), {"__type": fault, "message": "no"}
                self._send(status, json.dumps(body).encode())
                return
            status, body = service.answer(operation, asked)
            text = json.dumps(body).encode()
            if fault == "lost":
                self.close_connection = True
            elif fault == "torn":
                self._send(status, text[: len(text) // 2], len(text))
            elif fault == "page":
                self._send(200, b"<html>welcome</html>", kind="text/html")
            else:
                self._send(status, text)

        def _send(
            self, status: int, body: bytes, promised: int | None = None, kind: str = "application/x-amz-json-1.1"
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body) if promised is None else promised))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with serving(Handler) as url:
        yield url
