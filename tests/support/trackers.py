"""Trackers on loopback that misbehave, each in one thread of this process, and count what they are asked.

In a test::

    with Tracker("silent") as tracker:
        ...  # a run that logs to tracker.url
        assert tracker.requests >= 1

    with Tracker("dying", behind=mlflow_server.url, answers=5) as tracker:
        ...  # the first five requests reach the real server

They answer one request a connection, so that a client connects anew for each.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from types import TracebackType

Kind = Literal[
    "silent", "drip", "500", "503", "429", "refuse", "redirect", "garbage", "echo", "slow", "dying", "lossy", "healthy"
]

KINDS: tuple[Kind, ...] = get_args(Kind)
"""All of them; see `Tracker` for what each does."""

PROXIES: tuple[Kind, ...] = ("slow", "dying", "lossy", "healthy")
"""Those that need a real server behind them."""

RETRY_AFTER = 30
"""Seconds that ``429`` asks for."""

REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    413: "Content Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
    429: "Too Many Requests",
    302: "Found",
}

LIMIT = 1 << 20
"""Bytes of the longest headers, and of the longest line between chunks."""


@dataclass(frozen=True)
class Request:
    """One HTTP request as it came; ``body`` still has the chunks it came in."""

    line: str
    headers: tuple[str, ...]
    body: bytes

    @property
    def path(self) -> str:
        return self.line.split()[1]

    def to_bytes(self) -> bytes:
        """The request for a server that is to close the connection after its answer."""
        kept = [header for header in self.headers if not header.lower().startswith("connection:")]
        return "\r\n".join([self.line, *kept, "Connection: close", "", ""]).encode("latin-1") + self.body


class Tracker:
    """Serves from construction to ``close``.

    ========== ==================================================================================================
    silent     reads the request and never answers
    drip       answers 200 and its headers at once, then a byte every ``pause`` seconds (1) for ever
    500, 503   answers with that status
    429        answers with that status and ``Retry-After: 30``
    refuse     has a port on which nothing listens
    redirect   answers 302 to where the request went
    garbage    answers with bytes that are not HTTP
    echo       answers 401, and repeats the headers of the request, the last one first
    slow       passes each request on to ``behind`` after ``pause`` seconds (3)
    dying      passes ``answers`` requests on to ``behind``, then drops every connection and refuses new ones
    lossy      passes each request on to ``behind``; the first answer to each first line is lost
    healthy    passes each request on to ``behind``
    ========== ==================================================================================================

    ``port`` 0 takes a free one; another lets a tracker come back where one was closed. Where requests are passed on,
    those whose path has ``refused`` in it get the answer ``status`` instead.
    """

    def __init__(
        self,
        kind: Kind,
        behind: str | None = None,
        *,
        answers: int = 3,
        pause: float | None = None,
        port: int = 0,
        refused: str | None = None,
        status: int = 403,
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}, expected one of {', '.join(KINDS)}")
        if (behind is None) == (kind in PROXIES):
            raise ValueError(f"behind is {behind!r}, expected a URL for {', '.join(PROXIES)} and None for the others")
        if answers < 1:
            raise ValueError(f"answers is {answers}, expected at least 1")
        self.kind = kind
        self.lines: list[str] = []
        """The first lines of the requests, like ``POST /api/2.0/mlflow/runs/create HTTP/1.1``."""
        self._behind = urlsplit(behind or "").netloc
        self._answers = answers
        self._answered = 0
        self._refused, self._status = refused, status
        self._pause = pause if pause is not None else {"drip": 1.0, "slow": 3.0}.get(kind, 0.0)
        self._socket = _bind(port)
        self._port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._thread: threading.Thread | None = None
        if kind != "refuse":
            self._start()

    def _start(self) -> None:
        self._socket.listen(1024)
        self._connections: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name=f"tracker {self.kind}", daemon=True)
        self._thread.start()

    def __enter__(self) -> Tracker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._thread is not None:
            with contextlib.suppress(RuntimeError):  # closed before
                self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join()
        self._socket.close()

    @property
    def requests(self) -> int:
        """Requests that arrived complete, answered or not."""
        return len(self.lines)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._server = await asyncio.start_server(self._converse, sock=self._socket, limit=LIMIT)
        await self._closing.wait()
        self._server.close()
        self._drop_connections()
        conversations = asyncio.all_tasks() - {asyncio.current_task()}
        for conversation in conversations:
            conversation.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)
        await asyncio.sleep(0)  # in which the transports close their sockets

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        # A client that gave up waiting is an everyday event here; only close() cancels, and asyncio would log it.
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            try:
                request = await _read_request(reader)
                self.lines.append(request.line)
                await self._answer(request, reader, writer)
            finally:
                self._connections.discard(writer)
                writer.close()

    async def _answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.kind == "silent":
            await reader.read()
        elif self.kind == "drip":
            await self._drip(writer)
        elif self.kind in PROXIES:
            await self._pass_on(request, writer)
        else:
            writer.write(self._useless_answer(request))
            await writer.drain()

    def _useless_answer(self, request: Request) -> bytes:
        if self.kind == "garbage":
            return random.Random(self.requests).randbytes(512)
        if self.kind == "redirect":
            return _response(302, f"Location: {self.url}{request.path}")
        if self.kind == "429":
            return _response(429, f"Retry-After: {RETRY_AFTER}")
        if self.kind == "echo":
            return _response(401, body="\n".join(reversed(request.headers)))
        return _response(int(self.kind))

    async def _drip(self, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(self._pause)

    async def _pass_on(self, request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self._pause)
        if self._refused is not None and self._refused in request.path:
            writer.write(_response(self._status))
            await writer.drain()
            return
        answer = await _exchange(self._behind, request)
        if self.kind == "dying" and self._answered == self._answers:
            return
        if self.kind == "lossy" and self.lines.count(request.line) == 1:
            return
        self._answered += 1
        writer.write(answer)
        await writer.drain()
        if self.kind == "dying" and self._answered == self._answers:
            self._connections.discard(writer)  # its client is to get the last answer
            self._die()

    def _die(self) -> None:
        self._server.close()
        self._drop_connections()
        self._socket.close()
        # Kept, so that nobody else listens on it.
        self._socket = _bind(self._port)

    def _drop_connections(self) -> None:
        for connection in self._connections:
            connection.transport.abort()


def _bind(port: int) -> socket.socket:
    """A socket that does not listen yet: whoever connects is refused."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound


def _response(status: int, *headers: str, body: str = "no\n") -> bytes:
    length = f"Content-Length: {len(body)}"
    head = [f"HTTP/1.1 {status} {REASONS[status]}", "Content-Type: text/plain", *headers, length, "Connection: close"]
    return "\r\n".join([*head, "", body]).encode("latin-1")


async def _read_request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *headers = head.rstrip("\r\n").split("\r\n")
    values = {name.lower(): value.strip() for name, _, value in (header.partition(":") for header in headers)}
    if values.get("transfer-encoding", "").lower() == "chunked":
        body = await _read_chunks(reader)
    else:
        body = await reader.readexactly(int(values.get("content-length", 0)))
    return Request(line, tuple(headers), body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    """A body with the sizes of its chunks, as it came; trailers, which nobody sends, are not understood."""
    chunks = b""
    size = -1
    while size:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        chunks += line + await reader.readexactly(size + 2)
    return chunks


async def _exchange(netloc: str, request: Request) -> bytes:
    """The whole answer of a server to a request."""
    host, _, port = netloc.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request.to_bytes())
        await writer.drain()
        return await reader.read()
    finally:
        writer.close()
