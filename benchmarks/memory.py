"""How much memory the process that reports takes: many small records, and few with long predictions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

RECORDS = (500, 2_500)
LONG, CHARACTERS, ROLLOUTS = 200, 1_000_000, 3
PEAK = "peak of the process that reports: "

_INI = """
[pytest]
eval_mlflow = off
"""

_CONFTEST = """
import os
import resource
import sys

import dspy
import pytest


class Echo(dspy.Module):
    def forward(self, question):
        return dspy.Prediction(answer=question + "x" * int(os.environ["CHARACTERS"]))


@pytest.fixture(scope="session")
def program():
    return Echo()


@pytest.fixture(scope="session")
def generator_lm():
    return dspy.LM("openai/never-asked", api_base="http://127.0.0.1:9", api_key="none", temperature=1.0)


@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: dspy.Prediction(score=0.9, feedback="well said " * 10)


def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        unit = 1 if sys.platform == "darwin" else 1024
        print("%s%d" % (os.environ["PEAK"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit))
"""

_TEST = """
import pytest


@pytest.mark.evaluation("data.jsonl", inputs=["question"], threshold=0.5)
def test_echo(score):
    assert score >= score.threshold
"""


def main() -> None:
    """Prints the peaks in megabytes, and what a further record takes."""
    few, many = (_peak(count, 100, "-n2") for count in RECORDS)
    slope = (many - few) / (RECORDS[1] - RECORDS[0])
    print(f"{RECORDS[0]:,} small records: {few / 1e6:.0f} MB, {RECORDS[1]:,}: {many / 1e6:.0f} MB")
    print(f"a further one: {slope / 1e3:.1f} kB, so 100,000: {(many + slope * (100_000 - RECORDS[1])) / 1e6:.0f} MB")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "page.html")
        peak = _peak(LONG, CHARACTERS, "-n2", f"--eval-rollouts={ROLLOUTS}", f"--eval-html={page}")
        size = page.stat().st_size
    print(f"{LONG} predictions of {CHARACTERS / 1e6:g} MB, {ROLLOUTS} rollouts: {peak / 1e6:.0f} MB", end=", ")
    print(f"a page of {size / 1e6:.1f} MB")


def _peak(count: int, characters: int, *arguments: str) -> int:
    """Of a run over ``count`` rows; in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        rows = (json.dumps({"id": f"e{n}", "question": f"question {n}?"}) for n in range(count))
        texts = {"pytest.ini": _INI, "conftest.py": _CONFTEST, "test_echo.py": _TEST, "data.jsonl": "\n".join(rows)}
        for name, text in texts.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        environment = {**os.environ, "CHARACTERS": str(characters), "PEAK": PEAK}
        environment |= {"LITELLM_LOCAL_MODEL_COST_MAP": "true", "DSPY_CACHEDIR": str(Path(folder, "cache"))}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return next(int(line.removeprefix(PEAK)) for line in done.stdout.splitlines() if line.startswith(PEAK))
