from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
from support.openai_server import OpenAIServer
from support.trackers import KINDS, PROXIES, Kind, Tracker

PATIENCE = 60
"""Seconds after which a test that waits for another thread fails instead of hanging."""

SHORT = 0.2
"""Seconds in which a tracker that answers at all would have answered."""


@pytest.fixture
def behind() -> Iterator[OpenAIServer]:
    """A server that answers 200 to /v1/models, for the proxies to pass on to."""
    with OpenAIServer() as server:
        yield server


def base(url: str) -> str:
    return f"http://{urlsplit(url).netloc}"


def address(tracker: Tracker) -> tuple[str, int]:
    return "127.0.0.1", urlsplit(tracker.url).port or 0


def connect(tracker: Tracker, timeout: float = PATIENCE) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(tracker.url).netloc, timeout=timeout)


def ask(tracker: Tracker, path: str = "/v1/models", timeout: float = PATIENCE) -> http.client.HTTPResponse:
    """The answer to a GET, read to its end."""
    with closing(connect(tracker, timeout)) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return response


def tracker_of(kind: Kind, behind: OpenAIServer, **settings: Any) -> Tracker:
    return Tracker(kind, base(behind.url) if kind in PROXIES else None, **settings)


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def test_silent_reads_and_never_answers() -> None:
    with Tracker("silent") as tracker:
        with pytest.raises(TimeoutError):
            ask(tracker, timeout=SHORT)
        assert tracker.requests == 1


def test_silent_leaves_the_connection_open() -> None:
    with Tracker("silent") as tracker, closing(connect(tracker)) as connection:
        connection.request("POST", "/runs", b"x" * 1_000_000)
        wait_until(lambda: tracker.requests == 1)
        connection.sock.settimeout(SHORT)
        with pytest.raises(TimeoutError):
            connection.sock.recv(1)


def test_drip_answers_its_headers_at_once_and_then_a_byte_now_and_then() -> None:
    with Tracker("drip", pause=0.1) as tracker, closing(connect(tracker)) as connection:
        connection.request("GET", "/")
        response = connection.getresponse()
        assert response.status == 200
        assert response.read(4) == b"    "


def test_drip_waits_long_between_bytes() -> None:
    with Tracker("drip") as tracker, socket.create_connection(address(tracker), SHORT) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        received = b""
        while not received.endswith(b"\r\n\r\n "):
            received += connection.recv(1000)
        with pytest.raises(TimeoutError):
            connection.recv(1)


@pytest.mark.parametrize("kind", ["500", "503", "429"])
def test_error_status_and_nothing_useful(kind: Kind) -> None:
    with Tracker(kind) as tracker:
        response = ask(tracker)
        assert response.status == int(kind)
        assert response.getheader("Content-Type") == "text/plain"
        assert response.getheader("Retry-After") == ("30" if kind == "429" else None)
        ask(tracker)
        assert tracker.requests == 2


def test_refuse_accepts_no_connection() -> None:
    with Tracker("refuse") as tracker:
        with pytest.raises(ConnectionRefusedError):
            ask(tracker)
        assert tracker.requests == 0


def test_redirect_leads_to_itself() -> None:
    with Tracker("redirect") as tracker:
        target = f"{tracker.url}/api/runs?filter=a%20b"
        for _ in range(3):
            response = ask(tracker, target.removeprefix(tracker.url))
            assert response.status == 302
            assert response.getheader("Location") == target
        assert tracker.requests == 3


def test_garbage_is_not_http() -> None:
    with Tracker("garbage") as tracker:
        for _ in range(20):
            with pytest.raises(http.client.BadStatusLine) as raised:
                ask(tracker)
            assert not isinstance(raised.value, http.client.RemoteDisconnected)
        assert tracker.requests == 20


def test_echo_repeats_what_it_was_told() -> None:
    with Tracker("echo") as tracker, closing(connect(tracker)) as connection:
        connection.request("GET", "/", headers={"Authorization": "Basic me"})
        response = connection.getresponse()
        assert response.status == 401
        assert response.read().startswith(b"Authorization: Basic me\n")


def test_lossy_carries_out_and_loses_the_first_answer_to_each_request(behind: OpenAIServer) -> None:
    body = json.dumps({"model": "m", "messages": []})
    with tracker_of("lossy", behind) as tracker:
        for expected in (1, 2, 3):
            with closing(connect(tracker)) as connection:
                connection.request("POST", "/v1/chat/completions", body)
                if expected == 1:
                    with pytest.raises(http.client.RemoteDisconnected):
                        connection.getresponse()
                else:
                    assert connection.getresponse().status == 200
            assert behind.count == expected
        with pytest.raises(http.client.RemoteDisconnected):
            ask(tracker)


def test_healthy_passes_on_and_counts(behind: OpenAIServer) -> None:
    with tracker_of("healthy", behind) as tracker, closing(connect(tracker)) as connection:
        connection.request("GET", "/v1/models")
        assert b"fake-model" in connection.getresponse().read()
        assert ask(tracker, "/nowhere").status == 404
        assert tracker.lines == ["GET /v1/models HTTP/1.1", "GET /nowhere HTTP/1.1"]


def test_healthy_passes_bodies_and_headers_on(behind: OpenAIServer) -> None:
    body = b'{"model": "m", "messages": [{"role": "user", "content": "' + b"word " * 50_000 + b'"}]}'
    with tracker_of("healthy", behind) as tracker, closing(connect(tracker)) as connection:
        connection.request("POST", "/v1/chat/completions", body, {"Authorization": "Bearer token"})
        assert connection.getresponse().status == 200
        assert behind.requests[0].prompt == "word " * 50_000
        assert behind.requests[0].headers["Authorization"] == "Bearer token"


def test_healthy_passes_chunks_on() -> None:
    received: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as file:
            received.extend(iter(file.readline, b"0\r\n"))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with Tracker("healthy", url) as tracker, closing(connect(tracker)) as connection:
            connection.request("PUT", "/", iter([b"one\r\n", b"two"]), encode_chunked=True)
            assert connection.getresponse().status == 200
        thread.join(PATIENCE)
    assert received[-5:] == [b"5\r\n", b"one\r\n", b"\r\n", b"3\r\n", b"two\r\n"]


def test_slow_passes_on_after_a_pause(behind: OpenAIServer) -> None:
    with tracker_of("slow", behind, pause=0.2) as tracker:
        assert ask(tracker).status == 200


def test_slow_does_not_answer_at_once(behind: OpenAIServer) -> None:
    with tracker_of("slow", behind) as tracker:
        with pytest.raises(TimeoutError):
            ask(tracker, timeout=SHORT)
        assert tracker.requests == 1


def test_dying_answers_some_requests_and_then_refuses(behind: OpenAIServer) -> None:
    with tracker_of("dying", behind, answers=2) as tracker:
        assert [ask(tracker).status for _ in range(2)] == [200, 200]
        for _ in range(3):
            with pytest.raises(ConnectionError):
                ask(tracker)
        with pytest.raises(ConnectionRefusedError):
            ask(tracker)
        assert tracker.requests == 2


def test_dying_drops_the_other_connections(behind: OpenAIServer) -> None:
    with tracker_of("dying", behind, answers=1) as tracker, closing(connect(tracker)) as idle:
        idle.connect()
        assert ask(tracker).status == 200
        assert idle.sock.recv(1) == b""


def test_another_tracker_comes_back_on_the_port(behind: OpenAIServer) -> None:
    with tracker_of("dying", behind, answers=1) as tracker:
        ask(tracker)
    with tracker_of("healthy", behind, port=address(tracker)[1]) as healthy:
        assert healthy.url == tracker.url
        assert ask(healthy).status == 200


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "refuse"])
def test_closing_waits_for_nobody_and_leaves_nothing(
    kind: Kind, behind: OpenAIServer, caplog: pytest.LogCaptureFixture
) -> None:
    tracker = tracker_of(kind, behind, pause=10 * PATIENCE if kind in ("drip", "slow") else None)
    with closing(connect(tracker)) as idle, closing(connect(tracker)) as busy:
        idle.connect()
        busy.request("GET", "/v1/models")
        wait_until(lambda: tracker.requests == 1)
        closing_it = threading.Thread(target=tracker.close, daemon=True)
        closing_it.start()
        closing_it.join(PATIENCE)
        assert not closing_it.is_alive(), "it waits for nobody"
    assert caplog.messages == []
    assert f"tracker {kind}" not in [thread.name for thread in threading.enumerate()]
    with pytest.raises(ConnectionRefusedError):
        ask(tracker)
    tracker.close()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("refuse", "dying")])
def test_a_client_that_leaves_does_no_harm(kind: Kind, behind: OpenAIServer) -> None:
    with tracker_of(kind, behind) as tracker:
        for _ in range(5):
            with closing(connect(tracker)) as connection:
                connection.connect()
                connection.sock.sendall(b"POST / HTTP/1.1\r\nContent-Le")
            with closing(connect(tracker)) as connection:
                connection.request("GET", "/")
        wait_until(lambda: tracker.requests == 5)


def test_wrong_settings_are_told() -> None:
    with pytest.raises(ValueError, match="kind is 'dead', expected one of silent, drip"):
        Tracker("dead")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="behind is None, expected a URL"):
        Tracker("slow")
    with pytest.raises(ValueError, match="answers is 0"):
        Tracker("dying", "http://127.0.0.1:1", answers=0)
