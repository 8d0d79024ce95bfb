"""Whatever programs, metrics and tests hand over costs its own test at most, and can be read again."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from support.command_line import Command
from support.suite import Suite

ODD = '''
import asyncio
import enum
import io
import unittest.mock

import numpy as np
import pandas as pd
import pydantic


class Raises:
    """Each of its methods does."""

    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __float__ = keys = items = model_dump = toDict = tolist = __str__


class Refuses(Exception):
    def __str__(self):
        raise RuntimeError("no text of an error")


class Ratio(pydantic.BaseModel):
    whole: int

    @pydantic.computed_field
    @property
    def share(self) -> float:
        return 1 / self.whole


class Colour(enum.Enum):
    RED = object()


def nested():
    value = []
    for _ in range(600):
        value = [value]
    return value


def cyclic():
    value = {}
    value["itself"] = value
    return value


VALUES = {
    "nested": nested,
    "cyclic": cyclic,
    "mock": unittest.mock.MagicMock,
    "raises": Raises,
    "dumped": lambda: Ratio(whole=0),
    "huge": lambda: 10**5000,
    "large": lambda: 10**400,
    "infinite": lambda: float("inf"),
    "half": lambda: "half a pair \\ud83d \\x00 \\x1b[2J",
    "generator": lambda: (n for n in "abc"),
    "file": io.StringIO,
    "frame": lambda: pd.DataFrame({"a": [1, 2]}),
    "array": lambda: np.zeros(300_000),
    "enum": lambda: Colour.RED,
    "set": lambda: {"b", "a", 3},
    "bytes": lambda: b"\\xff" * 3,
    "long": lambda: "x" * 10_000_000,
}


class Odd(dspy.Module):
    def forward(self, question):
        return dspy.Prediction(answer=VALUES[question]())


@pytest.fixture(scope="session")
def program():
    return Odd()


@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: dspy.Prediction(score=0.25, feedback=pred.answer, more=pred.answer)
'''

NAMES = [
    *("nested", "cyclic", "mock", "raises", "dumped", "huge", "large", "infinite", "half", "generator", "file"),
    *("frame", "array", "enum", "set", "bytes", "long"),
]


def rows(suite: Suite, names: list[str]) -> None:
    suite.write("data.jsonl", "".join(json.dumps({"id": name, "question": name}) + "\n" for name in names))


@pytest.mark.parametrize("arguments", [("-p", "no:xdist"), ("-n2",)], ids=["one-process", "n2"])
def test_a_prediction_of_anything(suite: Suite, command: Command, arguments: tuple[str, ...]) -> None:
    suite.add("conftest.py", ODD)
    rows(suite, NAMES)
    run = suite.run("--eval-html=page.html", "--eval-markdown=page.md", "--junitxml=junit.xml", *arguments)
    run.result.assert_outcomes(failed=len(NAMES))  # the score is below the threshold
    assert [test["example_id"] for test in run.tests] == NAMES
    found = {test["example_id"]: test["prediction"]["answer"] for test in run.tests}
    assert found["set"] == ["a", "b", 3]
    assert found["frame"] == {"a": [1, 2]}
    assert found["huge"] == "[a whole number of 16,610 bits]"
    assert found["half"] == "half a pair \\ud83d \x00 \x1b[2J"
    assert len(found["long"]) < 5_000_000
    assert found["long"].endswith("characters more ...]")
    assert len(found["array"]) < 200_000
    assert all(type(test["feedback"]) is str for test in run.tests)
    assert "\x1b" not in run.text
    assert (suite.path / "page.html").stat().st_size < 2_000_000
    ElementTree.parse(suite.path / "junit.xml")
    assert command("show", "last", "test_qa").code == 0
    assert command("report", "last", "-o", "again.html").code == 0
    assert suite.run("--eval-baseline=last", "--eval-replay=last").tests[0]["prediction"] == run.tests[0]["prediction"]


STOPPING = """
import asyncio
import sys


class Stopping(dspy.Module):
    def forward(self, question):
        if question == "exit":
            sys.exit("enough")
        if question == "interrupt":
            raise KeyboardInterrupt("by a library")
        if question == "cancelled":
            raise asyncio.CancelledError
        if question == "generator":
            raise GeneratorExit
        if question == "unreadable":
            raise Refuses
        if question == "half":
            print("half a pair \\ud83d")
            raise ValueError("half a pair \\ud83d")
        return dspy.Prediction(answer=question)


class Refuses(Exception):
    def __str__(self):
        raise RuntimeError("no text of an error")


@pytest.fixture(scope="session")
def program():
    return Stopping()


@pytest.fixture(scope="session")
def metric():
    def metric(example, pred, trace=None):
        if example.question == "metric":
            sys.exit(3)
        return 0.9

    return metric
"""


@pytest.mark.parametrize("arguments", [("-p", "no:xdist"), ("-n2",)], ids=["one-process", "n2"])
def test_what_would_stop_everything_stops_one_test(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.add("conftest.py", STOPPING)
    rows(suite, ["exit", "good", "interrupt", "cancelled", "generator", "unreadable", "half", "metric", "last"])
    run = suite.run("--junitxml=junit.xml", "-rA", *arguments)
    outcomes = run.result.parseoutcomes()
    assert outcomes["passed"] == 2, run.text
    assert outcomes["failed"] + outcomes["errors"] == 7
    statuses = {test["example_id"]: test["status"] for test in run.tests}
    assert statuses["good"] == statuses["last"] == "passed"
    errors = {test["example_id"]: test["error"] or "" for test in run.tests}
    assert "the program raised SystemExit: enough" in errors["exit"]
    assert "the metric raised SystemExit: 3" in errors["metric"]
    assert "its str() raised RuntimeError" in errors["unreadable"]
    ElementTree.parse(suite.path / "junit.xml")


HANDED_OVER = """
import decimal
import pathlib
import pytest


@pytest.mark.evaluation("data.jsonl", inputs=["question"], threshold=0.5)
def test_qa(score, record_property):
    record_property("quality", score)
    record_property("feedback", score.feedback)
    record_property("samples", score.samples)
    record_property("exact", decimal.Decimal("0.10"))
    record_property("where", pathlib.PurePosixPath("a/b"))
    record_property("half", "\\ud83d")
    record_property("prediction", score.prediction)
    assert score >= score.threshold


def test_free(record_score, record_property):
    record_property("recorded", record_score(True, feedback=["no", "text"]))
    record_score(2, name=("not", "a name"))


def test_wrong_threshold(record_score):
    record_score(0.5, threshold="high")
"""


@pytest.mark.parametrize("arguments", [("-p", "no:xdist"), ("-n2",)], ids=["one-process", "n2"])
def test_what_a_test_gets_can_be_handed_to_pytest(suite: Suite, arguments: tuple[str, ...]) -> None:
    suite.write("test_qa.py", HANDED_OVER)
    suite.rows(2)
    run = suite.run("--junitxml=junit.xml", "-o", "junit_family=xunit1", *arguments)
    run.result.assert_outcomes(passed=3, errors=1)
    assert "threshold='high': expected a finite number" in run.text
    named = [
        {one.get("name"): one.get("value") for one in case.iter("property")}
        for case in ElementTree.parse(suite.path / "junit.xml").iter("testcase")
    ]
    scored = next(one for one in named if "quality" in one)
    assert scored["quality"] == "0.75"
    assert scored["exact"] == "0.10"
    assert scored["where"] == "a/b"
    assert next(one for one in named if "recorded" in one)["recorded"] == "1.0"
    assert {test["test"].rpartition("::")[2]: test["feedback"] for test in run.tests}["test_free"] == "['no', 'text']"


UNREADABLE_ROWS = """
import dspy
import pytest


class Row(dspy.Example):
    def inputs(self):
        if self.question == "question 1?":
            raise RuntimeError("no inputs")
        return super().inputs()


def dataset():
    return [Row(id=f"e{n}", question=f"question {n}?").with_inputs("question") for n in range(3)]


@pytest.mark.evaluation(dataset, inputs=["question"], threshold=0.5)
def test_qa(score):
    assert score >= score.threshold
"""


def test_a_row_that_becomes_no_example_costs_its_own_test(suite: Suite) -> None:
    suite.write("test_qa.py", UNREADABLE_ROWS)
    run = suite.run()
    statuses = {test["example_id"]: test["status"] for test in run.tests}
    assert set(statuses) == {"e0", "e1", "e2"}
    assert statuses["e0"] == statuses["e2"] == "passed"


def test_ids_with_half_a_surrogate_pair(suite: Suite) -> None:
    """They stay different from one another, in a worker as well."""
    ids = ["a\ud83d", "a\ude00"]
    suite.write("data.jsonl", "".join(json.dumps({"id": one, "question": "question 0?"}) + "\n" for one in ids))
    run = suite.run("-n2", "--eval-update-baseline")
    run.result.assert_outcomes(passed=2)
    assert [test["example_id"] for test in run.tests] == ["a\\ud83d", "a\\ude00"]
    assert suite.run("--eval-max-regression=0.1").document["gates"][0]["status"] == "passed"  # type: ignore[index]


EXTREME = """

@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: dspy.Prediction(
        score=1e308 if example.question < "question 5?" else -1e308, more=1e308, cost=10**400
    )
"""


def test_scores_at_the_ends_of_floats(suite: Suite) -> None:
    suite.add("conftest.py", EXTREME)
    suite.rows(10)
    run = suite.run("--eval-html=page.html", "--eval-markdown=page.md", "--eval-rollouts=3", "--eval-update-baseline")
    assert "run file" in run.text
    suite.add("conftest.py", EXTREME.replace("<", ">="))
    run = suite.run(
        "--eval-html=page.html", "--eval-markdown=page.md", "--eval-max-regression=0.1", "--eval-min-mean=0"
    )
    assert "run file" in run.text
    assert "INTERNALERROR" not in run.text
    assert (suite.path / "page.html").is_file()
    assert max(len(line) for line in run.text.splitlines() if line.startswith(" ")) < 400


def test_the_command_prints_on_a_terminal_of_ascii(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.add("conftest.py", EXTREME.replace("more=1e308", "feedback='caf\u00e9 \U0001f600'"))
    suite.rows(1)
    suite.run()
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    shown = suite.pytester.run(*_python(), "show", "last", "e0")
    assert shown.ret == 0
    shown.stdout.fnmatch_lines(["*caf\\xe9*"])


def _python() -> tuple[str, ...]:
    import sys

    return sys.executable, "-c", "import sys; from pytest_pitcheval.cli import main; sys.exit(main())"


def test_nothing_is_left_for_a_later_reader_to_trip_over(suite: Suite) -> None:
    suite.add("conftest.py", ODD)
    rows(suite, ["half", "nested"])
    suite.run()
    for path in (suite.path / ".pitcheval").rglob("*.json"):
        json.loads(Path(path).read_bytes().decode("utf-8"))
