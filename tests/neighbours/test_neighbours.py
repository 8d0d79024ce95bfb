"""The plugins that stand beside this one in public suites, one at a time: the records are as without them.

Run in an environment of its own (``tox -e neighbours``), in which pytest loads no plugin by itself.
"""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

import pytest
from support.openai_server import Request
from support.suite import Suite

OURS = ("pitcheval", "timeout", "xdist")

NEIGHBOURS: dict[str, tuple[str, ...]] = {
    "anyio": (),
    "asyncio": ("-oasyncio_mode=auto",),
    "django": (),
    "flaky": ("--force-flaky", "--max-runs=2"),
    "html": ("-pmetadata", "-phtml_fixtures", "--html=report.html"),
    "pytest-bdd": (),
    "pytest-retry": ("--retries=1",),
    "pytest-split": ("--splits=1", "--group=1"),
    "pytest_cov": ("--cov=.",),
    "pytest_jsonreport": ("-pmetadata", "--json-report"),
    "randomly": (),
    "recording": ("--record-mode=none",),
    "repeat": ("--count=1",),
    "rerunfailures": ("--reruns=1",),
    "sugar": (),
}
"""By the name of its entry point, what makes the plugin do its work."""

FURTHER = """
import pytest


@pytest.mark.xfail(reason="known")
def test_expected(record_score):
    assert record_score(0.1) > 0.5


def test_skipped(record_score):
    record_score(0.2)
    pytest.skip("not today")


"""

EXPECTED = [
    ("test_further.py::test_expected", "skipped", 0.1, 0),
    ("test_further.py::test_skipped", "skipped", 0.2, 0),
    ("test_qa.py::test_qa[e0]", "passed", 0.75, 2),
    ("test_qa.py::test_qa[e1]", "failed", 0.25, 2),
    ("test_qa.py::test_qa[e2]", "passed", 0.75, 2),
]
"""Node ID, status, score and fresh LM calls of each record."""

TRY_AGAIN = ("flaky", "pytest-retry", "rerunfailures")
"""The plugins that try the failed test again: the calls of both attempts are counted."""


def seen(tests: list[dict[str, Any]]) -> list[tuple[str, str, float, int]]:
    """What `EXPECTED` is about, in its order."""
    return sorted((one["nodeid"], one["status"], one["score"], one["lm_calls"]["fresh"]) for one in tests)


def tried_again(plugin: str | None, row: tuple[str, str, float, int]) -> bool:
    """Whether the plugin has had the test of this row run twice."""
    return plugin in TRY_AGAIN and row[1] == "failed"


@pytest.fixture
def mixed(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Suite:
    """A suite with a failure, an expected one and a skipped test, run without any plugin that is not named."""

    def score(request: Request) -> float:
        return 0.25 if "question 1?" in request.prompt else 0.75

    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    suite.write("test_further.py", FURTHER)
    suite.scores(score)
    return suite


@pytest.mark.parametrize("name", [None, *NEIGHBOURS])
def test_the_records_beside(mixed: Suite, name: str | None) -> None:
    plugins = [f"-p{plugin}" for plugin in (*OURS, *([name] if name else []))]
    run = mixed.run(*plugins, *NEIGHBOURS.get(name or "", ()), subprocess=True)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert seen(run.tests) == [(*row[:3], row[3] * (2 if tried_again(name, row) else 1)) for row in EXPECTED]
    assert "one example at a time" not in run.text + run.result.stderr.str()  # beside it, rollouts fly as well
    run.result.stdout.fnmatch_lines(["*= pitcheval =*", "*run file: *"])


def test_all_are_installed() -> None:
    """A name of an entry point that changes would leave a plugin out."""
    assert {*NEIGHBOURS, *OURS} <= {entry.name for entry in entry_points(group="pytest11")}


FEATURE = """
Feature: Answers

  Scenario: A row is answered well
    When the program has answered
    Then the judge is content

  Scenario Outline: A question is answered well
    When the program is asked <question>
    Then the answer is good
    Examples:
      | question    |
      | question 0? |
      | question 1? |
"""

STEPS = """
import dspy
import pytest
from pytest_bdd import parsers, scenario, then, when


@pytest.mark.evaluation("data.jsonl", inputs=["question"], threshold=0.5)
@pytest.mark.usefixtures("score")
@scenario("answers.feature", "A row is answered well")
def test_row():
    pass


@when("the program has answered")
def has_answered(prediction):
    assert prediction.answer


@then("the judge is content")
def is_content(score):
    assert score >= score.threshold


@scenario("answers.feature", "A question is answered well")
def test_question():
    pass


@when(parsers.parse("the program is asked {question}"), target_fixture="example")
def is_asked(question):
    return dspy.Example(question=question).with_inputs("question")


@then("the answer is good")
def is_good(example, compiled_program, metric, record_score):
    answer = compiled_program(**example.inputs())
    assert record_score(metric(example, answer).score, threshold=0.5).passed
"""

PLAIN = """
import dspy
import pytest


@pytest.mark.evaluation("data.jsonl", inputs=["question"], threshold=0.5)
def test_row(score):
    assert score >= score.threshold


@pytest.mark.parametrize("question", ["question 0?", "question 1?"])
def test_question(question, compiled_program, metric, record_score):
    example = dspy.Example(question=question).with_inputs("question")
    answer = compiled_program(**example.inputs())
    assert record_score(metric(example, answer).score, threshold=0.5).passed
"""


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["alone", "n2"])
def test_steps_of_a_scenario_ask_for_our_fixtures(mixed: Suite, arguments: tuple[str, ...]) -> None:
    """By name for the rows of a dataset; else as in any other step. Their records are those of plain tests."""
    mixed.write("answers.feature", FEATURE)
    records = []
    for text, plugins in ((PLAIN, OURS), (STEPS, (*OURS, "pytest-bdd"))):
        mixed.write("test_qa.py", text)
        run = mixed.run("test_qa.py", *(f"-p{plugin}" for plugin in plugins), *arguments, subprocess=True)
        run.result.assert_outcomes(passed=3, failed=2)
        records.append(seen(run.tests))
    assert records[0] == records[1]
