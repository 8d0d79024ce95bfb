"""A session within a process that goes on, as tests of plugins and notebooks have it, leaves nothing there."""

from __future__ import annotations

import gc
import threading
import warnings
from pathlib import Path

import pytest
from support.background import wait_until
from support.openai_server import Failure
from support.suite import CONFTEST, Suite

ENDLESS = """
import asyncio


class Endless(dspy.Module):
    \"\"\"Keeps a connection to itself, which it never closes, and for one question never ends.\"\"\"

    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")
        self.connection = None

    async def aforward(self, question):
        if self.connection is None:
            self.connection = asyncio.create_task(asyncio.Event().wait())
        if question == "question 2?":
            await asyncio.Event().wait()
        return await self.ask.acall(question=question)


@pytest.fixture(scope="session")
def program():
    return Endless()
"""

INTERRUPTED = """

def pytest_runtest_logfinish(nodeid):
    if "e1" in nodeid:
        raise KeyboardInterrupt
"""

ENDLESS_METRIC = """

@pytest.fixture(scope="session")
def evaluator_lm():
    return dspy.LM("openai/judge", api_base={url!r}, api_key="own", num_retries=0, temperature=1.0)


@pytest.fixture(scope="session")
def metric(evaluator_lm):
    judge = dspy.Predict("question, answer -> score: float")
    judge.set_lm(evaluator_lm)

    async def metric(example, pred, trace=None):
        return (await judge.acall(question=example.question, answer=pred.answer)).score

    return metric
"""


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name.startswith("pitcheval-")}


def open_files() -> list[str]:
    folder = Path("/proc/self/fd")
    return sorted(str(path.readlink()) for path in folder.iterdir() if path.is_symlink()) if folder.exists() else []


def test_neither_threads_nor_event_loops_nor_files_are_left(suite: Suite) -> None:
    """Whichever way it ends: a timeout, Ctrl-C, a compilation that is given up, or all is well."""
    suite.add("conftest.py", ENDLESS)
    suite.rows(4)
    suite.run("-k", "e0").result.assert_outcomes(passed=1, deselected=3)  # what is imported is there by now
    gc.collect()
    before, files = threads(), open_files()
    suite.run("--eval-timeout=2").result.assert_outcomes(passed=3, errors=1)
    suite.run("--eval-concurrency=1", "-k", "not e2").result.assert_outcomes(passed=3, deselected=1)
    suite.add("conftest.py", INTERRUPTED)
    with pytest.raises(KeyboardInterrupt):
        suite.run()
    suite.write("conftest.py", CONFTEST + ENDLESS_METRIC.format(url=suite.server.url))
    suite.server.fail = lambda request: Failure(hang=True) if request.model == "judge" else None
    given_up = suite.run("--optimization=bootstrap", "--train-size=4", "--eval-timeout=2", "-k", "e0")
    given_up.result.assert_outcomes(errors=1, deselected=3)
    assert "no end of its answer" in given_up.text
    wait_until(lambda: threads() <= before)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        gc.collect()
    assert [text for warning in told if "event loop" in (text := str(warning.message))] == []
    assert [path for path in open_files() if path not in files and "socket" not in path] == []
