"""A real ``mlflow server``, with its store and artifacts in one folder.

In a test, through the fixture ``mlflow_server``; on its own it prints its URL and how long it took to start::

    python tests/support/mlflow_server.py --folder /tmp/mlflow
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from filelock import FileLock

from support.background import is_alive

if TYPE_CHECKING:
    from types import TracebackType

START = 180
"""Seconds to wait for the server: it imports MLflow twice and creates fifty tables."""

QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "true",  # else it hangs where there is no internet
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # a process more, which takes as long as the server to start
}


class MlflowServer:
    """Runs from construction to ``close``, in a process group of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        started = time.monotonic()
        self._owner = os.getpid()
        self._process = self._start()
        try:
            self._wait_until_healthy(started + START)
        except BaseException:
            self.close()
            raise
        self.start_seconds = time.monotonic() - started

    def __enter__(self) -> MlflowServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill the server and the processes it started; in a process that was forked meanwhile it is not ours to."""
        if os.getpid() != self._owner:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    @property
    def log(self) -> str:
        """What the server has printed so far."""
        return (self.folder / "server.log").read_text(encoding="utf-8", errors="replace")

    def _start(self) -> subprocess.Popen[bytes]:
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{self.folder / 'mlflow.db'}"]
        command += ["--serve-artifacts", "--artifacts-destination", str(self.folder / "artifacts")]
        environment = {name: value for name, value in os.environ.items() if "MLFLOW_" not in name}
        with (self.folder / "server.log").open("wb") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env={**environment, **QUIET},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _wait_until_healthy(self, end: float) -> None:
        while not self._is_healthy():
            if self._process.poll() is not None:
                raise RuntimeError(f"mlflow server ended with {self._process.returncode}:\n{self.log}")
            if time.monotonic() > end:
                raise TimeoutError(f"mlflow server did not start within {START} s:\n{self.log}")
            time.sleep(0.1)

    def _is_healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class SharedServer(NamedTuple):
    """A server that another process may have started."""

    url: str
    folder: Path
    start_seconds: float


@contextlib.contextmanager
def shared(folder: Path) -> Iterator[SharedServer]:
    """One server for all processes that name the same ``folder``: the first starts it, and ends it after the others."""
    folder.mkdir(parents=True, exist_ok=True)
    notes, lock = folder / "server.json", FileLock(folder / "server.lock")
    with contextlib.ExitStack() as ours:
        with lock:
            if not notes.exists():
                started = ours.enter_context(MlflowServer(folder))
                _note(notes, SharedServer(started.url, folder, started.start_seconds), set())
                ours.callback(_wait_for_others, notes, lock)
            server, users = _noted(notes)
            _note(notes, server, users | {os.getpid()})
        try:
            yield server
        finally:
            with lock:
                server, users = _noted(notes)
                _note(notes, server, users - {os.getpid()})


def _wait_for_others(notes: Path, lock: FileLock) -> None:
    """Until nobody uses the server any more; whoever asks after that gets another."""
    while True:
        with lock:
            if not any(is_alive(user) for user in _noted(notes)[1]):
                notes.unlink()
                return
        time.sleep(0.1)


def _note(path: Path, server: SharedServer, users: set[int]) -> None:
    path.write_text(json.dumps([server, sorted(users)], default=str), encoding="utf-8")


def _noted(path: Path) -> tuple[SharedServer, set[int]]:
    (url, folder, start_seconds), users = json.loads(path.read_text(encoding="utf-8"))
    return SharedServer(url, Path(folder), start_seconds), set(users)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    parser = argparse.ArgumentParser(description="Run an MLflow server until interrupted.")
    parser.add_argument("--folder", type=Path, required=True)
    with MlflowServer(parser.parse_args().folder.absolute()) as server:
        print(f"{server.url} after {server.start_seconds:.1f} s", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
