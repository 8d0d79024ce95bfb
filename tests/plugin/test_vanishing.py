"""No evaluation vanishes: it runs, or a line says why not; and a test that never ran is never a good exit code."""

from __future__ import annotations

import pytest
from support.suite import TEST, Suite

SWALLOWED = """
import dspy
import pytest

def devset(size=2):
    return [dspy.Example(question=f"question {n}?").with_inputs("question") for n in range(2)]

def nothing(test):
    pass

test_data = [1, 2, 3]

@pytest.mark.evaluation(devset)
def test_of_a_list(score):
    pass

class TestInAClass:
    @pytest.mark.evaluation(nothing)
    def test_of_none(self, score):
        pass

    @pytest.mark.evaluation(devset, inputs=["question"])
    def test_as_expected(self, score):
        pass

@pytest.mark.optimization(dspy.LabeledFewShot)
@pytest.mark.evaluation(devset, inputs=["question"])
def test_of_an_optimizer(score):
    pass

@pytest.mark.evaluation(lambda: devset())
def test_of_a_lambda(score):
    pass
"""


@pytest.mark.parametrize("arguments", ["-p no:xdist", "-n2"])
def test_a_marker_that_pytest_takes_for_a_decorator(suite: Suite, arguments: str) -> None:
    suite.write("test_qa.py", SWALLOWED)
    run = suite.run(*arguments.split())
    run.result.assert_outcomes(passed=4, failed=3)
    lines = [line for line in run.result.outlines if line.startswith("evaluation marker: ")]
    assert sorted(line.partition("evaluation(")[2].partition(")")[0] for line in lines) == ["devset", "nothing"]
    assert "expected evaluation(devset, inputs=[...])" in run.text
    assert "optimization marker: optimization(dspy.LabeledFewShot): pytest takes a marker that" in run.text
    assert len(run.tests) == 4


def test_a_dataset_without_parameters_that_pytest_calls_with_the_test(suite: Suite) -> None:
    dataset = "def devset():\n    return []\n\n"
    marker = TEST.replace('("data.jsonl", inputs=["question"], threshold=0.5)', "(devset)")
    suite.write("test_qa.py", marker.replace("@", f"{dataset}@"))
    run = suite.run()
    assert run.result.ret == pytest.ExitCode.INTERRUPTED
    assert "evaluation marker: pytest takes a marker that is called with one callable for a decorator" in run.text


TWICE = """
import pytest

pytestmark = pytest.mark.evaluation("other.jsonl", inputs=["question"])

@pytest.mark.evaluation("data.jsonl", inputs=["question"])
@pytest.mark.evaluation("other.jsonl", inputs=["question"])
def test_two(score):
    pass

@pytest.mark.evaluation("data.jsonl", inputs=["question"])
def test_its_own(score):
    pass

def test_of_the_module(score):
    pass
"""


def test_two_markers_on_one_test(suite: Suite) -> None:
    """The closest holds, but of two on one test none is the closest."""
    suite.write("test_qa.py", TWICE)
    suite.rows(1, "other.jsonl")
    run = suite.run()
    run.result.assert_outcomes(failed=1, passed=4)
    assert run.tests[0]["error"].startswith("evaluation marker: there are two on one test; expected one")
    assert [test["example_id"] for test in run.tests[1:]] == ["e0", "e1", "e2", "e0"]


IDLE = """
import pytest

pytestmark = pytest.mark.evaluation("data.jsonl", inputs=["question"])


@pytest.mark.evaluation("data.jsonl", inputs=["question"], min_mean=0.5)
class TestIdle:
    def test_one(self, tmp_path):
        pass

    def test_two(self, record_score):
        record_score(1)


class TestTag:
    pytestmark = pytest.mark.evaluation

    def test_three(self):
        pass


class TestBusy:
    def test_four(self):
        pass

    def test_five(self, example):
        pass
"""


def test_a_marker_of_a_class_or_module_that_no_test_makes_use_of(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    """The first test of it says so; not where only some were asked for, as others may make use of it."""
    suite.write("test_qa.py", IDLE)
    suite.write("test_module.py", IDLE[: IDLE.index("@pytest")] + "def test_six(tmp_path):\n    pass\n")
    run = suite.run(*plugin_args)
    run.result.assert_outcomes(passed=6, failed=2)
    assert sorted(test["error"] for test in run.tests if test["status"] == "failed") == [
        "evaluation marker: no test of test_module.py asks for one of example, prediction and score",
        "evaluation marker: no test of test_qa.py::TestIdle asks for one of example, prediction and score",
    ]
    assert suite.run("-k", "four", *plugin_args).result.ret == pytest.ExitCode.OK
    suite.run("test_qa.py::TestIdle", *plugin_args).result.assert_outcomes(passed=2)


TOO_LATE = """
import dspy
import pytest

ROWS = (dspy.Example(question=text).with_inputs("question") for text in ["question 0?"])


@pytest.mark.evaluation(ROWS, threshold=0.1)
def test_first(score):
    pass


@pytest.mark.evaluation(ROWS, threshold=0.1)
def test_nothing_left(score):
    pass


@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.evaluation("data.jsonl", inputs=["question"]))])
def test_of_a_parameter(x, score):
    pass


def test_of_a_hook(score):
    pass
"""

LATE_HOOK = """

def pytest_collection_modifyitems(items):
    for item in items:
        if "hook" in item.name:
            item.add_marker(pytest.mark.evaluation("data.jsonl", inputs=["question"]))
"""


def test_markers_and_datasets_that_come_too_late(suite: Suite) -> None:
    suite.write("test_qa.py", TOO_LATE)
    suite.add("conftest.py", LATE_HOOK)
    run = suite.run()
    run.result.assert_outcomes(passed=1, failed=1, errors=2)
    late = (
        "evaluation marker: it was put on the test when that had been made (by a hook, or in pytest.param); "
        "expected it on the function, its class or its module"
    )
    left = "dataset: no examples left in it: an iterator has them once; expected a list or a callable"
    assert [test["error"] for test in run.tests] == [None, left, late, late]


LEFT_EARLY = """

def pytest_runtest_setup(item):
    if "e1" in item.name:
        {what}
"""


@pytest.mark.parametrize(
    ("what", "arguments"),
    [
        ("pytest.exit('enough', returncode=0)", "-p no:xdist"),
        ("item.config.hook.pytest_runtest_logreport = None", "-n2"),
    ],
)
def test_a_session_that_ends_early_is_no_good_one(suite: Suite, what: str, arguments: str) -> None:
    """The second is an internal error of a worker, after which xdist goes on without it."""
    suite.add("conftest.py", LEFT_EARLY.format(what=what))
    run = suite.run(*arguments.split(), subprocess=True)
    assert run.result.ret != pytest.ExitCode.OK
    assert "test_qa.py::test_qa[e1]" in run.text
    assert run.document is None or "test_qa.py::test_qa[e1]" in [one["nodeid"] for one in run.document["missing"]]


def test_a_session_of_which_nothing_ran_is_no_good_one(suite: Suite) -> None:
    suite.add("conftest.py", LEFT_EARLY.format(what="pass") + "\n\ndef pytest_runtestloop(session):\n    return True\n")
    run = suite.run()
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run.result.stdout.fnmatch_lines(
        ["3 of the collected evaluation tests left no record, so the run fails: *e0*e1*e2*"]
    )
    assert suite.run("--collect-only").result.ret == pytest.ExitCode.OK
