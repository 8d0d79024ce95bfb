"""The real MLflow server, and trackers in front of it."""

from __future__ import annotations

import http.client
import json
import os
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from support.background import is_alive, wait_until
from support.mlflow_server import MlflowServer, SharedServer, shared
from support.trackers import Tracker

PATIENCE = 60
"""Seconds until an unanswered request fails its test."""


def send(url: str, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
    """Status and body of the answer; ``body`` is JSON unless it is an iterator of bytes."""
    sent = json.dumps(body) if isinstance(body, dict) else body
    with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=PATIENCE)) as connection:
        connection.request(method, path, sent, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()


def api(url: str, call: str, **fields: Any) -> Any:
    status, body = send(url, "POST", f"/api/2.0/mlflow/{call}", fields)
    assert status == 200, body
    return json.loads(body)


def experiment_id(url: str, name: str) -> str | None:
    query = urlencode({"experiment_name": name})
    status, body = send(url, "GET", f"/api/2.0/mlflow/experiments/get-by-name?{query}")
    if status == 404:
        return None
    found: str = json.loads(body)["experiment"]["experiment_id"]
    return found


def test_a_healthy_tracker_is_as_good_as_the_server(mlflow_server: SharedServer) -> None:
    with Tracker("healthy", mlflow_server.url) as tracker:
        experiment = api(tracker.url, "experiments/create", name="healthy")["experiment_id"]
        info = api(tracker.url, "runs/create", experiment_id=experiment)["run"]["info"]
        metrics = [{"key": "score", "value": n / 100, "timestamp": n, "step": n} for n in range(100)]
        api(tracker.url, "runs/log-batch", run_id=info["run_id"], metrics=metrics)
        assert tracker.requests == 3

        history = f"/api/2.0/mlflow/metrics/get-history?run_id={info['run_id']}&metric_key=score"
        _, direct = send(mlflow_server.url, "GET", history)
        assert len(json.loads(direct)["metrics"]) == 100
        assert send(tracker.url, "GET", history) == (200, direct)


def test_artifacts_go_through_the_server(mlflow_server: SharedServer) -> None:
    path = "/api/2.0/mlflow-artifacts/artifacts/folder/report.txt"
    with Tracker("healthy", mlflow_server.url) as tracker:
        assert send(tracker.url, "PUT", path, iter([b"in two ", b"chunks"]))[0] == 200
        assert send(tracker.url, "GET", path) == (200, b"in two chunks")
    assert (mlflow_server.folder / "artifacts" / "folder" / "report.txt").read_text(encoding="utf-8") == "in two chunks"


def test_a_dying_tracker_leaves_what_came_before(mlflow_server: SharedServer) -> None:
    with Tracker("dying", mlflow_server.url, answers=2) as tracker:
        api(tracker.url, "experiments/create", name="first")
        api(tracker.url, "experiments/create", name="second")
        with pytest.raises(ConnectionError):
            api(tracker.url, "experiments/create", name="third")
    names = ("first", "second", "third")
    assert [experiment_id(mlflow_server.url, name) is not None for name in names] == [True, True, False]


def test_everything_is_in_the_folder(mlflow_server: SharedServer) -> None:
    api(mlflow_server.url, "experiments/create", name="stored")
    with closing(sqlite3.connect(mlflow_server.folder / "mlflow.db")) as store:
        assert ("stored",) in store.execute("SELECT name FROM experiments").fetchall()
    assert mlflow_server.start_seconds > 0


def test_another_process_gets_the_same_server(mlflow_server: SharedServer) -> None:
    """And leaves it running when it is done."""
    script = "\n".join(
        (
            "import sys",
            "from support import mlflow_server as m",
            "with m.shared(m.Path(sys.argv[1])) as server: print(server.url)",
        )
    )
    command = [sys.executable, "-c", script, str(mlflow_server.folder)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"{mlflow_server.url}\n"
    assert send(mlflow_server.url, "GET", "/health")[0] == 200


def test_who_started_the_server_ends_it_after_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho $$ > started; sleep 300\n", encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(MlflowServer, "_wait_until_healthy", lambda self, end: None)
    other = subprocess.Popen(["sleep", "300"])
    notes, left = tmp_path / "server.json", threading.Event()

    def use() -> None:
        with shared(tmp_path):
            server, users = json.loads(notes.read_text(encoding="utf-8"))
            notes.write_text(json.dumps([server, [*users, other.pid]]), encoding="utf-8")
        left.set()

    thread = threading.Thread(target=use)
    thread.start()
    wait_until(lambda: notes.exists() and json.loads(notes.read_text(encoding="utf-8"))[1] == [other.pid])
    wait_until((tmp_path / "started").exists)
    pid = int((tmp_path / "started").read_text(encoding="utf-8"))
    assert is_alive(pid)
    assert not left.is_set()
    other.kill()
    other.wait()
    thread.join(PATIENCE)
    assert left.is_set()
    assert not is_alive(pid)
    assert not notes.exists()


def test_a_server_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho no store today; exit 3\n", encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(RuntimeError, match="ended with 3:\nno store today"):
        MlflowServer(tmp_path)


def test_closing_ends_the_whole_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nsleep 300 & echo $! > child; wait\n", encoding="utf-8")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(MlflowServer, "_wait_until_healthy", lambda self, end: None)
    child = tmp_path / "child"
    with MlflowServer(tmp_path):
        wait_until(lambda: child.exists() and child.read_text(encoding="utf-8").endswith("\n"))
        pid = int(child.read_text(encoding="utf-8"))
        assert is_alive(pid)
    wait_until(lambda: not is_alive(pid))
