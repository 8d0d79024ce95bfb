"""What logging to MLflow costs a session: whole processes with a tracker and with ``--eval-mlflow=off``, in turn.

Seconds are from the start of pytest to its end, so that the interpreter's exit is in them. Linux
only: it reads ``/proc``.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from support.mlflow_server import MlflowServer
from support.openai_server import OpenAIServer
from support.trackers import KINDS, PROXIES, Kind, Tracker

MISBEHAVING: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind not in ("healthy", "lossy"))
DEADLINES = (5, 10)
"""Seconds of ``--eval-mlflow-timeout``; a tracker may cost one second more."""

ROUNDS = 3
"""Pairs of processes for a row, at most."""

EXAMPLES, LATENCY, WORKERS = 60, 1.0, 4
"""The suite for healthy trackers; ``LATENCY`` is of each LM call, in seconds, and there is one an example."""

BOUND = 1.0
"""Seconds that a healthy tracker may cost."""

SIZES = (1_000, 10_000)
"""Examples with five metrics each, for an SQLite store."""

BOUND_OF_MANY = 10.0
PATIENT = "--eval-mlflow-timeout=120"

SUITE = {
    "pytest.ini": """
[pytest]
generator_model = openai/generator
generator_api_base = {url}
generator_settings =
    api_key = "none"
""",
    "conftest.py": """
import dspy
import pytest


@pytest.fixture(scope="session")
def program():
    return dspy.Predict("question -> answer") if {asks} else Echo()


class Echo(dspy.Module):
    def forward(self, question):
        return dspy.Prediction(answer=question)


@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: dspy.Prediction(score=0.75, a=0.1, b=0.2, c=0.3, d=0.4, e=0.5)
""",
    "test_qa.py": """
import pytest


@pytest.mark.evaluation("data.jsonl", inputs=["question"], threshold=0.5)
def test_qa(score):
    assert score >= score.threshold
""",
}


@dataclasses.dataclass(frozen=True)
class Run:
    """One pytest process.

    Attributes:
        seconds: of the whole process.
        after: seconds of them after the run file was written.
        child: the most megabytes of memory and seconds of CPU time that its child, which logs, had; 0 without one.
        logged: whether it said so.
        outcome: the exit code, and each test's status and score.
    """

    seconds: float
    after: float
    child: tuple[float, float]
    logged: bool
    outcome: Any


def main() -> None:
    """Print a table for trackers that misbehave, one for healthy ones, and one for many examples."""
    with tempfile.TemporaryDirectory() as folder:
        with MlflowServer(Path(folder, "server")) as server:
            misbehaving(Path(folder, "misbehaving"), server)
            healthy(Path(folder, "healthy"), server)
        many(Path(folder, "many"))


def misbehaving(folder: Path, server: MlflowServer) -> None:
    """Each tracker that misbehaves, for each deadline."""
    head("tracker   deadline")
    off: list[Run] = []
    with OpenAIServer() as provider:
        write_suite(folder, provider.url, examples=4)
        run(folder, "--eval-mlflow=off")  # compiled files, and the disk's cache
        for deadline in DEADLINES:
            for kind in MISBEHAVING:
                logging = functools.partial(misbehaving_run, folder, kind, server, deadline)
                compare(f"{kind:<9} {deadline:6} s", folder, off, logging, deadline + BOUND)


def misbehaving_run(folder: Path, kind: Kind, server: MlflowServer, deadline: float) -> Run:
    with Tracker(kind, server.url if kind in PROXIES else None) as tracker:
        return run(folder, f"--eval-mlflow={tracker.url}", f"--eval-mlflow-timeout={deadline}")


def healthy(folder: Path, server: MlflowServer) -> None:
    """Trackers that answer, for a suite that waits for its LM."""
    head(f"{EXAMPLES} x {LATENCY:g} s, -n {WORKERS}")
    off: list[Run] = []
    with OpenAIServer(latency=LATENCY) as provider:
        write_suite(folder, provider.url, examples=EXAMPLES)
        existing = f"sqlite:///{folder}/existing.db"
        run(folder, f"--eval-mlflow={existing}", PATIENT)
        uris = {
            "SQLite, existing": itertools.repeat(existing),
            "SQLite, new": (f"sqlite:///{folder}/new-{number}.db" for number in itertools.count()),
            "mlflow server": itertools.repeat(server.url),
        }
        for name, each in uris.items():
            logging = functools.partial(healthy_run, folder, each)
            compare(f"{name:<18}", folder, off, logging, BOUND, f"-n{WORKERS}")


def healthy_run(folder: Path, uris: Iterator[str]) -> Run:
    return run(folder, f"--eval-mlflow={next(uris)}", f"-n{WORKERS}")


def many(folder: Path) -> None:
    """Many examples with five metrics each, into a new SQLite store; a program that asks no LM."""
    head("examples")
    for size in SIZES:
        write_suite(folder, "http://127.0.0.1:9/v1", examples=size, asks=False)
        uris = (f"sqlite:///{folder}/{size}-{number}.db" for number in itertools.count())
        logging = functools.partial(many_run, folder, uris)
        got = compare(f"{size:<18,}", folder, [], logging, BOUND_OF_MANY)
        print("  the process that logs: {:.0f} MB, {:.2f} s of CPU time".format(*got.child), flush=True)


def many_run(folder: Path, uris: Iterator[str]) -> Run:
    return run(folder, f"--eval-mlflow={next(uris)}", PATIENT)


def head(first: str) -> None:
    print(f"\n{first:<18}      off  tracker     more  bound  pairs  run file to exit  logged  same outcome", flush=True)


def compare(name: str, folder: Path, off: list[Run], logging: Callable[[], Run], bound: float, *options: str) -> Run:
    """Print a row: the fastest process that logs against the fastest one that does not.

    What else the machine does only adds time: there are up to `ROUNDS` pairs until they are within ``bound``. ``off``
    has the runs that do not log, which rows share.
    """
    got: list[Run] = []
    while not got or (len(got) < ROUNDS and added(off, got) >= bound):
        off.append(run(folder, "--eval-mlflow=off", *options))
        got.append(logging())
    best, without = fastest(got), fastest(off)
    same = all(one.outcome == without.outcome for one in [*off, *got])
    print(
        f"{name} {without.seconds:6.2f} s {best.seconds:6.2f} s {added(off, got):+6.2f} s {bound:4.0f} s {len(got):6}"
        f" {without.after:6.2f} {best.after:6.2f} s  {'yes' if all(one.logged for one in got) else 'no':<6}"
        f"  {'yes' if same else 'NO'}{'' if added(off, got) < bound else '  OVER'}",
        flush=True,
    )
    return best


def added(off: list[Run], got: list[Run]) -> float:
    return fastest(got).seconds - fastest(off).seconds


def fastest(runs: list[Run]) -> Run:
    return min(runs, key=lambda one: one.seconds)


def write_suite(folder: Path, url: str, *, examples: int, asks: bool = True) -> None:
    """A suite of one test over so many examples; a program that does not ask an LM answers at once."""
    folder.mkdir(exist_ok=True)
    for name, text in SUITE.items():
        Path(folder, name).write_text(text.format(url=url, asks=asks), encoding="utf-8")
    rows = "".join(json.dumps({"id": f"e{n}", "question": f"question {n}?"}) + "\n" for n in range(examples))
    Path(folder, "data.jsonl").write_text(rows, encoding="utf-8")


def run(folder: Path, *options: str) -> Run:
    """One pytest process over the suite, to its end; what is left to be logged is gone with its ``--eval-dir``."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        output = Path(own, "output.txt")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--eval-dir={own}", *options]
        with output.open("w") as file:
            started = time.time()
            process = subprocess.Popen(command, cwd=folder, env=environment(folder), stdout=file)
            child = watch(process)
            ended = time.time()
        [document] = Path(own, "runs").glob("*.json")
        logged = re.search(r"^mlflow: (?!not logged)", output.read_text(), re.MULTILINE) is not None
        found = [(test["nodeid"], test["status"], test["score"]) for test in json.loads(document.read_text())["tests"]]
        after = ended - document.stat().st_mtime
        return Run(ended - started, after, child, logged, (process.returncode, found))


def environment(folder: Path) -> dict[str, str]:
    """DSPy's cache is in the folder; nothing is fetched."""
    return {**os.environ, "DSPY_CACHEDIR": str(folder / "cache"), "LITELLM_LOCAL_MODEL_COST_MAP": "true"}


def watch(process: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Wait for the process; the most megabytes and CPU seconds that any child of it had."""
    memory = cpu = 0.0
    while process.poll() is None:
        for child in children(process.pid):
            memory, cpu = max(memory, megabytes(child)), max(cpu, cpu_seconds(child))
        time.sleep(0.02)
    return memory, cpu


def children(pid: int) -> list[str]:
    return proc(f"{pid}/task/{pid}/children").split()


def megabytes(pid: str) -> float:
    """The most memory that the process had at a time."""
    lines = proc(f"{pid}/status").splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def cpu_seconds(pid: str) -> float:
    fields = proc(f"{pid}/stat").rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def proc(name: str) -> str:
    try:
        return Path("/proc", name).read_text()
    except OSError:  # it has just ended
        return ""
