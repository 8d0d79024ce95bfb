"""Whether sessions end by themselves: hundreds of one example each, on a busy machine.

The provider answers in 10 ms, so that a session ends while libraries are still being imported. Every other session asks
through LiteLLM (as DSPy does with ``OPENAI_API_BASE``), whose clients import when they are collected; every third has a
thread of its program that never ends.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from support.openai_server import OpenAIServer

SESSIONS = 200
LATENCY = 0.01
BUSY = 2
PATIENCE = 120.0
"""Seconds after which a session counts as one that hangs."""

CONFTEST = """
import concurrent.futures
import os
import threading

import dspy
import pytest

POOL = concurrent.futures.ThreadPoolExecutor(1)


class Program(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        if "HANGS" in os.environ:
            POOL.submit(threading.Event().wait)
        return self.ask(question=question)


@pytest.fixture(scope="session")
def program():
    return Program()


@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: 0.75
"""

TEST = """
import pytest


@pytest.mark.evaluation("data.jsonl", inputs=["question"], threshold=0.5)
def test_qa(score):
    assert score >= score.threshold
"""

INI = """
[pytest]
generator_model = openai/generator
generator_settings =
    api_key = "none"
eval_mlflow = off
"""


@dataclasses.dataclass(frozen=True)
class End:
    """How one session ended: ``code`` None if it did not; ``seconds`` from its last line to the end of its process."""

    code: int | None
    seconds: float


def main() -> None:
    """Print how many of the sessions ended, and how long after their last line."""
    with suite() as folder, OpenAIServer(latency=LATENCY) as server, busy():
        ends = [run(folder, server.url, number) for number in range(SESSIONS)]
    print(report(ends))


def report(ends: list[End]) -> str:
    """The table of all sessions."""
    ended = [end.seconds for end in ends if end.code == 0]
    hung, wrong = (sum(end.code is None for end in ends), sum(end.code not in (0, None) for end in ends))
    slowest = max(ended, default=float("nan"))
    return (
        f"{len(ends)} sessions of one example: {len(ended)} ended by themselves with exit code 0, {wrong} with another "
        f"one, {hung} did not end; from the last line to the end of the process {slowest:.2f} s at most"
    )


@contextlib.contextmanager
def suite() -> Iterator[Path]:
    """A folder with a suite of one example."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
        (folder / "test_qa.py").write_text(TEST, encoding="utf-8")
        (folder / "pytest.ini").write_text(INI, encoding="utf-8")
        (folder / "data.jsonl").write_text('{"question": "why?"}\n', encoding="utf-8")
        yield folder


@contextlib.contextmanager
def busy() -> Iterator[None]:
    """Within it, the machine has other things to do as well."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(BUSY)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def run(folder: Path, url: str, number: int) -> End:
    """Session ``number``."""
    environment = {name: value for name, value in os.environ.items() if name != "OPENAI_API_BASE"}
    environment["DSPY_CACHEDIR"] = str(folder / "cache")
    environment["LITELLM_LOCAL_MODEL_COST_MAP"] = "true"
    arguments = [] if number % 2 else ["-o", f"generator_api_base={url}"]
    if number % 2:
        environment["OPENAI_API_BASE"] = url
    if number % 3 == 2:
        environment["HANGS"] = "1"
    command = [sys.executable, "-u", "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        return End(*_watch(process))


def _watch(process: subprocess.Popen[str]) -> tuple[int | None, float]:
    assert process.stdout is not None
    hung = threading.Timer(PATIENCE, process.kill)
    hung.start()
    last = time.monotonic()
    for line in process.stdout:
        if line.startswith(("1 passed", "1 failed", "1 error")):
            last = time.monotonic()
    code, seconds = process.wait(), time.monotonic() - last
    hung.cancel()
    return None if code == -signal.SIGKILL else code, seconds
