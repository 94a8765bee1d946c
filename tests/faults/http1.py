"""HTTP/1.1 messages on asyncio streams: as much of it as stands between an AWS client and an emulator.

tests/pipelines/test_fault_proxy.py sends real requests through it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

_END_OF_HEAD = b"\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_OF_THE_HOP = ("connection", "transfer-encoding", "content-length", "expect", "keep-alive")
_NO_BODY = (204, 304)


@dataclass(frozen=True)
class Message:
    """A request or an answer; its body is whole and not chunked. `length` is what a HEAD promises."""

    first: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    length: int | None = None

    def header(self, name: str) -> str | None:
        """The first value of a header, or None."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def without(self, prefix: str) -> Message:
        """The message without the headers that begin like this."""
        return replace(self, headers=tuple(h for h in self.headers if not h[0].lower().startswith(prefix)))

    @property
    def method(self) -> str:
        return self.first.split(" ")[0]

    @property
    def path(self) -> str:
        return self.first.split(" ")[1]

    @property
    def status(self) -> int:
        return int(self.first.split(" ")[1])

    def head(self, connection: str) -> bytes:
        """Everything before the body; the length promised is that of the whole body."""
        promised = len(self.body) if self.length is None else self.length
        kept = [h for h in self.headers if h[0].lower() not in _OF_THE_HOP]
        told = [*kept, ("Content-Length", str(promised)), ("Connection", connection)]
        return "\r\n".join([self.first, *(f"{name}: {value}" for name, value in told)]).encode("latin-1") + _END_OF_HEAD


def answer(status: int, content_type: str, body: bytes) -> Message:
    """An answer that no emulator gave."""
    headers = (("Content-Type", content_type), ("Date", "Mon, 23 Nov 2026 02:00:00 GMT"), ("x-amz-request-id", "0"))
    return Message(f"HTTP/1.1 {status} Injected", headers, body)


async def read_request(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Message | None:
    """The next request of a connection, or None where the client has left."""
    try:
        first, headers = await _head(reader)
    except asyncio.IncompleteReadError:
        return None
    asked = Message(first, headers)
    if (asked.header("expect") or "").lower() == "100-continue":
        writer.write(_CONTINUE)
    return replace(asked, body=await _body(reader, asked, to_the_end=False))


async def read_answer(reader: asyncio.StreamReader, method: str) -> Message:
    """The answer to a request, provisional ones passed over."""
    while True:
        first, headers = await _head(reader)
        got = Message(first, headers)
        if got.status >= 200:
            break
    if method == "HEAD" or got.status in _NO_BODY:
        return replace(got, length=int(got.header("content-length") or 0))
    return replace(got, body=await _body(reader, got, to_the_end=True))


async def _head(reader: asyncio.StreamReader) -> tuple[str, tuple[tuple[str, str], ...]]:
    first, *rest = (await reader.readuntil(_END_OF_HEAD)).decode("latin-1").strip().split("\r\n")
    parted = (line.partition(":") for line in rest)
    return first, tuple((name, value.strip()) for name, _, value in parted)


async def _body(reader: asyncio.StreamReader, of: Message, *, to_the_end: bool) -> bytes:
    if (of.header("transfer-encoding") or "").lower() == "chunked":
        return await _chunks(reader)
    length = of.header("content-length")
    if length is not None:
        return await reader.readexactly(int(length))
    return await reader.read() if to_the_end else b""


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readline()
    while (await reader.readline()).strip():
        pass  # trailers
    return body
