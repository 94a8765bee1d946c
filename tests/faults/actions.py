"""What the proxy can do to one request: each action is a function of the exchange it is given.

tests/pipelines/test_fault_proxy.py holds each to what it says, through a real client."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from faults.http1 import Message, answer

_JSON = "application/x-amz-json-1.1"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

At = int | Callable[[int], int]
"""A place in a body: so many bytes, or a function of the body's length."""


@dataclass
class Exchange:
    """One request under way, and the hands to deal with it."""

    request: Message
    writer: asyncio.StreamWriter
    send_on: Callable[[Message], Awaitable[Message]]
    lost: bool = False
    """Is the client's connection gone?"""

    async def forward(self) -> Message:
        """The emulator's answer."""
        return await self.send_on(self.request)

    async def reply(self, message: Message) -> None:
        """Give the client a whole answer; the connection stays."""
        self.writer.write(message.head("keep-alive") + message.body)
        await self.writer.drain()

    async def reply_part(self, message: Message, size: int) -> None:
        """Promise the whole answer, give `size` bytes of its body."""
        self.writer.write(message.head("keep-alive") + message.body[:size])
        await self.writer.drain()

    def close(self) -> None:
        """End the connection in good order."""
        self.lost = True
        self.writer.close()

    def reset(self) -> None:
        """End the connection by a reset."""
        self.lost = True
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.writer.transport.abort()


@dataclass(frozen=True)
class Action:
    """A fault, named for the log."""

    name: str
    act: Callable[[Exchange], Awaitable[None]]


async def _forward(exchange: Exchange) -> None:
    await exchange.reply(await exchange.forward())


forward = Action("forward", _forward)
"""No fault."""


def _refused(name: str, status: int, s3_code: str, json_code: str) -> Action:
    """A canned error in the dress of the protocol that was asked in."""

    async def act(exchange: Exchange) -> None:
        if _speaks_json(exchange.request):
            said = json.dumps({"__type": json_code, "message": f"injected {name}"}).encode()
            await exchange.reply(answer(status, _JSON, said))
        else:
            said = f"<Error><Code>{s3_code}</Code><Message>injected {name}</Message></Error>".encode()
            await exchange.reply(answer(status, "application/xml", said))

    return Action(name, act)


def _speaks_json(request: Message) -> bool:
    """Does the service, by the operation named in a header or by what the request is signed for?"""
    signed = request.header("authorization") or ""
    return request.header("x-amz-target") is not None or "/eks/aws4_request" in signed


throttle = _refused("throttle", 400, "ThrottlingException", "ThrottlingException")
expired = _refused("expired", 400, "ExpiredToken", "ExpiredTokenException")
skew = _refused("skew", 403, "RequestTimeTooSkewed", "RequestTimeTooSkewed")
slowdown = _refused("slowdown", 503, "SlowDown", "SlowDown")


def status(code: int, content_type: str, body: bytes) -> Action:
    """Any answer; nothing is forwarded."""

    async def act(exchange: Exchange) -> None:
        await exchange.reply(answer(code, content_type, body))

    return Action(f"status {code}", act)


async def _reset_before(exchange: Exchange) -> None:
    exchange.reset()


reset_before = Action("reset_before", _reset_before)
"""The connection is reset, nothing is forwarded."""


async def _lost_response(exchange: Exchange) -> None:
    await exchange.forward()
    exchange.reset()


lost_response = Action("lost_response", _lost_response)
"""The request is carried out, its answer never comes."""


async def _dup(exchange: Exchange) -> None:
    await exchange.forward()
    await exchange.reply(await exchange.forward())


dup = Action("dup", _dup)
"""The request is carried out twice; the second answer comes."""


def truncate(at: At) -> Action:
    """The body ends after `at` bytes of the length that was promised."""

    async def act(exchange: Exchange) -> None:
        got = await exchange.forward()
        await exchange.reply_part(got, _place(at, got))
        exchange.close()

    return Action("truncate", act)


def reset_mid(at: At) -> Action:
    """The connection is reset after `at` bytes of the body."""

    async def act(exchange: Exchange) -> None:
        got = await exchange.forward()
        await exchange.reply_part(got, _place(at, got))
        exchange.reset()

    return Action("reset_mid", act)


def flip(at: At, *, checksums: bool = True) -> Action:
    """One byte of the body arrives with every bit turned.

    Args:
        checksums: does the answer keep the checksum headers of the object? Old objects have none.
    """

    async def act(exchange: Exchange) -> None:
        got = await exchange.forward()
        if got.body:
            place = _place(at, got)
            turned = bytes([got.body[place] ^ 0xFF])
            got = replace(got, body=got.body[:place] + turned + got.body[place + 1 :])
        await exchange.reply(got if checksums else got.without("x-amz-checksum-"))

    return Action("flip", act)


def delay(seconds: float) -> Action:
    """The answer comes late."""

    async def act(exchange: Exchange) -> None:
        got = await exchange.forward()
        await asyncio.sleep(seconds)
        await exchange.reply(got)

    return Action("delay", act)


def hold_and_kill(kill: Callable[[], None], *, after: bool) -> Action:
    """The job is killed while its request is held: a moment that no timing can miss.

    Args:
        after: is the request carried out first?
    """

    async def act(exchange: Exchange) -> None:
        if after:
            await exchange.forward()
        kill()
        exchange.reset()

    return Action(f"hold_and_kill {'after' if after else 'before'}", act)


def _place(at: At, message: Message) -> int:
    size = len(message.body)
    return max(0, min(at if isinstance(at, int) else at(size), size))
