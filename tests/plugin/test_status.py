"""The status of a record is the one that pytest ends with, whatever happens to a test on the way."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter

import pytest
from support.openai_server import Failure, Request, chat_format, dspy_answer
from support.suite import Suite

ENDINGS = """
import pytest


@pytest.fixture
def skips_afterwards():
    yield
    pytest.skip("nothing to clean up")


@pytest.fixture
def fails_afterwards():
    yield
    raise OSError("cannot be removed")


@pytest.fixture
def fails_before():
    pytest.fail("no such folder")


@pytest.fixture
def is_expected_to_fail(request):
    request.applymarker(pytest.mark.xfail(reason="added late"))


def test_passed(record_score):
    record_score(1)


def test_passed_and_skipped_afterwards(record_score, skips_afterwards):
    record_score(1)


def test_failed_and_skipped_afterwards(record_score, skips_afterwards):
    assert record_score(0) > 0


def test_error_afterwards(record_score, fails_afterwards):
    record_score(1)


def test_failed_before_the_error_afterwards(record_score, fails_afterwards):
    assert record_score(0) > 0


def test_error_before(record_score, fails_before):
    record_score(1)


@pytest.mark.xfail(reason="known")
def test_skipped_as_its_fixture_was_expected_to_fail(record_score, fails_before):
    record_score(1)


@pytest.mark.xfail(reason="known")
def test_skipped_as_it_was_expected_to_fail(record_score):
    assert record_score(0) > 0


def test_skipped_as_late_expected_to_fail(record_score, is_expected_to_fail):
    assert record_score(0) > 0


def test_skipped_as_it_says_so(record_score):
    record_score(0)
    pytest.xfail("found out")


def test_skipped_within(record_score):
    record_score(0)
    pytest.skip("not today")


@pytest.mark.skip(reason="not at all")
def test_skipped_before(record_score):
    record_score(0)


@pytest.mark.xfail(strict=False)
def test_passed_against_expectation(record_score):
    record_score(1)


@pytest.mark.xfail(strict=True)
def test_failed_as_it_passed(record_score):
    record_score(1)


@pytest.mark.xfail(raises=ZeroDivisionError)
def test_failed_in_another_way(record_score):
    assert record_score(0) > 0
"""

SUBTESTS = """

def test_passed_with_a_skipped_part(record_score, subtests):
    record_score(1)
    with subtests.test("part"):
        pytest.skip("this part")


def test_failed_in_a_part(record_score, subtests):
    record_score(1)
    with subtests.test("part"):
        assert not "this part"
"""


def status_in(nodeid: str) -> str:
    """The status that the name of a test begins with."""
    return nodeid.partition("::test_")[2].partition("_")[0]


def test_every_way_a_test_may_end(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    has_subtests = hasattr(pytest, "Subtests")
    suite.write("test_qa.py", ENDINGS + (SUBTESTS if has_subtests else ""))
    run = suite.run(*plugin_args)
    assert {test["nodeid"]: test["status"] for test in run.tests} == {
        test["nodeid"]: status_in(test["nodeid"]) for test in run.tests
    }
    known = {"failed": 4, "error": 2, "skipped": 6, "passed": 3}
    counted = Counter(test["status"] for test in run.tests)
    assert counted == {**known, "failed": 5, "passed": 4} if has_subtests else known
    assert [test["xfail"] for test in run.tests if test["xfail"] is not None] == [
        *("known", "known", "added late", "found out"),
    ]
    assert [test["error"] for test in run.tests if test["status"] == "passed"] == [None] * counted["passed"]


GATED = """
import pytest


@pytest.mark.xfail(reason="single examples may be beyond the model; the mean counts")
@pytest.mark.evaluation("data.jsonl", inputs=["question"], threshold=0.5, min_mean=0.4)
def test_measured(score):
    assert score >= score.threshold


@pytest.mark.skip(reason="another day")
@pytest.mark.evaluation("data.jsonl", inputs=["question"], min_mean=0.4)
def test_skipped(score):
    pass


@pytest.fixture
def breaks():
    raise OSError("no such folder")


@pytest.mark.xfail(reason="broken")
@pytest.mark.evaluation("data.jsonl", inputs=["question"], min_mean=0.4)
def test_broken(breaks, score):
    pass
"""


def test_what_failed_as_expected_was_measured(suite: Suite) -> None:
    suite.scores(lambda request: 0.0)
    suite.write("test_qa.py", GATED)
    run = suite.run()
    run.result.assert_outcomes(xfailed=6, skipped=3)
    assert run.document is not None
    assert [(gate["status"], gate["reason"]) for gate in run.document["gates"]] == [
        ("failed", "mean 0 is below 0.4"),
        ("inconclusive", "all examples were skipped"),
        ("failed", "3 of 3 examples have no score"),
    ]
    assert [summary["xfailed"] for summary in run.document["summary"]] == [3, 0, 3]
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED


TRIED_AGAIN = '''

def again(item):
    """Tear the test down, set it up, and run it once more, as plugins do that try tests again within one report."""
    hook, apart = item.ihook, pytest.Class.from_parent(item.session, name="Apart")
    pytest.CallInfo.from_call(lambda: hook.pytest_runtest_teardown(item=item, nextitem=apart), when="teardown")
    item._initrequest()
    pytest.CallInfo.from_call(lambda: hook.pytest_runtest_setup(item=item), when="setup")
    return pytest.CallInfo.from_call(lambda: hook.pytest_runtest_call(item=item), when="call")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call" and report.failed:
        told = report.outcome
        report.outcome = "to be tried again"
        item.ihook.pytest_runtest_logreport(report=report)
        report.outcome = told
        last = pytest.TestReport.from_item_and_call(item, again(item))
        report.outcome, report.longrepr = last.outcome, last.longrepr
    return report


def pytest_report_teststatus(report):
    return ("again", "A", "AGAIN") if report.outcome == "to be tried again" else None
'''

AGAIN = """
import pytest

asked = []


def test_passed(record_score):
    asked.append(record_score(0.1 + len(asked)))
    assert asked[-1] > 0.5


def test_failed(record_score):
    assert record_score(0.2) > 0.5


def test_passed_after_an_error(record_score, generator_lm):
    asked.append(0)
    if asked.count(0) == 1:
        generator_lm("out of order")
"""


def test_a_test_that_is_tried_again_within_one_report(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    suite.server.fail = lambda request: Failure(message="out of order")
    suite.add("conftest.py", TRIED_AGAIN)
    suite.write("test_qa.py", AGAIN)
    run = suite.run(*plugin_args)
    run.result.assert_outcomes(passed=2, failed=1)
    assert [(test["status"], test["score"], test["error"]) for test in run.tests] == [
        ("passed", 1.1, None),
        ("failed", 0.2, None),
        ("passed", None, None),
    ]
    assert [test["lm_calls"]["failed"] for test in run.tests] == [0, 0, 1]  # that of the first attempt


MODULE_WIDE = """

@pytest.fixture(scope="module")
def program():
    return dspy.Predict("question -> answer")
"""


def test_what_flies_when_fixtures_are_made_anew_is_paid_for_once(suite: Suite) -> None:
    """Trying a test again takes the program of the module away from the rollouts that are in the air with it."""
    asked_again, numbers = threading.Event(), Counter[str]()

    def answer(request: Request) -> str:
        number = re.findall(r"question (\d)", request.prompt)[-1]
        numbers[number] += request.model == "generator"
        if number == "1" and numbers["1"] == 2:
            asked_again.set()
        if number > "1" and asked_again.wait(30):
            time.sleep(0.3)  # they are still in the air when their tests begin
        return (
            chat_format(score=0.1 if number == "1" else 0.9, feedback="")
            if request.model == "judge"
            else dspy_answer(request)
        )

    suite.add("conftest.py", MODULE_WIDE + TRIED_AGAIN)
    suite.rows(5)
    suite.server.answer = answer
    run = suite.run()
    run.result.assert_outcomes(passed=4, failed=1)
    assert numbers == {"0": 1, "1": 2, "2": 1, "3": 1, "4": 1}
    assert [test["lm_calls"]["fresh"] for test in run.tests] == [2, 4, 2, 2, 2]
    assert len(run.requests) == 12


def test_the_last_of_several_runs_of_a_test_counts(suite: Suite) -> None:
    suite.write("test_qa.py", AGAIN.partition("def test_passed_after")[0])
    run = suite.run("--reruns=1", "--eval-min-pass-rate=1")
    run.result.assert_outcomes(passed=1, failed=1)
    assert [(test["status"], test["score"]) for test in run.tests] == [("passed", 1.1), ("failed", 0.2)]
    assert run.document is not None
    assert [gate["status"] for gate in run.document["gates"]] == ["passed", "failed"]
