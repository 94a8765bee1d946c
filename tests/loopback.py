"""HTTP servers of tests on a random loopback port, each in a thread of its own for as long as the test needs it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer


@contextmanager
def running(server: HTTPServer) -> Iterator[str]:
    """The address of the server, which serves until the end and is closed then."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """The address at which each request is answered by the handler."""
    with running(ThreadingHTTPServer(("127.0.0.1", 0), handler)) as url:
        yield url
