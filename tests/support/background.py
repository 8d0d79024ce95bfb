"""Runs in the background, to which something happens while they go on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from support.suite import Suite

NOTES_PROCESSES = """

def pytest_configure(config):
    import os
    from pathlib import Path
    if folder := os.environ.get("NOTED_PROCESSES"):
        Path(folder, f"{os.getpid()}.pid").touch()
"""

PATIENCE = 120
"""Seconds until a test gives up waiting for what should have happened long ago."""


def wait_until(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody waited for does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


@contextlib.contextmanager
def hearing_interrupts() -> Iterator[None]:
    """What is started within hears them, though a shell makes the jobs of its background deaf to them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


class Background:
    """A pytest run of a suite that goes on while the test does something to it."""

    def __init__(self, suite: Suite, *arguments: str) -> None:
        suite.add("conftest.py", NOTES_PROCESSES)
        self.folder = suite.path
        self.output = suite.path / "output.txt"
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments]
        with self.output.open("w") as file, hearing_interrupts():
            self.process = subprocess.Popen(
                command,
                cwd=suite.path,
                env={**os.environ, "PYTHONUNBUFFERED": "1", "NOTED_PROCESSES": str(suite.path)},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def text(self) -> str:
        """What it has printed so far."""
        return self.output.read_text(encoding="utf-8")

    @property
    def processes(self) -> list[int]:
        """The controller and its workers."""
        return [int(path.stem) for path in self.folder.glob("*.pid")]

    @property
    def documents(self) -> list[dict[str, Any]]:
        """Its run files."""
        runs = (self.folder / ".pitcheval" / "runs").glob("*.json")
        return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(runs)]

    @property
    def records(self) -> int:
        """How many records of tests have arrived; what is printed of them comes before."""
        journals = (self.folder / ".pitcheval" / "runs").glob("*.jsonl")
        return sum(max(0, path.read_text(encoding="utf-8").count("\n") - 1) for path in journals)

    def wait(self) -> int:
        return self.process.wait(PATIENCE)
