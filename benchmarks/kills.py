"""Whether sessions that are killed anywhere lose nothing and leave nothing: processes are killed at random.

Twenty sessions with four workers, a local tracker, and the embedded LM as judge in those whose LM server is to die. In
each, one process gets SIGKILL after 0.2 to 5 seconds: the controller, a worker, the process that logs, or the LM
server. Then the run is resumed, and one more session follows. Counted are the records that pytest had told of and that
are in no run file, and the processes, sockets and folders that are left. Linux only: it reads ``/proc``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

from support.openai_server import OpenAIServer

Target = Literal["controller", "worker", "tracker", "lm server"]
TARGETS: tuple[Target, ...] = get_args(Target)
SESSIONS = 20
EXAMPLES = 12
WORKERS = 4
EARLIEST, LATEST = 0.2, 5.0
"""Seconds between the first LM call and the kill."""
PATIENCE = 240.0
MARK = "PITCHEVAL_KILLS"
"""The environment variable by which a session's processes are found."""

CONFTEST = """
import dspy
import pytest


@pytest.fixture(scope="session")
def program():
    return dspy.Predict("question -> answer")


@pytest.fixture(scope="session")
def metric({judge}):
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
generator_api_base = {url}
generator_settings =
    api_key = "none"
evaluator_model = local
eval_mlflow_timeout = 60
eval_timeout = 60
"""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one kill came to.

    Attributes:
        hit: whether there was such a process to kill.
        told: tests that pytest had told of before.
        lost: those of them that no run file has in the end.
        complete: whether the resumed run has a record of each example.
        twice: LM requests for what had been answered before the kill.
        left: processes, sockets and folders that are still there after the next session.
    """

    target: Target
    hit: bool
    told: int
    lost: int
    complete: bool
    left: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        return self.complete and not self.lost and not self.left


def main() -> None:
    """Print a line for each session, and the sums."""
    outcomes = []
    for seed in range(SESSIONS):
        outcomes.append(kill(seed, TARGETS[seed % len(TARGETS)]))
        print(outcomes[-1], flush=True)
    print(report(outcomes))


def report(outcomes: list[Outcome]) -> str:
    """The sums in one line."""
    hit = sum(outcome.hit for outcome in outcomes)
    told, lost = sum(outcome.told for outcome in outcomes), sum(outcome.lost for outcome in outcomes)
    complete = sum(outcome.complete for outcome in outcomes)
    left = sum(len(outcome.left) for outcome in outcomes)
    return (
        f"{len(outcomes)} sessions, {hit} with a process killed: {told} records had arrived, {lost} are lost; "
        f"{complete} were completed; {left} processes, sockets or folders are left"
    )


def kill(seed: int, target: Target) -> Outcome:
    """One session, in which ``target`` is killed at a time that ``seed`` decides; its continuation, and another one."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as name, OpenAIServer(latency=0.3) as server:
        folder = Path(name)
        _write(folder, server.url, target)
        mark = f"{os.getpid()}-{seed}"
        with _session(folder, mark) as process:
            _wait(lambda: bool(server.count) or process.poll() is not None)
            time.sleep(chance.uniform(EARLIEST, LATEST))
            _wait(lambda: bool(_targets(process, mark, target)) or process.poll() is not None)
            hit = _kill(process, mark, target, chance)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(PATIENCE)
        told = set(re.findall(r"PASSED test_qa\.py::test_qa\[(e\d+)\]", _output(folder)))
        with _session(folder, mark, "--eval-resume=last") as process:
            process.wait(PATIENCE)
        resumed = _examples(folder, last=True)
        with _session(folder, mark) as process:
            process.wait(PATIENCE)
        _wait(lambda: not _processes(mark), 10.0)
        complete = resumed == {f"e{number}" for number in range(EXAMPLES)}
        return Outcome(target, hit, len(told), len(told - _examples(folder)), complete, tuple(_left(folder, mark)))


def _write(folder: Path, url: str, target: Target) -> None:
    (folder / "tmp").mkdir()
    judge = "evaluator_lm" if target == "lm server" else ""
    (folder / "conftest.py").write_text(CONFTEST.format(judge=judge), encoding="utf-8")
    (folder / "test_qa.py").write_text(TEST, encoding="utf-8")
    (folder / "pytest.ini").write_text(INI.format(url=url), encoding="utf-8")
    rows = (json.dumps({"id": f"e{number}", "question": f"question {number}?"}) for number in range(EXAMPLES))
    (folder / "data.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")


@contextlib.contextmanager
def _session(folder: Path, mark: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    environment = {
        **os.environ,
        MARK: mark,
        "TMPDIR": str(folder / "tmp"),
        "DSPY_CACHEDIR": str(folder / "cache"),
        "LITELLM_LOCAL_MODEL_COST_MAP": "true",
    }
    command = [sys.executable, "-u", "-m", "pytest", "-v", f"-n{WORKERS}", "-p", "no:cacheprovider", *options]
    with (folder / "output.txt").open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, text=True
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _kill(process: subprocess.Popen[str], mark: str, target: Target, chance: random.Random) -> bool:
    """Whether there was one."""
    found = _targets(process, mark, target)
    if not found:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(chance.choice(found), signal.SIGKILL)
    return True


def _targets(process: subprocess.Popen[str], mark: str, target: Target) -> list[int]:
    return sorted(pid for pid, command in _processes(mark).items() if _is(target, pid, command, process.pid))


def _is(target: Target, pid: int, command: str, controller: int) -> bool:
    if target == "controller":
        return pid == controller
    words = {"worker": "sys.stdin.readline", "tracker": "tracking", "lm server": "embedded.serving"}
    return pid != controller and words[target] in command


def _processes(mark: str) -> dict[int, str]:
    """The processes of sessions with ``mark``, with their command lines; not those that have ended."""
    found = {}
    wanted = f"{MARK}={mark}".encode()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    return {pid: command for pid, command in found.items() if command}


def _output(folder: Path) -> str:
    return (folder / "output.txt").read_text(encoding="utf-8")


def _examples(folder: Path, last: bool = False) -> set[str]:
    """The examples that have a record in a run file or journal; ``last``: in the newest run file."""
    runs = folder / ".pitcheval" / "runs"
    files = sorted(runs.glob("*.json"))
    texts = [path.read_text(encoding="utf-8") for path in (files[-1:] if last else [*files, *runs.glob("*.jsonl")])]
    return {name for text in texts for name in re.findall(r'"nodeid": "test_qa\.py::test_qa\[(e\d+)\]"', text)}


def _left(folder: Path, mark: str) -> Iterator[str]:
    yield from (f"process {command[:80]}" for command in _processes(mark).values())
    yield from (f"folder {path.name}" for path in (folder / "tmp").glob("pitcheval-*"))
    yield from (f"socket {path.name}" for path in (folder / "tmp").rglob("*") if path.is_socket())


def _wait(happened: object, seconds: float = PATIENCE) -> None:
    assert callable(happened)
    end = time.monotonic() + seconds
    while not happened() and time.monotonic() < end:
        time.sleep(0.05)
