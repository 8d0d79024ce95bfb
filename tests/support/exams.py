"""Exams of a suite's judge: answers with labels, a judge that is right but for some, and what came of them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from typing import Any

from support.openai_server import Request
from support.suite import Run, Suite

ANSWERS = 24
EXAM = '''
import pytest


@pytest.mark.judge_exam("judge.jsonl", inputs=["question"], outputs=["answer"], label="good"{})
def test_judge(verdict):
    """What the metric says of each answer, beside what a person said."""
'''
NUMBER = re.compile(r"exam (\d+)\?")


def use(suite: Suite, arguments: str = "", rows: int = ANSWERS, **columns: Callable[[int], Any]) -> None:
    """An exam of ``rows`` answers, the even ones good."""
    columns = {"good": lambda n: 1 - n % 2, **columns}
    found = [
        {"id": f"j{n}", "question": f"exam {n}?", "answer": f"given {n}", **{k: make(n) for k, make in columns.items()}}
        for n in range(rows)
    ]
    suite.write("judge.jsonl", "".join(json.dumps(row) + "\n" for row in found))
    suite.write("test_judge.py", EXAM.format(f", {arguments}" if arguments else ""))


def judge(suite: Suite, wrong: Collection[int] = (), others: float = 0.9) -> None:
    """Let the judge pass the good answers alone, but for the ``wrong`` ones; elsewhere it scores ``others``."""

    def score(request: Request) -> float:
        found = NUMBER.search(request.prompt)
        if found is None:
            return others
        number = int(found[1])
        return 0.9 if (number % 2 == 0) != (number in wrong) else 0.2

    suite.scores(score)


def gates_of(run: Run) -> dict[str, tuple[str, str]]:
    assert run.document is not None, run.text
    return {gate["gate"]: (gate["status"], gate["reason"]) for gate in run.document["gates"]}


def exam_of(run: Run) -> dict[str, Any]:
    assert run.document is not None, run.text
    [exam] = run.document["exams"]
    found: dict[str, Any] = exam["exam"]
    return found


def flat(text: str) -> str:
    return " ".join(text.split())


EVALUATION = """
import pytest


@pytest.mark.evaluation("data.jsonl", inputs=["question"], threshold=0.5, min_mean=0.5, max_error_rate=0.1)
def test_qa(score):
    assert score >= score.threshold
"""


def with_program(suite: Suite) -> None:
    suite.write("test_qa.py", EVALUATION)


def reword(suite: Suite, words: str) -> None:
    """Another wording of the judge's prompt."""
    conftest = (suite.path / "conftest.py").read_text(encoding="utf-8")
    pattern = r'dspy\.Predict\("question, answer -> score: float, feedback".*\)\n'
    prompt = f'dspy.Predict(dspy.Signature("question, answer -> score: float, feedback", "{words}"))\n'
    suite.write("conftest.py", re.sub(pattern, lambda found: prompt, conftest))
