"""What is the same in the next session: metrics that keep state, rows with random fields, tests with parameters."""

from __future__ import annotations

import pytest
from support.suite import Suite

METRICS = '''
class Counting:
    """Counts, logs and remembers, as metrics do."""

    def __init__(self, folder):
        self.calls, self.log, self.memo, self.folder = 0, [], {}, folder

    def __call__(self, example, pred, trace=None):
        self.calls += 1
        self.log.append(example.question)
        return self.memo.setdefault(example.question, 0.75)


@pytest.fixture(scope="session")
def metric(tmp_path_factory):
    import datetime
    import logging
    import re
    import statistics

    np = pytest.importorskip("numpy")
    today, counting = datetime.datetime.now(), Counting(tmp_path_factory.mktemp("judge"))

    def metric(example, pred, trace=None):
        logging.getLogger(__name__).debug("%s %s %s", today, re, np)
        return statistics.fmean([counting(example, pred)])

    return metric


def random_fields(question):
    import uuid

    return dspy.Example(question=question, dspy_uuid=str(uuid.uuid4()), dspy_split="train").with_inputs("question")


@pytest.fixture(scope="session")
def trainset():
    return [random_fields(f"train {n}?") for n in range(4)]
'''

ROWS = """
import pytest
from conftest import random_fields


@pytest.mark.evaluation([random_fields(f"question {n}?") for n in range(3)], threshold=0.5)
def test_qa(score):
    assert score >= score.threshold
"""


@pytest.mark.parametrize("later", [("-n0",), ("-n2",)], ids=["alone", "with-workers"])
def test_what_only_runs_has_not_changed(suite: Suite, later: tuple[str, ...]) -> None:
    """Nothing is compiled again, and all examples are compared with the baseline."""
    suite.add("conftest.py", METRICS)
    suite.write("test_qa.py", ROWS)
    first = suite.run("--optimization=bootstrap", "--eval-update-baseline")
    second = suite.run("--optimization=bootstrap", "--eval-max-regression=0.05", *later)
    for run in (first, second):
        run.result.assert_outcomes(passed=3)
        assert run.result.ret == pytest.ExitCode.OK, run.text
    assert [test["fingerprints"] for test in first.tests] == [test["fingerprints"] for test in second.tests]
    assert {test["program_file"] for test in (*first.tests, *second.tests)} == {first.tests[0]["program_file"]}
    assert "unknown" not in str([test["fingerprints"] for test in first.tests])
    assert len(second.requests) == 3  # the program's alone: what was compiled is loaded


def test_what_cannot_be_described_is_one_line(suite: Suite) -> None:
    suite.add(
        "conftest.py",
        """
class Odd:
    @property
    def __dict__(self):
        raise RuntimeError("nobody may look")

    def __call__(self, example, pred, trace=None):
        return 1.0


@pytest.fixture
def metric():
    return Odd()
""",
    )
    run = suite.run()
    run.result.assert_outcomes(passed=3, warnings=1)
    run.result.stdout.fnmatch_lines(
        ["*metric: not all of it can be described, so a change is not seen: *nobody may look"]
    )
