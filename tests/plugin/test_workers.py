"""Workers that would gain nothing are not started until they would, and whatever happens none stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

import pytest
from support.background import Background, is_alive, wait_until
from support.openai_server import Failure
from support.suite import DYING, Suite

NOTES_WORKERS = """

def pytest_sessionstart(session):
    from pathlib import Path
    if hasattr(session.config, "workerinput"):
        Path(f"{session.config.workerinput['workerid']}.worker").touch()
"""

NOTES_TESTS = """

def pytest_runtest_teardown(item):
    from pathlib import Path
    if hasattr(item.config, "workerinput"):
        with Path(f"{item.config.workerinput['workerid']}.tests").open("a") as file:
            file.write("x")
"""

BURNS = """

@pytest.fixture(scope="session")
def metric(metric):
    def burn(example, pred, trace=None):
        sum(range(1_000_000))
        return metric(example, pred)

    return burn
"""

COUNTED = """
import os


def test_count():
    assert os.environ["PYTEST_XDIST_WORKER_COUNT"] == "3"
"""

PLAIN = """
import pytest


@pytest.mark.parametrize("number", range(40))
def test_plain(number):
    pass
"""


@pytest.fixture
def known(suite: Suite) -> Suite:
    """A suite of which a session is known, and which notes the workers that import its conftest.py."""
    suite.add("conftest.py", NOTES_WORKERS)
    suite.rows(8)
    suite.run("-p", "no:xdist").result.assert_outcomes(passed=8)
    return suite


def workers(suite: Suite) -> set[str]:
    """The workers that have imported the suite."""
    return {path.stem for path in suite.path.glob("*.worker")}


def test_few_examples_are_evaluated_by_one_worker(known: Suite) -> None:
    run = known.run("-n3", subprocess=True)
    run.result.assert_outcomes(passed=8)
    assert run.result.ret == pytest.ExitCode.OK
    assert (len(run.tests), len(run.requests)) == (8, 16)
    assert workers(known) == {"gw0"}


def test_the_first_session_uses_all_workers(suite: Suite) -> None:
    suite.add("conftest.py", NOTES_WORKERS)
    suite.run("-n2", subprocess=True).result.assert_outcomes(passed=3)
    assert workers(suite) == {"gw0", "gw1"}


def test_a_distribution_that_is_named_uses_all_workers(known: Suite) -> None:
    known.run("-n2", "--dist=load", subprocess=True).result.assert_outcomes(passed=8)
    assert workers(known) == {"gw0", "gw1"}


def test_other_tests_start_them(known: Suite) -> None:
    known.write("test_plain.py", PLAIN)
    run = known.run("-n3", subprocess=True)
    run.result.assert_outcomes(passed=48)
    assert len(run.tests) == 8
    assert workers(known) == {"gw0", "gw1", "gw2"}


def test_many_more_examples_are_shared_with_those_that_are_started_late(suite: Suite) -> None:
    suite.add("conftest.py", NOTES_TESTS)
    suite.add("test_qa.py", BURNS)
    suite.rows(60)
    suite.run("-p", "no:xdist", subprocess=True).result.assert_outcomes(passed=60)
    suite.rows(300)
    run = suite.run("-n3", subprocess=True)
    run.result.assert_outcomes(passed=300)
    assert (len(run.tests), len(run.requests)) == (300, 600)
    ran = [len(path.read_text()) for path in suite.path.glob("*.tests")]
    assert len(ran) > 1
    assert sum(ran) == 300
    assert min(ran) > 30


def test_one_that_crashes_is_replaced(known: Suite) -> None:
    known.add("conftest.py", DYING)
    run = known.run("-n3", subprocess=True)
    run.result.assert_outcomes(passed=7, failed=1)
    assert len(run.tests) == 7
    assert not workers(known) & {"gw1", "gw2"}


def test_a_suite_is_told_how_many_workers_were_asked_for(known: Suite) -> None:
    known.write("test_plain.py", COUNTED)
    known.run("-n3", subprocess=True).result.assert_outcomes(passed=9)


def test_a_session_that_stops_at_the_first_failure_ends(known: Suite) -> None:
    known.scores(lambda request: 0.25)
    run = known.run("-n3", "-x", subprocess=True)
    assert run.result.ret == pytest.ExitCode.INTERRUPTED
    assert workers(known) == {"gw0"}


@pytest.mark.skipif(sys.platform == "win32", reason="kills with signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_they_end_with_their_session(known: Suite, background: Callable[..., Background], number: int) -> None:
    known.server.clear()
    known.server.fail = lambda request: Failure(hang=True) if "question 2?" in request.prompt else None
    run = background("-n3", "--eval-timeout=3600")
    wait_until(lambda: any("question 2?" in request.prompt for request in known.server.requests))
    assert len(members(run.process.pid)) == 2
    assert workers(known) == {"gw0"}
    group = run.process.pid
    os.killpg(group, number) if number == signal.SIGINT else run.process.kill()
    run.wait()
    wait_until(lambda: not members(group))


def members(group: int) -> list[int]:
    """The processes of a group that still run."""
    found = subprocess.run(["ps", "-eo", "pid=,pgid="], capture_output=True, text=True, check=True).stdout
    pairs = [line.split() for line in found.splitlines()]
    return [int(pid) for pid, pgid in pairs if int(pgid) == group and is_alive(int(pid))]
