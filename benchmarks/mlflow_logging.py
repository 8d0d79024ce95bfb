"""What logging to MLflow costs a session: whole processes with a tracker and with ``--eval-mlflow=off``, in turn.

Seconds are from the start of pytest to its end, so that the interpreter's exit is in them. Linux only.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mlflow_server import MlflowServer
from openai_server import OpenAIServer
from trackers import KINDS, PROXIES, Kind, Tracker

MISBEHAVING: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind not in ("healthy", "lossy"))
DEADLINES = (5, 10)
"""Seconds of ``--eval-mlflow-timeout``; a tracker may cost one second more."""

ROUNDS = 3
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
        megabytes: the most that its child, which logs, had in memory; 0 without one.
        logged: whether it said so.
        outcome: the exit code, and each test's status and score.
    """

    seconds: float
    after: float
    megabytes: float
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
    """Each tracker, after a run without one; against the median of those, since they are all the same."""
    print("tracker   deadline      off  tracker     more  bound        logged  same outcome")
    with OpenAIServer() as provider:
        write_suite(folder, provider.url, examples=4)
        run(folder, "--eval-mlflow=off")  # compiled files, and the disk's cache
        for deadline in DEADLINES:
            pairs = [
                (run(folder, "--eval-mlflow=off"), misbehaving_run(folder, kind, server, deadline))
                for kind in MISBEHAVING
            ]
            off = median([one for one, _ in pairs])
            for kind, (_, got) in zip(MISBEHAVING, pairs, strict=True):
                show(f"{kind:<10} {deadline:6} s", off, got, deadline + BOUND)


def misbehaving_run(folder: Path, kind: Kind, server: MlflowServer, deadline: float) -> Run:
    with Tracker(kind, server.url if kind in PROXIES else None) as tracker:
        return run(folder, f"--eval-mlflow={tracker.url}", f"--eval-mlflow-timeout={deadline}")


def healthy(folder: Path, server: MlflowServer) -> None:
    """Medians of rounds, each with a run for every tracker and one without."""
    print(f"\n{EXAMPLES} examples, {LATENCY:g} s an LM call, -n {WORKERS}; medians of {ROUNDS} rounds")
    print("tracker                off  tracker     more  bound        logged  same outcome")
    with OpenAIServer(latency=LATENCY) as provider:
        write_suite(folder, provider.url, examples=EXAMPLES)
        existing = f"sqlite:///{folder}/existing.db"
        run(folder, f"--eval-mlflow={existing}", PATIENT, f"-n{WORKERS}")
        rounds = []
        for number in range(ROUNDS):
            uris = ("off", existing, f"sqlite:///{folder}/new-{number}.db", server.url)
            rounds.append([run(folder, f"--eval-mlflow={uri}", f"-n{WORKERS}") for uri in uris])
    off, *trackers = (median(list(runs)) for runs in zip(*rounds, strict=True))
    for name, got in zip(("SQLite, existing", "SQLite, new", "mlflow server"), trackers, strict=True):
        show(f"{name:<18}", off, got, BOUND)


def many(folder: Path) -> None:
    """What is added at the end by many examples, and the memory of the process that logs."""
    print("\nfive metrics an example, into a new SQLite store; a program without an LM")
    print("examples               off  tracker     more  bound        logged  same outcome  MB of the logging process")
    for size in SIZES:
        write_suite(folder, "http://127.0.0.1:9/v1", examples=size, asks=False)
        off = run(folder, "--eval-mlflow=off")
        got = run(folder, f"--eval-mlflow=sqlite:///{folder}/{size}.db", PATIENT)
        show(f"{size:<18,}", off, got, BOUND_OF_MANY, f"  {got.megabytes:.0f}")


def show(name: str, off: Run, got: Run, bound: float, more: str = "") -> None:
    """A row; the seconds that count are those of the whole process."""
    added = got.seconds - off.seconds
    held = "" if added < bound else "  OVER"
    print(
        f"{name} {off.seconds:6.2f} s {got.seconds:6.2f} s {added:+6.2f} s {bound:4.0f} s "
        f"{'yes' if got.logged else 'not':>4}, in {got.after:5.2f} s  {'yes' if got.outcome == off.outcome else 'NO'}"
        f"{more}{held}",
        flush=True,
    )


def median(runs: list[Run]) -> Run:
    """The run of median length; of logging that failed once, it says so."""
    middle = sorted(runs, key=lambda one: one.seconds)[len(runs) // 2]
    after = statistics.median(one.after for one in runs)
    return dataclasses.replace(middle, after=after, logged=all(one.logged for one in runs))


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
            megabytes = watch(process)
            ended = time.time()
        [document] = Path(own, "runs").glob("*.json")
        logged = re.search(r"^mlflow: (?!not logged)", output.read_text(), re.MULTILINE) is not None
        found = [(test["nodeid"], test["status"], test["score"]) for test in json.loads(document.read_text())["tests"]]
        after = ended - document.stat().st_mtime
        return Run(ended - started, after, megabytes, logged, (process.returncode, found))


def environment(folder: Path) -> dict[str, str]:
    """DSPy's cache is in the folder; nothing is fetched."""
    return {**os.environ, "DSPY_CACHEDIR": str(folder / "cache"), "LITELLM_LOCAL_MODEL_COST_MAP": "true"}


def watch(process: subprocess.Popen[bytes]) -> float:
    """Wait for the process; the most megabytes that any child of it had."""
    peak = 0
    while process.poll() is None:
        for child in children(process.pid):
            peak = max(peak, peak_kilobytes(child))
        time.sleep(0.02)
    return peak / 1024


def children(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it has just ended
        return []


def peak_kilobytes(pid: str) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")), 0)
