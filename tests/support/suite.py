"""A test suite that uses the plugin, in a folder of its own, and its runs."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.forking.workers import ForkedWorkers
from support.openai_server import OpenAIServer, Request, chat_format, dspy_answer

INI = """
[pytest]
generator_model = openai/generator
generator_api_base = {url}
generator_settings =
    api_key = "sk-for-tests-only"
    num_retries = 0
evaluator_model = openai/judge
evaluator_api_base = {url}
evaluator_settings =
    api_key = "sk-for-tests-only"
    num_retries = 0
eval_mlflow = off
"""

CONFTEST = '''
import dspy
import pytest


class Judge:
    """Scores with the evaluator LM, as most users' metrics do."""

    def __init__(self, lm):
        self.judge = dspy.Predict("question, answer -> score: float, feedback")
        self.judge.set_lm(lm)

    def __call__(self, example, pred, trace=None):
        verdict = self.judge(question=example.question, answer=pred.answer)
        return dspy.Prediction(score=verdict.score, feedback=verdict.feedback)


@pytest.fixture(scope="session")
def program():
    return dspy.Predict("question -> answer")


@pytest.fixture(scope="session")
def metric(evaluator_lm):
    return Judge(evaluator_lm)


@pytest.fixture(scope="session")
def trainset():
    return [dspy.Example(question=f"train {n}?", answer=f"trained {n}").with_inputs("question") for n in range(8)]
'''

TEST = """
import pytest


@pytest.mark.evaluation("data.jsonl", inputs=["question"], threshold=0.5)
def test_qa(score):
    assert score >= score.threshold
"""


@dataclasses.dataclass(frozen=True)
class Run:
    """One pytest run of a suite.

    Attributes:
        result: pytester's result: ``ret``, ``outlines``, ``stdout``, ``assert_outcomes()``.
        requests: what the provider saw of it.
        document: its run file, None where it wrote none.
    """

    result: pytest.RunResult
    requests: list[Request]
    document: dict[str, Any] | None

    @property
    def tests(self) -> list[dict[str, Any]]:
        """The records of the run file."""
        assert self.document is not None, self.result.stdout.str()
        records: list[dict[str, Any]] = self.document["tests"]
        return records

    @property
    def text(self) -> str:
        """What pytest printed."""
        return self.result.stdout.str()

    def by(self, model: str) -> list[Request]:
        """The requests for one of the models ``generator`` and ``judge``."""
        return [request for request in self.requests if request.model == model]


DYING = """
import os


class Dying(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        if question == "question 2?" and "SPARED" not in os.environ:
            os._exit(1)
        return self.ask(question=question)


@pytest.fixture(scope="session")
def program():
    return Dying()
"""
"""To be added to a suite: a program that ends its process at the third question, unless SPARED is set."""

OTHER_PLUGINS = {"random_order": "--random-order", "rerunfailures": "--reruns"}
"""Plugins of others that are there for single tests, by an option of each."""


class Suite:
    """A test suite in a folder of its own, that uses the plugin with a provider on loopback.

    As it is made: a question-answering program with one predictor, a judge that asks the evaluator LM once and
    scores 0.75, eight training examples, and ``test_qa`` over ``data.jsonl`` with three rows and threshold 0.5.
    So a run makes two requests an example.
    """

    def __init__(self, pytester: pytest.Pytester, server: OpenAIServer, workers: ForkedWorkers) -> None:
        self.pytester = pytester
        self.server = server
        self._workers = workers
        self.write("pytest.ini", INI.format(url=server.url))
        self.write("conftest.py", CONFTEST)
        self.write("test_qa.py", TEST)
        self.rows(3)

    @property
    def path(self) -> Path:
        """The suite's folder."""
        return self.pytester.path

    def write(self, name: str, text: str) -> Path:
        """Write a file of the suite."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def add(self, name: str, text: str) -> None:
        """Add text to the end of a file of the suite."""
        path = self.path / name
        path.write_text(path.read_text(encoding="utf-8") + text, encoding="utf-8")

    def rows(self, count: int, name: str = "data.jsonl") -> None:
        """Make the dataset ``count`` rows with IDs ``e0``, ``e1``, ..."""
        rows = [{"id": f"e{n}", "question": f"question {n}?"} for n in range(count)]
        self.write(name, "".join(json.dumps(row) + "\n" for row in rows))

    def scores(self, scores: Callable[[Request], float]) -> None:
        """Let the judge give these scores; ``scores`` gets its request, whose prompt has question and answer."""

        def answer(request: Request) -> str:
            if request.model != "judge":
                return dspy_answer(request)
            return chat_format(score=scores(request), feedback="as told")

        self.server.answer = answer

    @contextlib.contextmanager
    def held(self, verdicts: int) -> Iterator[None]:
        """Within it, the judge answers no more than that: whatever is done to a run, it is not over by then."""
        answer, let_go, numbers = self.server.answer, threading.Event(), itertools.count(1)

        def held(request: Request) -> str:
            if request.model == "judge" and next(numbers) > verdicts:
                let_go.wait()
            return answer(request)

        self.server.answer = held
        try:
            yield
        finally:
            self.server.answer = answer
            let_go.set()

    def run(self, *arguments: str, subprocess: bool = False) -> Run:
        """Run pytest on the suite; without xdist unless the arguments say otherwise.

        In this process, where DSPy has been imported before, as it has been where xdist's workers then run. A
        ``subprocess`` and its workers begin with nothing, as users' do.
        """
        before, runs = len(self.server.requests), self._runs()
        launch = self.pytester.runpytest_subprocess if subprocess else self.pytester.runpytest_inprocess
        # Hypothesis's plugin would be imported anew by every run inside this process, which costs ten times the rest.
        unused = ["cacheprovider", "hypothesispytest"]
        unused += [
            name for name, option in OTHER_PLUGINS.items() if not any(one.startswith(option) for one in arguments)
        ]
        with contextlib.nullcontext() if subprocess else self._forking(arguments):
            result = launch(*(f"-pno:{name}" for name in unused), *arguments)
        new = sorted(self._runs() - runs)
        document = json.loads(new[-1].read_text(encoding="utf-8")) if new else None
        return Run(result, self.server.requests[before:], document)

    @contextlib.contextmanager
    def _forking(self, arguments: tuple[str, ...]) -> Iterator[None]:
        """Within it, the workers that the arguments ask for are forked."""
        with pytest.MonkeyPatch.context() as patch:
            if re.search(r"(^| )-n ?[1-9]", " ".join(arguments)):
                patch.setattr(sys, "executable", self._workers.python())
            yield

    def _runs(self) -> set[Path]:
        return {path for path in (self.path / ".pitcheval" / "runs").glob("*.json") if path.is_file()}
