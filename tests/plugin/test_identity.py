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
    run.result.assert_outcomes(passed=3)
    run.result.stdout.fnmatch_lines(
        ["*metric: not all of it can be described, so a change is not seen: *nobody may look"]
    )


TWO_PROGRAMS = """
class Echo(dspy.Module):
    def __init__(self, answer):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")
        self.answer = answer

    def forward(self, question):
        return dspy.Prediction(answer=self.answer)


@pytest.fixture(scope="session", params=[Echo("yes"), Echo("no")], ids=["right-e1", "wrong"])
def program(request):
    return request.param


@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: float(pred.answer == "yes")
"""

PARAMETERS = """
import pytest

@pytest.mark.parametrize("style", ["a::b[c]", "e0", object()])
@pytest.mark.evaluation("data.jsonl", inputs=["question"], min_mean=0.5)
class TestStyles:
    def test_qa(self, score, style):
        pass
"""


@pytest.mark.parametrize("arguments", [("-n0",), ("-n2",)], ids=["alone", "with-workers"])
def test_each_combination_of_parameters_is_a_test_by_pytests_own_ids(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.add("conftest.py", TWO_PROGRAMS)
    suite.write("test_qa.py", PARAMETERS)
    first = suite.run("--optimization=none,labeled", "--eval-update-baseline", *arguments)
    assert first.document is not None
    names = {
        f"test_qa.py::TestStyles::test_qa[{p}-{s}]" for p in ("right-e1", "wrong") for s in ("a::b[c]", "e0", "style2")
    }
    assert {(group["test"], group["examples"]) for group in first.document["summary"]} == {(name, 3) for name in names}
    assert len(first.document["summary"]) == 2 * len(names)
    assert {(gate["test"], gate["status"]) for gate in first.document["gates"]} == {
        (name, "failed" if "wrong" in name else "passed") for name in names
    }
    assert "36 examples written" in first.text
    second = suite.run("--optimization=none,labeled", "--eval-max-regression=0.05", *arguments)
    assert second.document is not None
    regressions = [gate for gate in second.document["gates"] if gate["gate"] == "max_regression"]
    assert [gate["status"] for gate in regressions] == ["passed"] * 2 * len(names)


def test_folders_with_brackets(suite: Suite) -> None:
    """As web frameworks name those of their routes."""
    test = (suite.path / "test_qa.py").read_text(encoding="utf-8")
    (suite.path / "test_qa.py").unlink()
    suite.rows(3, "pages[slug]/data.jsonl")
    for name in ("one", "two"):
        suite.write(f"pages[slug]/test_{name}.py", test)
    run = suite.run("--eval-update-baseline")
    assert run.document is not None
    assert [(group["test"], group["examples"]) for group in run.document["summary"]] == [
        ("pages[slug]/test_one.py::test_qa", 3),
        ("pages[slug]/test_two.py::test_qa", 3),
    ]
    assert "6 examples written" in run.text
    rest = suite.run("--eval-max-regression=0.1", "--test-size=2")
    assert rest.document is not None
    assert [len(group["not_run"]) for group in rest.document["summary"]] == [1, 1]
