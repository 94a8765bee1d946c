"""A proxy on loopback between a job and its emulator, which harms chosen requests and writes every one down.

tests/pipelines/test_fault_proxy.py."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import urlsplit

from faults.actions import Action, Exchange, forward
from faults.http1 import Message, read_answer, read_request

_LARGEST_HEAD = 1 << 20


@dataclass
class Rule:
    """Harm requests whose key holds `match`: skip the first ones, then act on so many, None for all that follow."""

    action: Action
    match: str = ""
    skip: int = 0
    times: int | None = 1
    seen: int = field(default=0, init=False)
    fired: int = field(default=0, init=False)

    def takes(self, key: str) -> bool:
        """Does the rule act on this request? Counts it, too."""
        if self.match not in key:
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.times is not None and self.fired >= self.times):
            return False
        self.fired += 1
        return True


@dataclass
class Call:
    """One request as the log holds it; status and size are the emulator's, 0 where it was not asked."""

    key: str
    action: str
    status: int = 0
    size: int = 0


class Proxy:
    """A server in a thread of its own, from `with` to its end."""

    def __init__(self, upstream: str) -> None:
        """
        Args:
            upstream: the emulator, http://HOST:PORT.
        """
        where = urlsplit(upstream)
        self._upstream = (where.hostname or "", where.port or 80)
        self._rules: tuple[Rule, ...] = ()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self.log: list[Call] = []
        self.url = ""

    def __enter__(self) -> Proxy:
        self._thread.start()
        opening = asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_LARGEST_HEAD)
        self._server = asyncio.run_coroutine_threadsafe(opening, self._loop).result(10)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def arm(self, *rules: Rule) -> None:
        """Begin a new log under these rules; the first that takes a request acts on it. None at all: no harm."""
        self.log, self._rules = [], rules

    async def _close(self) -> None:
        assert self._server is not None
        self._server.close()
        rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # a client may vanish at any moment, most of all one that was just killed
        with contextlib.suppress(ConnectionError, asyncio.CancelledError, asyncio.IncompleteReadError):
            while (request := await read_request(reader, writer)) is not None:
                if not await self._deal_with(request, writer):
                    break
        writer.close()

    async def _deal_with(self, request: Message, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection may serve another request."""
        key = " ".join(filter(None, (request.method, request.path, request.header("x-amz-target"))))
        rule = next((rule for rule in self._rules if rule.takes(key)), None)
        action = forward if rule is None else rule.action
        call = Call(key, action.name)
        self.log.append(call)

        async def send_on(message: Message) -> Message:
            got = await self._asked(message)
            call.status, call.size = got.status, len(got.body)
            return got

        exchange = Exchange(request, writer, send_on)
        await action.act(exchange)
        return not exchange.lost

    async def _asked(self, message: Message) -> Message:
        reader, writer = await asyncio.open_connection(*self._upstream, limit=_LARGEST_HEAD)
        try:
            writer.write(message.head("close") + message.body)
            return await read_answer(reader, message.method)
        finally:
            writer.close()
