"""Whether a cap on the cost holds, and whether the books are right: twenty sessions that it cuts off.

Each has four workers, 32 rollouts in flight, a provider that takes 0.05 to 2 seconds for an answer and now and then
fails, and a baseline with better scores. Asked of each: how much more than the cap was spent, and by how many requests
that were answered once the provider's own books had reached it; whether the run's records, and what it spent beside
them, are those books to the cent; and whether anything in it says that something got worse, or that a gate has passed.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from support.openai_server import Failure, OpenAIServer, Request, chat_format, dspy_answer

SESSIONS = 20
EXAMPLES = 200
WORKERS, CONCURRENCY = 4, 32
FASTEST, SLOWEST = 0.05, 2.0
"""Seconds that an answer takes."""
FAILING = 0.03
"""Of the requests, so many fail with status 500, and are made again."""
CAP = 1.0
PROMPT, ANSWER = 60.0, 200.0
"""US dollars for a million tokens: of the provider, a word is one."""

CONFTEST = """
import asyncio

import dspy
import pytest


class Judge:
    def __init__(self, lm):
        self.judge = dspy.Predict("question, answer -> score: float")
        self.judge.set_lm(lm)

    def __call__(self, example, pred, trace=None):
        return self.judge(question=example.question, answer=pred.answer).score


class Swallowing(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        try:
            return self.ask(question=question)
        except Exception:
            return dspy.Prediction(answer="nothing")


class Gathering(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    async def aforward(self, question):
        found = await asyncio.gather(*(self.ask.acall(question=f"{{question}} {{n}}") for n in range(3)))
        return found[0]


@pytest.fixture(scope="session")
def program(generator_lm):
    with dspy.context(lm=generator_lm):
        dspy.Predict("question -> answer")(question="any hint?")
    return {program}


@pytest.fixture(scope="session")
def metric(evaluator_lm):
    return Judge(evaluator_lm)


@pytest.fixture(scope="session")
def trainset():
    return [dspy.Example(question=f"train {{n}}?", answer="so").with_inputs("question") for n in range(4)]
"""

TEST = """
import pytest


@pytest.mark.evaluation("data.jsonl", inputs=["question"], min_mean=0.1, max_example_drop=0.1)
def test_qa(score):
    pass
"""

INI = """
[pytest]
generator_model = openai/generator
generator_api_base = {url}
generator_settings =
    api_key = "none"
evaluator_model = openai/judge
evaluator_api_base = {url}
evaluator_settings =
    api_key = "none"
eval_mlflow = off
eval_price = openai/*={prompt}/{answer}
"""

BEST = 'dspy.BestOfN(dspy.Predict("question -> answer"), N=3, reward_fn=lambda args, pred: 0.0, threshold=1.0)'
KINDS: dict[str, tuple[str, tuple[str, ...]]] = {
    "swallows": ("Swallowing()", ()),
    "three rollouts": ('dspy.Predict("question -> answer")', ("--eval-rollouts=3",)),
    "best of three": (BEST, ()),
    "compiled": ('dspy.ChainOfThought("question -> answer")', ("--optimization=bootstrap",)),
    "gathers": ("Gathering()", ()),
}
"""A program and options by what is special about them."""
CALLS = {"gathers": 3}
"""LM calls that a rollout may have in flight at once, if not one."""

_CODE = re.compile(r"<(script|style)>.*?</\1>", re.DOTALL)
WORSE = re.compile("regressed|regressions|dropped by|fell|ok   ", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one session came to.

    Attributes:
        code: its exit code.
        books: what the provider has charged, in US dollars.
        told: what the run file says was spent, and the sum of its records and of what it spent beside them.
        late: requests that were answered once the books had reached the cap.
        worse: words that say that something got worse, or that a gate has passed.
    """

    kind: str
    code: int
    books: float
    told: tuple[float, float]
    late: int
    worse: tuple[str, ...]
    seconds: float

    @property
    def is_good(self) -> bool:
        right = all(abs(self.books - told) < 0.005 for told in self.told)
        return self.code == 1 and right and self.late <= CONCURRENCY * CALLS.get(self.kind, 1) and not self.worse


class Provider:
    """Answers after a time, and keeps books."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._mutex = threading.Lock()
        self.cost = 0.0
        self.late = 0

    def fail(self, request: Request) -> Failure | None:
        with self._mutex:
            seconds, fails = self._chance.uniform(FASTEST, SLOWEST), self._chance.random() < FAILING
        time.sleep(seconds)
        return Failure(500, "now and then") if fails else None

    def answer(self, request: Request) -> str:
        text = chat_format(score=0.5) if request.model == "judge" else dspy_answer(request)
        with self._mutex:
            self.late += self.cost >= CAP
            self.cost += (len(request.prompt.split()) * PROMPT + len(text.split()) * ANSWER) / 1e6
        return text


def main() -> None:
    """Print a line for each session, and the worst of all."""
    outcomes = []
    for seed in range(SESSIONS):
        outcomes.append(session(seed, list(KINDS)[seed % len(KINDS)]))
        print(outcomes[-1], flush=True)
    print(report(outcomes))


def report(outcomes: list[Outcome]) -> str:
    """The worst in one line."""
    most = max(outcome.books for outcome in outcomes)
    late = max(outcome.late for outcome in outcomes)
    off = max(abs(outcome.books - told) for outcome in outcomes for told in outcome.told)
    good = sum(outcome.is_good for outcome in outcomes)
    return (
        f"{good} of {len(outcomes)} sessions are right: at most ${most:.4f} was spent with a cap of ${CAP:.2f}, at "
        f"most {late} requests were answered past it with {CONCURRENCY} in flight; books and records differ by at most "
        f"${off:.6f}"
    )


def session(seed: int, kind: str) -> Outcome:
    """One session of a kind, beside a baseline."""
    program, options = KINDS[kind]
    provider = Provider(seed)
    with tempfile.TemporaryDirectory() as name, OpenAIServer(provider.answer, fail=provider.fail) as server:
        folder = Path(name)
        _write(folder, server.url, program)
        cap = (f"--eval-max-cost={CAP}", f"--eval-concurrency={CONCURRENCY}", f"-n{WORKERS}", "--dist=load")
        began = time.monotonic()
        done = _pytest(folder, *cap, *options, "--eval-html=page.html", "--eval-markdown=summary.md")
        seconds = time.monotonic() - began
        [path] = (folder / ".pitcheval" / "runs").glob("*.json")
        run = json.loads(path.read_text(encoding="utf-8"))
        texts = (done.stdout, *((folder / page).read_text(encoding="utf-8") for page in ("page.html", "summary.md")))
        worse = [word for text in texts for word in WORSE.findall(_CODE.sub("", text))]
        return Outcome(kind, done.returncode, provider.cost, _told(run), provider.late, tuple(worse), round(seconds, 1))


def _told(run: dict[str, Any]) -> tuple[float, float]:
    budget = run["run"]["budget"]
    return budget["cost"], sum(test["cost"] for test in run["tests"]) + budget["cost_beside"]


def _write(folder: Path, url: str, program: str) -> None:
    (folder / "conftest.py").write_text(CONFTEST.format(program=program), encoding="utf-8")
    (folder / "test_qa.py").write_text(TEST, encoding="utf-8")
    (folder / "pytest.ini").write_text(INI.format(url=url, prompt=PROMPT, answer=ANSWER), encoding="utf-8")
    rows = [json.dumps({"id": f"e{number}", "question": f"question {number}?"}) for number in range(EXAMPLES)]
    (folder / "data.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    examples = {f"e{number}": {"samples": [0.9]} for number in range(EXAMPLES)}
    methods = {method: {"examples": examples} for method in ("none", "bootstrap")}
    baseline = {"schema_version": 2, "tests": {"test_qa.py::test_qa": methods}}
    (folder / "pitcheval-baseline.json").write_text(json.dumps(baseline), encoding="utf-8")


def _pytest(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "DSPY_CACHEDIR": str(folder / "cache"),
        "LITELLM_LOCAL_MODEL_COST_MAP": "true",
    }
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
