"""The controller's side of `child`: a child process with one deadline, killed past it."""

from __future__ import annotations

import json
import os
import queue
import signal
import site
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

CODE = "import sys; sys.path += sys.argv[2:]; from pytest_pitcheval.tracking.child import main; main()"
PACKAGES = Path(__file__).parents[2]


class TrackingProcess:
    """The child that talks to the tracker; nothing that it does can hold up the session longer than it is told.

    Args:
        target: arguments of `mlflow_client.Target`.
        folder: where the child works; MLflow's own default store is there.
    """

    def __init__(self, target: Mapping[str, Any], folder: Path) -> None:
        self._target = target
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._starting: threading.Thread | None = None
        self._problem = "the logging process did not start in time"
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def start(self) -> None:
        """Start the child beside whatever this process does; it imports MLflow and connects."""
        if self._starting is None:
            self._starting = threading.Thread(target=self._start, daemon=True)
            self._starting.start()

    def _start(self) -> None:
        try:
            process = self._process = self._launch()
        except OSError as error:  # no memory, say, or no more processes
            self._problem = f"the logging process could not be started: {error}"
            return
        assert process.stdout is not None
        threading.Thread(target=self._listen, args=(process.stdout,), daemon=True).start()
        self._write(self._target)

    def _launch(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            # Isolated, and with further folders last: what a user's folder has under a module's name is never run.
            [sys.executable, "-I", "-c", CODE, os.path.abspath(self._folder), *_further_folders()],
            cwd=PACKAGES,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            start_new_session=True,  # Ctrl-C is this process's business
        )

    def _listen(self, answers: IO[str]) -> None:
        for line in answers:
            self._answers.put(line)
        self._answers.put(None)

    def _write(self, message: Mapping[str, Any]) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:  # it is dead: there will be no answer
            return

    def ask(self, job: Mapping[str, Any], deadline: float) -> dict[str, Any]:
        """The child's answer to ``job``, or ``{"error": why}`` if there is none at ``deadline`` (monotonic)."""
        self.start()
        assert self._starting is not None
        self._starting.join(max(0.0, deadline - time.monotonic()))
        if self._starting.is_alive() or self._process is None:
            return {"error": self._problem}
        self._write(job)
        try:
            line = self._answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return {"error": "the tracker did not answer in time"}
        answer: dict[str, Any] = {"error": "the logging process ended"} if line is None else json.loads(line)
        return answer

    def close(self) -> None:
        """End the child at once, whatever it is doing, and what it may have started."""
        if self._starting is not None:
            self._starting.join()
        if self._process is not None:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            for stream in (self._process.stdin, self._process.stdout):
                _close(stream)
            self._process = None


def _further_folders() -> list[str]:
    """Where packages may be that an isolated interpreter does not look for by itself."""
    named = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    users = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    return [os.path.abspath(path) for path in (str(PACKAGES), *users, *named)]


def _close(stream: IO[str] | None) -> None:
    try:
        if stream is not None:
            stream.close()
    except BrokenPipeError:  # what was still to be written to the dead child
        return
