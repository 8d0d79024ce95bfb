"""How fast examples go through: plain pytest, ``dspy.Evaluate`` and this plugin against one provider, in one run.

Whole processes, a provider on loopback that takes a set time for each answer and counts. Each example makes two LM
calls, the second of which depends on the first.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from support.openai_server import OpenAIServer, Request

EXAMPLES, LATENCY, THREADS = 60, 0.5, 32
MANY, MANY_THREADS = 1_000, 64
HEAVY, QUICK = (600, 2_000), 0.05
RATE, RATED = 60, 360
"""LM requests a second, and examples, for the rate limit."""

PROGRAM = """
import os
import time

import dspy
import pytest

ROWS = [dspy.Example(question=f"question {{n}}?").with_inputs("question") for n in range({examples})]
LM = dict(api_key="none", temperature=1.0)
if "OPENAI_API_BASE" not in os.environ:  # with it, DSPy asks through LiteLLM
    LM["api_base"] = "{url}"


class Pair(dspy.Module):
    def __init__(self):
        super().__init__()
        self.first = dspy.Predict("question -> draft")
        self.second = dspy.Predict("draft -> answer")

    def forward(self, question):
        return self.second(draft=self.first(question=question).draft)


def metric(example, pred, trace=None):
    end = time.thread_time() + 0.02
    while "BURN" in os.environ and time.thread_time() < end:
        pass
    return 0.75 if pred.answer else 0.0
"""

PLAIN = """
from program import *

LM["cache"] = False


@pytest.fixture(scope="session")
def program():
    return Pair()


@pytest.mark.parametrize("example", ROWS, ids=range(len(ROWS)))
def test_plain(program, example):
    with dspy.context(lm=dspy.LM("openai/gpt-4o-mini", **LM)):
        assert metric(example, program(**example.inputs())) >= 0.5
"""

EVALUATE = """
from program import *

dspy.configure(lm=dspy.LM("openai/gpt-4o-mini", cache=False, **LM))
dspy.Evaluate(devset=ROWS, metric=metric, num_threads={threads}, display_progress=False)(Pair())
"""

CONFTEST = """
import dspy
import pytest
import program as own


@pytest.fixture(scope="session")
def generator_lm():
    return dspy.LM("openai/gpt-4o-mini", **own.LM)


@pytest.fixture(scope="session")
def program():
    return own.Pair()


@pytest.fixture(scope="session")
def metric():
    return own.metric
"""

EVALUATION = """
import program
import pytest


@pytest.mark.evaluation(program.ROWS, inputs=["question"], threshold=0.5)
def test_evaluation(score):
    assert score >= score.threshold
"""

INI = "[pytest]\neval_mlflow = off\npythonpath = .\n"


@dataclasses.dataclass(frozen=True)
class Measured:
    """One process with all its children: seconds, CPU seconds, MB of the largest, and what the provider saw."""

    wall: float
    cpu: float
    megabytes: float
    requests: list[Request]
    peak: int

    def row(self, name: str) -> str:
        """A line of a table."""
        return f"{name:<34}{self.wall:8.2f}{self.cpu:8.2f}{self.megabytes:8.0f}{len(self.requests):10}{self.peak:10}"


HEAD = f"{'':<34}{'wall s':>8}{'CPU s':>8}{'MB':>8}{'requests':>10}{'in flight':>10}"


def main() -> None:
    """Print the tables, with the ratios that matter and their bounds."""
    compare()
    many()
    heavy()
    rate_limit()


def compare() -> None:
    """The ways to evaluate the same examples."""
    print(f"{EXAMPLES} examples x 2 calls x {LATENCY:g} s\n{HEAD}")
    with OpenAIServer(latency=LATENCY) as server, tempfile.TemporaryDirectory() as folder:
        suite = write(Path(folder), server, EXAMPLES)
        plugin = [f"--eval-concurrency={THREADS}"]
        ways = {
            "pytest + dspy": pytest_("-p", "no:pitcheval", "test_plain.py"),
            "pytest + dspy, -n 4": pytest_("-p", "no:pitcheval", "test_plain.py", "-n4"),
            f"dspy.Evaluate, {THREADS} threads": [sys.executable, "evaluate.py"],
            f"pitcheval, {THREADS} in flight": pytest_("test_evaluation.py", "-p", "no:xdist", *plugin),
            f"pitcheval, {THREADS} in flight, -n 4": pytest_("test_evaluation.py", "-n4", *plugin),
        }
        warm_up(suite, server)
        found = [measure(suite, server, command) for command in ways.values()]
        for name, one in zip(ways, found, strict=True):
            print(one.row(name))
        found_later = [compare_ways(suite, server, plugin, way) for way in ("MLflow's default", "through LiteLLM")]
    _, plain4, evaluate, one_process, four = found
    print(f"one process / dspy.Evaluate       {one_process.wall / evaluate.wall:6.2f}  (bound 1.08)")
    print(f"-n 4 / plain pytest -n 4          {four.wall / plain4.wall:6.2f}  (bound 0.35)")
    (tracked, tracked4), (other, other4) = found_later
    for name, one, many in (("", one_process, four), (", MLflow", tracked, tracked4), (", LiteLLM", other, other4)):
        print(f"{f'-n 4 / one process{name}':<34}{many.wall / one.wall:6.2f}  (bound 1.30)")
        print(f"{f'the same, CPU seconds{name}':<34}{many.cpu / one.cpu:6.2f}  (bound 1.60)")
    print(f"MLflow's default, one process     {tracked.wall - one_process.wall:+6.2f} s  (bound 1.0)")
    print(f"MLflow's default, -n 4            {tracked4.wall - four.wall:+6.2f} s  (bound 1.0)\n")


def warm_up(suite: Path, server: OpenAIServer) -> None:
    """Compiled files, the disk's cache, MLflow's store; and the plugin learns what a test takes."""
    measure(suite, server, pytest_("test_evaluation.py", "--test-size=8"))


def compare_ways(suite: Path, server: OpenAIServer, plugin: Sequence[str], way: str) -> tuple[Measured, Measured]:
    """One process and ``-n 4``, with another tracker or another way to ask."""
    ini = suite / "pytest.ini"
    if way == "through LiteLLM":
        os.environ["OPENAI_API_BASE"] = server.url
    else:
        ini.write_text(INI.replace("eval_mlflow = off\n", ""), encoding="utf-8")
    try:
        warm_up(suite, server)
        one = measure(suite, server, pytest_("test_evaluation.py", "-p", "no:xdist", *plugin))
        four = measure(suite, server, pytest_("test_evaluation.py", "-n4", *plugin))
    finally:
        os.environ.pop("OPENAI_API_BASE", None)
        ini.write_text(INI, encoding="utf-8")
    print(one.row(f"one process, {way}"))
    print(four.row(f"-n 4, {way}"))
    return one, four


def many() -> None:
    """Many examples against the least time that is possible."""
    print(f"{MANY} examples x 2 calls x {LATENCY:g} s, {MANY_THREADS} in flight\n{HEAD}")
    with OpenAIServer(latency=LATENCY) as server, tempfile.TemporaryDirectory() as folder:
        suite = write(Path(folder), server, MANY)
        imports = measure(suite, server, [sys.executable, "-c", "import pytest, dspy; import dspy.clients.lm"])
        warm_up(suite, server)
        found = measure(suite, server, pytest_("test_evaluation.py", "-q", f"--eval-concurrency={MANY_THREADS}"))
        four = measure(suite, server, pytest_("test_evaluation.py", "-q", f"--eval-concurrency={MANY_THREADS}", "-n4"))
    print(imports.row("imports"))
    print(found.row("one process"))
    print(four.row("-n 4"))
    least = len(found.requests) * LATENCY / MANY_THREADS + imports.wall
    for name, one, bound in (("one process", found, 1.12), ("-n 4", four, 1.15)):
        print(f"{name:<12}/ (calls x latency / {MANY_THREADS} + imports) {one.wall / least:6.2f}  (bound {bound})")
    print()


def heavy() -> None:
    """A metric that computes: two workers do twice as much, where there are two cores, but for the second's start."""
    for examples in HEAVY:
        compare_heavy(examples)


def compare_heavy(examples: int) -> None:
    """One process and two of them; provider and controller take their part of both cores."""
    print(f"{examples} examples x 2 calls x {QUICK:g} s, a metric of 20 ms of Python\n{HEAD}")
    with OpenAIServer(latency=QUICK) as server, tempfile.TemporaryDirectory() as folder:
        suite = write(Path(folder), server, examples)
        os.environ["BURN"] = "1"
        try:
            one = measure(suite, server, pytest_("test_evaluation.py", "-q", f"--eval-concurrency={THREADS}"))
            two = measure(suite, server, pytest_("test_evaluation.py", "-q", f"--eval-concurrency={THREADS}", "-n2"))
        finally:
            del os.environ["BURN"]
    print(one.row("one process"))
    print(two.row("-n 2"))
    print(f"one process / -n 2 {one.wall / two.wall:6.2f}  (bound 1.60)\n")


def rate_limit() -> None:
    """Requests in any second under a limit, over four workers."""
    with OpenAIServer(latency=0.1) as server, tempfile.TemporaryDirectory() as folder:
        suite = write(Path(folder), server, RATED)
        limit = [f"--eval-rate-limit={RATE}/s", f"--eval-concurrency={THREADS}", "-n4", "-q"]
        found = measure(suite, server, pytest_("test_evaluation.py", *limit))
    times = sorted(request.started for request in found.requests)
    most = max(sum(start <= time < start + 1 for time in times) for start in times)
    begun = times[0] + 1  # all workers are there by then
    used = sum(begun <= time < begun + 10 for time in times) / 10
    print(
        f"rate limit {RATE}/s, -n 4: at most {most} in any second (bound {RATE}), {used:.1f} a second over ten (54)\n"
    )


def pytest_(*arguments: str) -> list[str]:
    """A command line."""
    return [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments]


def write(folder: Path, server: OpenAIServer, examples: int) -> Path:
    """The suite, in each of its forms."""
    files = {
        "pytest.ini": INI,
        "program.py": PROGRAM.format(examples=examples, url=server.url),
        "conftest.py": CONFTEST,
        "test_plain.py": PLAIN,
        "test_evaluation.py": EVALUATION,
        "evaluate.py": EVALUATE.format(threads=THREADS),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def measure(suite: Path, server: OpenAIServer, command: Sequence[str]) -> Measured:
    """Run ``command`` to its end; SystemExit if it does not end well."""
    server.clear()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"DSPY_CACHEDIR": str(suite / "cache"), "LITELLM_LOCAL_MODEL_COST_MAP": "true"}
    start = time.perf_counter()
    process = subprocess.Popen(command, cwd=suite, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(command)}: {output.decode()[-3000:]}")
    return Measured(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, server.requests, server.peak_in_flight)
