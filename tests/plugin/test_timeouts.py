"""Evaluation tests have a timeout, so that a provider that never answers costs one test."""

from __future__ import annotations

import json

import pytest
from support.openai_server import Failure
from support.suite import TEST, Suite

NOTES_TIMEOUTS = """

import json
from pathlib import Path

def pytest_runtest_setup(item):
    marker = item.get_closest_marker("timeout")
    with Path(item.config.rootpath, "timeouts.jsonl").open("a") as file:
        print(json.dumps([item.name, marker and marker.args[0]]), file=file)
"""

OTHERS = """

def test_plain():
    pass


@pytest.mark.timeout(77)
@pytest.mark.evaluation("data.jsonl", inputs=["question"])
def test_own(score):
    pass


def test_free(record_score):
    record_score(1)
"""


def timeouts(suite: Suite, *arguments: str) -> dict[str, float | None]:
    """The timeout that each test's marker says, by the test's name; how long it takes is not asked."""
    file = suite.path / "timeouts.jsonl"
    file.unlink(missing_ok=True)
    assert suite.run(*arguments).result.ret == pytest.ExitCode.OK
    return dict(json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())


@pytest.fixture
def noting(suite: Suite) -> Suite:
    """One evaluation test, one with a timeout of its own, a free-form and a plain one."""
    suite.rows(1)
    suite.add("conftest.py", NOTES_TIMEOUTS)
    suite.add("test_qa.py", OTHERS)
    return suite


def test_evaluation_tests_have_a_timeout(noting: Suite, plugin_args: tuple[str, ...]) -> None:
    assert timeouts(noting, *plugin_args) == {
        "test_qa[e0]": 300.0,
        "test_plain": None,
        "test_own[e0]": 77,
        "test_free": 300.0,
    }


def test_the_command_line_says_which(noting: Suite) -> None:
    seen = timeouts(noting, "--eval-timeout=123")
    assert (seen["test_qa[e0]"], seen["test_own[e0]"], seen["test_plain"]) == (123.0, 77, None)
    noting.add("pytest.ini", "eval_timeout = 45.5\n")
    assert timeouts(noting)["test_qa[e0]"] == 45.5


def test_the_timeout_of_the_session_holds(noting: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    assert timeouts(noting, "--timeout=600")["test_qa[e0]"] is None
    with monkeypatch.context() as patch:
        patch.setenv("PYTEST_TIMEOUT", "600")
        assert timeouts(noting)["test_qa[e0]"] is None
    noting.add("pytest.ini", "timeout = 600\n")
    assert timeouts(noting)["test_qa[e0]"] is None


def test_without_pytest_timeout(noting: Suite) -> None:
    noting.add("pytest.ini", "markers = timeout: what pytest-timeout would say\n")
    assert timeouts(noting, "-p", "no:timeout") == {
        "test_qa[e0]": None,
        "test_plain": None,
        "test_own[e0]": 77,
        "test_free": None,
    }


@pytest.mark.parametrize("arguments", ["-n0", "-n2"])
@pytest.mark.parametrize("model", ["generator", "judge"])
def test_a_provider_that_never_answers_costs_one_test(suite: Suite, arguments: str, model: str) -> None:
    suite.server.fail = lambda request: (
        Failure(hang=True) if request.model == model and "question 1?" in request.prompt else None
    )
    run = suite.run("--eval-timeout=5", *arguments.split())
    run.result.assert_outcomes(passed=2, errors=1)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert [(test["status"], test["score"]) for test in run.tests] == [
        ("passed", 0.75),
        ("error", None),
        ("passed", 0.75),
    ]
    assert "Timeout" in run.tests[1]["error"]
    asked = [request for request in run.requests if request.status is None]
    assert [request.model for request in asked] == [model]


def test_a_test_of_its_own_timeout_is_ended_by_it(suite: Suite) -> None:
    suite.write("test_qa.py", TEST.replace("import pytest\n", "import pytest\n\npytestmark = pytest.mark.timeout(3)\n"))
    suite.rows(1)
    suite.server.fail = lambda request: Failure(hang=True)
    run = suite.run()
    run.result.assert_outcomes(errors=1)
    assert "Timeout" in run.tests[0]["error"]
    assert "3.0s" in run.tests[0]["error"]


def test_without_pytest_timeout_the_lm_gives_up(suite: Suite) -> None:
    """The LM waits no longer than a test may take."""
    suite.server.fail = lambda request: Failure(hang=True) if "question 1?" in request.prompt else None
    run = suite.run("-p", "no:timeout", "--eval-timeout=3")
    run.result.assert_outcomes(passed=2, errors=1)
    assert [test["status"] for test in run.tests] == ["passed", "error", "passed"]


def test_making_a_report_is_charged_to_no_test(suite: Suite) -> None:
    """A traceback takes seconds on a busy machine, and what a timeout raises there would end the session."""
    suite.add(
        "conftest.py",
        """

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call):
    import time

    if call.excinfo is not None:
        time.sleep(2.5)
    return (yield)
""",
    )
    suite.server.fail = lambda request: Failure(400, "no") if "question 1?" in request.prompt else None
    run = suite.run("--eval-timeout=2")
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run.result.assert_outcomes(passed=2, errors=1)
