"""What ten times as many examples cost: collecting them, and telling of them in the controller. No LM is asked."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

SIZES = (1_000, 10_000)
ROLLOUTS = 3

_INI = "[pytest]\neval_mlflow = off\n"

_CONFTEST = """
import os
import resource

import dspy
import pytest


class Echo(dspy.Module):
    def forward(self, question):
        return dspy.Prediction(answer=question)


@pytest.fixture(scope="session")
def generator_lm():
    return dspy.LM("openai/never-asked", api_base="http://127.0.0.1:9", api_key="none", temperature=1.0)


@pytest.fixture(scope="session")
def program():
    return Echo()


@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: 0.75


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        used = resource.getrusage(resource.RUSAGE_SELF)
        with open("used.txt", "w") as file:
            print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, file=file)
"""

_EVALUATION = """
import dspy
import pytest

ROWS = [dspy.Example(question=f"question {{n}}?").with_inputs("question") for n in range({examples})]


@pytest.mark.evaluation(ROWS, inputs=["question"], threshold=0.5, rollouts={rollouts})
def test_evaluation(score):
    assert score >= score.threshold
"""

_TRIVIAL = """
import pytest


@pytest.mark.parametrize("number", range({examples}))
def test_trivial(number):
    pass
"""


def main() -> None:
    """Print CPU seconds and MB of the process that reports, for both sizes, beside those of tests without a plugin."""
    print(f"CPU seconds and MB; examples of {ROLLOUTS} rollouts")
    print(f"{'examples':>8}{'collection':>12}{'MB':>6}{'controller, -n 2':>18}{'MB':>6}{'without':>9}{'MB':>6}")
    collections, controllers, peaks = [], [], []
    for size in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            _write(Path(folder), size)
            imports, _ = _used(folder, "-p", "no:pitcheval", "test_none.py")
            collected, megabytes = _used(folder, "--collect-only", "test_evaluation.py")
            cpu, peak = _used(folder, "-n2", "test_evaluation.py")
            plain, least = _used(folder, "-n2", "-p", "no:pitcheval", "test_trivial.py")
        collections.append(collected - imports)
        controllers.append(cpu - plain)
        peaks.append(peak - least)
        print(f"{size:8,}{collected:12.2f}{megabytes:6.0f}{cpu:18.2f}{peak:6.0f}{plain:9.2f}{least:6.0f}")
    more = SIZES[1] - SIZES[0]
    print(f"collecting {SIZES[1]:,}, beyond importing pytest and DSPy {collections[1]:8.2f} s  (bound 2)")
    print(
        f"one more record, CPU of the controller {(controllers[1] - controllers[0]) / more * 1000:12.2f} ms (bound 1)"
    )
    print(f"one more record, memory of the controller {(peaks[1] - peaks[0]) / more * 1024:9.1f} kB")


def _write(folder: Path, examples: int) -> None:
    texts = {
        "pytest.ini": _INI,
        "conftest.py": _CONFTEST,
        "test_evaluation.py": _EVALUATION.format(examples=examples, rollouts=ROLLOUTS),
        "test_trivial.py": _TRIVIAL.format(examples=examples),
        "test_none.py": "def test_none(): pass\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _used(folder: str, *arguments: str) -> tuple[float, float]:
    """CPU seconds and MB of the process that reports; SystemExit if it does not end well."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["DSPY_CACHEDIR"] = str(Path(folder, "cache"))
    command: Sequence[str] = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stdout[-3000:]}{done.stderr[-1000:]}")
    cpu, megabytes = map(float, Path(folder, "used.txt").read_text(encoding="utf-8").split())
    return cpu, megabytes
