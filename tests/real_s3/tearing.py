"""A wire that tears once: what a server says passes through until so many bytes, then the connection is gone."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


@contextmanager
def tearing(endpoint: str, after: int) -> Iterator[str]:
    """An endpoint before that of the server; the first connection that brings more bytes than `after` breaks there."""
    wire = _Wire(urlsplit(endpoint).port or 80, after)
    thread = threading.Thread(target=wire.serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{wire.port}"
    finally:
        wire.close()
        thread.join()


class _Wire:
    def __init__(self, server: int, after: int) -> None:
        self._server = server
        self._left = after
        self._whole = True
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listening]
        self.port = self._listening.getsockname()[1]

    def serve(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:  # closed: the test is over
                return
            far = socket.create_connection(("127.0.0.1", self._server))
            self._open += [near, far]
            for source, target, cut in ((near, far, bytes), (far, near, self._cut)):
                threading.Thread(target=_pass_on, args=(source, target, cut), daemon=True).start()

    def close(self) -> None:
        for one in self._open:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _cut(self, chunk: bytes) -> bytes:
        """What passes of it: less than all breaks the connection."""
        if self._whole and len(chunk) > self._left:
            self._whole = False
            return chunk[: self._left]
        self._left -= len(chunk)
        return chunk


def _pass_on(source: socket.socket, target: socket.socket, cut: Callable[[bytes], bytes]) -> None:
    with suppress(OSError):  # the other side is gone
        while chunk := source.recv(1 << 16):
            passed = cut(chunk)
            target.sendall(passed)
            if len(passed) < len(chunk):
                break
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
