"""A loopback HTTP server that speaks enough of the OpenAI protocol to stand in for a provider, and counts.

In a test::

    with OpenAIServer(latency=0.01) as server:
        lm = dspy.LM("openai/fake-model", api_base=server.url, api_key="sk-secret", cache=False)
        ...
        assert server.count == 3

On its own, for benchmarks and for runs that get killed, it prints its URL as one line::

    python tests/support/openai_server.py --port 0 --latency 0.5

and ``GET /stats`` tells the counts.
"""

from __future__ import annotations

import argparse
import ast
import base64
import contextlib
import hashlib
import itertools
import json
import re
import socket
import socketserver
import struct
import sys
import threading
import time
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message
    from types import TracebackType

Body = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One completions request; ``finished`` and ``status`` are None while it is in flight or hangs."""

    number: int
    """1, 2, 3, ... in order of arrival over the life of the server; ``clear`` does not restart it."""
    path: str
    model: str
    messages: list[Body]
    temperature: float | None
    body: Body = field(repr=False)
    headers: Message = field(repr=False)
    """Case-insensitive, and with the API key in ``Authorization``."""
    started: float
    """``time.monotonic()``, like ``finished``."""
    finished: float | None = None
    status: int | None = None

    @property
    def prompt(self) -> str:
        """The text of all messages, one after the other."""
        return "\n".join(map(_text, self.messages))


@dataclass(frozen=True)
class Failure:
    """An error to answer with; OpenAI calls a prompt that is too long ``code="context_length_exceeded"``."""

    status: int = 400
    message: str = "the server was told to fail"
    retry_after: float | None = None
    """Seconds."""
    hang: bool = False
    """Never answer; the connection drops when the server is closed."""
    code: str | None = None
    drip: float | None = None
    """Seconds between two bytes of an answer that is right otherwise."""


def chat_format(**fields: Any) -> str:
    """An answer in the format of DSPy's ChatAdapter: ``chat_format(score=0.5, feedback="so so")``."""
    sections = [
        f"[[ ## {name} ## ]]\n{value if isinstance(value, str) else json.dumps(value)}"
        for name, value in fields.items()
    ]
    return "\n\n".join([*sections, "[[ ## completed ## ]]"])


def dspy_answer(request: Request) -> str:
    """Fill the output fields that DSPy's ChatAdapter or JSONAdapter asks for.

    A text is ``answer <number of the request>``, so two requests never get the same answer; a float, and a
    field named ``score``, is 0.75. Pydantic models are beyond it: pass an ``answer`` of your own.
    """
    prompt = _text(request.messages[-1]) if request.messages else ""
    if fields := _requested(prompt, _CHAT_REQUEST, _CHAT_FIELD, request.number):
        return chat_format(**fields)
    if fields := _requested(prompt, _JSON_REQUEST, _JSON_FIELD, request.number):
        return json.dumps(fields)
    return f"answer {request.number}"


_CHAT_REQUEST = "Respond with the corresponding output fields, starting with the field "
_JSON_REQUEST = "Respond with a JSON object in the following order of fields: "
_TYPE = r"(?: \(must be formatted as a valid Python (.+?)\))?"
_CHAT_FIELD = re.compile(r"`\[\[ ## (\w+) ## \]\]`" + _TYPE + "(?=, (?:and )?then )")
_JSON_FIELD = re.compile(r"`(\w+)`" + _TYPE + r"(?=, then `|\.)")


def _requested(prompt: str, request: str, pattern: re.Pattern[str], number: int) -> dict[str, Any]:
    # The last one: a prompt about prompts may quote another request in its inputs.
    _, found, tail = prompt.rpartition(request)
    return {name: _field_value(name, kind, number) for name, kind in pattern.findall(tail)} if found else {}


def _field_value(name: str, kind: str, number: int) -> Any:
    """A value of the Python type ``kind``, as DSPy's prompt names it; a text for a type unknown here."""
    if literal := re.search(r"Literal\[(.+?)\]", kind):
        return ast.literal_eval(f"({literal[1]},)")[0]
    if items := re.search(r"list\[(.+)\]", kind):
        return [_field_value("", items[1], number)]
    values: dict[str, Any] = {"dict": {}, "bool": True, "float": 0.75, "int": number}
    text = "0.75" if name == "score" else f"answer {number}"
    return next((value for python_type, value in values.items() if python_type in kind), text)


def _text(message: Body) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "\n".join(part.get("text", "") for part in content)


class OpenAIServer:
    """Serves from construction to ``close``; asks ``fail``, then ``answer``, in the request's own thread.

    ``latency`` is in seconds and passes before either is asked. Only completions requests fail.
    """

    def __init__(
        self,
        answer: Callable[[Request], str] = dspy_answer,
        latency: float = 0.0,
        fail: Callable[[Request], Failure | None] = lambda request: None,
        port: int = 0,
    ) -> None:
        self.answer = answer
        self.fail = fail
        self.latency = latency
        self.closed = threading.Event()
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._requests: dict[int, Request] = {}
        self._in_flight = self._peak = self._embeddings = self._searches = 0
        self._http = _HTTPServer(self, port)
        self.url = f"http://127.0.0.1:{self._http.server_port}/v1"
        # poll_interval is how long close() takes.
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.005,), daemon=True)
        self._thread.start()

    def __enter__(self) -> OpenAIServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop listening and drop every connection, those of hanging requests included."""
        self.closed.set()
        self._http.shutdown()
        self._http.server_close()
        self._http.drop_connections()
        self._thread.join()

    @property
    def requests(self) -> list[Request]:
        """The completions requests in order of arrival."""
        with self._lock:
            return list(self._requests.values())

    @property
    def count(self) -> int:
        """Completions requests, answered, failed, or in flight."""
        with self._lock:
            return len(self._requests)

    @property
    def in_flight(self) -> int:
        """How many completions requests are being answered."""
        with self._lock:
            return self._in_flight

    @property
    def peak_in_flight(self) -> int:
        """The most completions requests that were in flight at once."""
        with self._lock:
            return self._peak

    @property
    def embeddings(self) -> int:
        """Embeddings requests."""
        with self._lock:
            return self._embeddings

    @property
    def searches(self) -> int:
        """Searches of a retriever."""
        with self._lock:
            return self._searches

    def clear(self) -> None:
        """Forget what was counted; requests in flight go on, uncounted."""
        with self._lock:
            self._requests.clear()
            self._peak = self._in_flight
            self._embeddings = self._searches = 0

    def stats(self) -> dict[str, int]:
        return {"count": self.count, "peak_in_flight": self.peak_in_flight, "embeddings": self.embeddings}

    def complete(self, path: str, headers: Message, body: Body) -> Reply | None:
        """The answer to a completions request, None for one that is never answered."""
        request = self._start(path, headers, body)
        reply: Reply | None = None
        try:
            if not self.closed.wait(self.latency):
                reply = self._reply(request)
        finally:
            # Before the reply is sent: a client that has its answer finds the request counted as finished.
            self._finish(request, reply)
        return reply

    def embed(self, body: Body) -> Reply:
        with self._lock:
            self._embeddings += 1
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        data = [
            {"object": "embedding", "index": index, "embedding": _embedding(str(text), body)}
            for index, text in enumerate(texts)
        ]
        words = sum(len(str(text).split()) for text in texts)
        usage = {"prompt_tokens": words, "total_tokens": words}
        return Reply({"object": "list", "model": body.get("model", ""), "data": data, "usage": usage})

    def search(self) -> Reply:
        """Three passages, as a ColBERTv2 server answers to ``GET /search?query=...&k=...``."""
        with self._lock:
            self._searches += 1
        passages = [
            {"pid": number, "rank": number + 1, "score": 1.0, "text": f"passage {number}"} for number in range(3)
        ]
        return Reply({"topk": passages})

    def _start(self, path: str, headers: Message, body: Body) -> Request:
        with self._lock:
            request = Request(
                number=next(self._numbers),
                path=path,
                model=body.get("model", ""),
                messages=body.get("messages", []),
                temperature=body.get("temperature"),
                body=body,
                headers=headers,
                started=time.monotonic(),
            )
            self._requests[request.number] = request
            self._in_flight += 1
            self._peak = max(self._peak, self._in_flight)
        return request

    def _finish(self, request: Request, reply: Reply | None) -> None:
        with self._lock:
            self._in_flight -= 1
            if reply is not None and request.number in self._requests:
                self._requests[request.number] = replace(request, finished=time.monotonic(), status=reply.status)

    def _reply(self, request: Request) -> Reply | None:
        try:
            failure = self.fail(request)
            if failure is None and request.body.get("stream"):
                return _stream(request, self.answer(request))
            if failure is None:
                return _completion(request, self.answer(request))
            if failure.drip is not None:
                return replace(_completion(request, self.answer(request)), drip=failure.drip)
        except Exception as error:
            # 400, which nobody tries again, so that a mistake in a test shows at once.
            failure = Failure(message=f"answer or fail raised {error!r}")
        if failure.hang:
            self.closed.wait()
            return None
        return _error(failure)


@dataclass(frozen=True)
class Reply:
    """What goes over the wire."""

    body: Body
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    drip: float | None = None
    chunks: tuple[Body, ...] = ()
    """Of a stream: server-sent events, which stand in place of the body."""

    @property
    def content(self) -> tuple[str, bytes]:
        """Its media type, and what is sent."""
        if not self.chunks:
            return "application/json", json.dumps(self.body).encode()
        events = [*(json.dumps(chunk) for chunk in self.chunks), "[DONE]"]
        return "text/event-stream", "".join(f"data: {event}\n\n" for event in events).encode()


def _stream(request: Request, content: str) -> Reply:
    """The same answer as a stream: its words one after the other, and last what they took."""
    whole = _completion(request, content).body
    about = {name: whole[name] for name in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    deltas = [{"role": "assistant", "content": ""}, *({"content": word} for word in re.findall(r"\s*\S+", content))]
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    ended = {"index": 0, "delta": {}, "finish_reason": "stop"}
    chunks = [{**about, "choices": [choice]} for choice in (*choices, ended)]
    return Reply({}, chunks=(*chunks, {**about, "choices": [], "usage": whole["usage"]}))


def _completion(request: Request, content: str) -> Reply:
    prompt_words, answer_words = len(request.prompt.split()), len(content.split())
    # Some optimizers ask for several choices at once; they all get the one answer.
    choices = [
        {"index": index, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}
        for index in range(request.body.get("n") or 1)
    ]
    usage = {
        "prompt_tokens": prompt_words,
        "completion_tokens": answer_words,
        "total_tokens": prompt_words + answer_words,
    }
    return Reply(
        {
            "id": f"chatcmpl-{request.number}",
            "object": "chat.completion",
            "created": 0,
            "model": request.model,
            "choices": choices,
            "usage": usage,
        }
    )


def _error(failure: Failure) -> Reply:
    error = {"message": failure.message, "type": "error", "param": None, "code": failure.code}
    headers = () if failure.retry_after is None else (("Retry-After", f"{failure.retry_after:g}"),)
    return Reply({"error": error}, failure.status, headers)


def _embedding(text: str, body: Body) -> list[float] | str:
    """Eight numbers between 0 and 1 that depend on the text alone."""
    vector = [byte / 255 for byte in hashlib.sha256(text.encode()).digest()[:8]]
    if body.get("encoding_format") == "base64":
        return base64.b64encode(struct.pack("<8f", *vector)).decode()
    return vector


class _HTTPServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, owner: OpenAIServer, port: int) -> None:
        self.owner = owner
        self._connections: set[socket.socket] = set()
        self._connections_lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._connections_lock:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._connections_lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def drop_connections(self) -> None:
        """End the connections kept alive; their threads then close them."""
        with self._connections_lock:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def server_bind(self) -> None:
        # Not HTTPServer's, which asks the name service for the host's name.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        # A client that gave up waiting is an everyday event here.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _HTTPServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Buffered, so that headers and body leave in one write: two cost 40 ms, to delayed acknowledgements.
    wbufsize = 1 << 16

    def do_GET(self) -> None:
        if self.path == "/stats":
            self._send(Reply(dict(self.server.owner.stats())))
        elif self.path.startswith("/search?"):
            self._send(self.server.owner.search())
        elif self.path in ("/v1/models", "/models"):
            model = {"id": "fake-model", "object": "model", "created": 0, "owned_by": "tests"}
            self._send(Reply({"object": "list", "data": [model]}))
        else:
            self._not_found()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path in ("/v1/chat/completions", "/chat/completions"):
            self._send(self.server.owner.complete(self.path, self.headers, body))
        elif self.path in ("/v1/embeddings", "/embeddings"):
            self._send(self.server.owner.embed(body))
        else:
            self._not_found()

    def _not_found(self) -> None:
        self._send(_error(Failure(404, f"no such endpoint: {self.command} {self.path}")))

    def _send(self, reply: Reply | None) -> None:
        if reply is None:
            self.close_connection = True
            return
        kind, content = reply.content
        self.send_response(reply.status)
        for name, value in (("Content-Type", kind), *reply.headers):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if reply.drip is None:
            self.wfile.write(content)
        else:
            self._drip(content, reply.drip)

    def _drip(self, content: bytes, pause: float) -> None:
        for byte in content:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.server.owner.closed.wait(pause):
                break
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Stand in for an OpenAI-compatible provider.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    arguments = parser.parse_args()
    with OpenAIServer(latency=arguments.latency, port=arguments.port) as server:
        print(server.url, flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.closed.wait()


if __name__ == "__main__":
    main()
