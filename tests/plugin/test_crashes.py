"""A worker dies, the whole run is killed or interrupted: what is finished survives, what is missing is named."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.background import Background, is_alive, wait_until
from support.openai_server import Failure, Request
from support.suite import DYING, Suite


def hang_on_question(number: int) -> Callable[[Request], Failure | None]:
    return lambda request: Failure(hang=True) if f"question {number}?" in request.prompt else None


def hanging(suite: Suite) -> Callable[[], bool]:
    """Whether the question that is never answered was asked, and everything asked before it was answered."""

    def asked() -> bool:
        open_questions = [request for request in suite.server.requests if request.finished is None]
        return len(open_questions) == 1 and "question 2?" in open_questions[0].prompt

    return asked


@pytest.mark.parametrize("arguments", ["-n2", "-n1"])
def test_a_worker_that_crashes_loses_one_record(suite: Suite, arguments: str) -> None:
    suite.add("conftest.py", DYING)
    suite.rows(6)
    run = suite.run(*arguments.split())
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run.result.assert_outcomes(passed=5, failed=1)
    assert [(test["example_id"], test["score"]) for test in run.tests] == [(f"e{n}", 0.75) for n in (0, 1, 3, 4, 5)]
    assert run.document is not None
    [missing] = run.document["missing"]
    assert missing["nodeid"] == "test_qa.py::test_qa[e2]"
    assert re.fullmatch(r"worker gw\d crashed while it ran", missing["reason"])
    [summary] = run.document["summary"]
    assert (summary["examples"], summary["scored"], summary["passed"]) == (6, 5, 5)
    run.result.stdout.fnmatch_lines(
        ["  1 of 6 examples have no score *: the mean is of 5 of 6", "    test_qa?e2?: worker gw* crashed *"]
    )


@pytest.mark.skipif(sys.platform == "win32", reason="kills with SIGKILL")
@pytest.mark.parametrize("arguments", ["-p no:xdist", "-n2"])
def test_a_run_that_is_killed_leaves_no_process(
    suite: Suite, background: Callable[..., Background], arguments: str
) -> None:
    suite.server.fail = hang_on_question(2)
    run = background(*arguments.split(), "--eval-timeout=3600")
    wait_until(hanging(suite))
    processes = run.processes
    assert len(processes) == (3 if arguments == "-n2" else 1)
    run.process.kill()
    assert run.wait() == -signal.SIGKILL
    wait_until(lambda: not any(is_alive(pid) for pid in processes))
    suite.server.fail = lambda request: None
    suite.run().result.assert_outcomes(passed=3)


@pytest.mark.skipif(sys.platform == "win32", reason="interrupts with SIGINT")
def test_an_interrupted_run_keeps_what_is_finished(suite: Suite, background: Callable[..., Background]) -> None:
    suite.rows(4)
    suite.server.fail = hang_on_question(2)
    run = background("-p", "no:xdist", "--eval-timeout=3600")
    wait_until(lambda: hanging(suite)() and run.records == 2)
    run.process.send_signal(signal.SIGINT)
    assert run.wait() == pytest.ExitCode.INTERRUPTED
    [document] = run.documents
    assert [(test["example_id"], test["score"]) for test in document["tests"]] == [("e0", 0.75), ("e1", 0.75)]
    assert [missing["nodeid"] for missing in document["missing"]] == [f"test_qa.py::test_qa[e{n}]" for n in (2, 3)]
    assert "test_qa[e3]: not run" in run.text


@pytest.mark.skipif(sys.platform == "win32", reason="interrupts with SIGINT")
def test_interrupted_workers_keep_what_is_finished(suite: Suite, background: Callable[..., Background]) -> None:
    """As a terminal does it: Ctrl-C reaches every process of the group."""
    suite.rows(4)
    suite.server.fail = hang_on_question(2)
    run = background("-n2", "-v", "--eval-timeout=3600")
    wait_until(lambda: hanging(suite)() and run.records > 0)
    processes = run.processes
    os.killpg(run.process.pid, signal.SIGINT)
    assert run.wait() == pytest.ExitCode.INTERRUPTED
    wait_until(lambda: not any(is_alive(pid) for pid in processes))
    [document] = run.documents
    finished = {test["nodeid"] for test in document["tests"]}
    named = {missing["nodeid"] for missing in document["missing"]}
    assert finished | named == {f"test_qa.py::test_qa[e{n}]" for n in range(4)}
    assert "test_qa.py::test_qa[e2]" in named
    assert finished


def test_a_run_file_that_cannot_be_written_is_said(suite: Suite) -> None:
    (suite.path / ".pitcheval").write_text("in the way", encoding="utf-8")
    run = suite.run()
    run.result.assert_outcomes(passed=3)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run.result.stdout.fnmatch_lines(["the run file could not be written: *"])


def test_nothing_stays_in_the_temporary_folder(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    temporary: Path = suite.pytester.mkdir("temporary")
    monkeypatch.setenv("TMPDIR", str(temporary))
    run = suite.run("-n2", "--optimization=labeled", subprocess=True)
    run.result.assert_outcomes(passed=3)
    assert [path.name for path in temporary.iterdir() if "pitcheval" in path.name] == []
