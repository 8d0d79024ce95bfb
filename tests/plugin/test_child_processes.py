"""Programs that ask their LM in another process: no answer is an earlier session's."""

from __future__ import annotations

import os

import pytest
from support.suite import Suite

APPLICATION = """
import sys

import dspy


def ask(url, question):
    lm = dspy.LM("openai/generator", api_key="sk-for-tests-only", api_base=url, temperature=1.0)
    with dspy.context(lm=lm):
        return dspy.Predict("question -> answer")(question=question).answer


if __name__ == "__main__":
    print(ask(*sys.argv[1:]))
"""

PROGRAM = '''
import concurrent.futures
import multiprocessing
import subprocess
import sys

import application


class Asking(dspy.Module):
    """Asks ``how``: as a command, in a process of a pool that stays, or in one that is forked."""

    def __init__(self, how):
        super().__init__()
        self.how = how
        self.pool = None

    def forward(self, question):
        arguments = (URL, f"{{self.how}}: {{question}}")
        if self.how == "command":
            command = [sys.executable, application.__file__, *arguments]
            answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        else:
            if self.pool is None:
                context = multiprocessing.get_context(self.how)
                self.pool = concurrent.futures.ProcessPoolExecutor(1, mp_context=context)
            answer = self.pool.submit(application.ask, *arguments).result()
        return dspy.Prediction(answer=answer)


@pytest.fixture(scope="session")
def program():
    program = Asking(HOW)
    yield program
    if program.pool is not None:
        program.pool.shutdown()


@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: bool(pred.answer)
'''


@pytest.mark.parametrize("how", ["command", "spawn", "fork"])
def test_no_session_is_answered_by_an_earlier_one(suite: Suite, how: str) -> None:
    if not hasattr(os, "fork") and how == "fork":
        pytest.skip("no process can be forked here")
    suite.write("application.py", APPLICATION)
    suite.add("conftest.py", f"URL, HOW = {suite.server.url!r}, {how!r}\n" + PROGRAM.format())
    suite.rows(2)
    for _ in range(2):
        run = suite.run("--eval-concurrency=1", "-Wignore::DeprecationWarning", subprocess=True)
        run.result.assert_outcomes(passed=2)
        asked = sorted(request.prompt.rpartition(f"{how}: ")[2][:11] for request in run.requests)
        assert asked == ["question 0?", "question 1?"]


@pytest.mark.parametrize("how", ["spawn", "forkserver"])
def test_a_process_that_stays_answers_no_rollout_from_its_memory(suite: Suite, how: str) -> None:
    """Three rows with one and the same question."""
    suite.write("application.py", APPLICATION)
    suite.add("conftest.py", f"URL, HOW = {suite.server.url!r}, {how!r}\n" + PROGRAM.format())
    suite.write("data.jsonl", '{"question": "the same?"}\n' * 3)
    run = suite.run("--eval-concurrency=1", subprocess=True)
    run.result.assert_outcomes(passed=3)
    assert len({test["prediction"]["answer"] for test in run.tests}) == len(run.requests) == 3


def test_the_environment_is_given_back(suite: Suite) -> None:
    before = {name: os.environ.get(name) for name in ("DSPY_CACHEDIR", "DSPY_CACHE_LIMIT")}
    suite.add(
        "test_qa.py",
        """

def test_children(generator_lm):
    import os
    assert os.environ["DSPY_CACHE_LIMIT"] == "0"
    assert os.path.isdir(os.environ["DSPY_CACHEDIR"])
""",
    )
    suite.run().result.assert_outcomes(passed=4)
    assert before == {name: os.environ.get(name) for name in before}
