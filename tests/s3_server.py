"""S3 on a random loopback port: moto, which behaves, and a server that answers what a test tells it to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from loopback import serving
from moto.server import ThreadedMotoServer

# No file of the user's home and no metadata service has a say
AWS_ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": "/nonexistent",
    "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
}


@contextmanager
def moto_server() -> Iterator[str]:
    """The endpoint of an empty AWS."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@dataclass(frozen=True)
class Answer:
    """One HTTP answer; the connection closes after `body`, whatever length was promised."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"0"'})
    promised: int | None = None

    @classmethod
    def error(cls, status: int, code: str) -> Answer:
        """An S3 error document."""
        return cls(status, f"<Error><Code>{code}</Code><Message>{code} it is</Message></Error>".encode(), {})


@contextmanager
def scripted_server(*answers: Answer) -> Iterator[tuple[str, list[str]]]:
    """An endpoint that gives these answers in turn, the last for ever; and the methods it was asked."""
    asked: list[str] = []
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            with lock:
                answer = answers[min(len(asked), len(answers) - 1)]
                asked.append(self.command)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(answer.promised or len(answer.body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(answer.body)

        do_GET = do_PUT = answer  # noqa: N815 (the names http.server calls)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with serving(Handler) as url:
        yield url, asked
