"""The columns of a row that are no inputs: kept with its record, and shown beside what was predicted."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.command_line import Command
from support.html_page import data
from support.junit_file import properties_of, read_suite
from support.suite import Suite

LABELS: dict[str, Any] = {"answer": "Santiago", "topic": "capitals", "critical": True, "sources": ["atlas", 3]}
ODD: dict[str, Any] = {
    "": "no name",
    "score": "=1+1",
    "a\x1b[31m": "\x07",
    "__proto__": "x",
    "labels": None,
    "dspy_id": 0,
}
ROWS = [
    {"id": "chile", "question": "question 0?", **LABELS},
    {"id": "odd", "question": "question 1?", **ODD},
    {"id": "plain", "question": "question 2?"},
]


@pytest.fixture
def labelled(suite: Suite) -> Suite:
    """A suite whose rows have labels, and whose scores are low."""
    suite.write("data.jsonl", "".join(json.dumps(row) + "\n" for row in ROWS))
    suite.scores(lambda request: 0.25)
    return suite


def labels(tests: list[dict[str, Any]]) -> list[Any]:
    return [test["labels"] for test in tests]


def test_labels_are_in_every_report(labelled: Suite, command: Command, plugin_args: tuple[str, ...]) -> None:
    run = labelled.run("--junit-xml=junit.xml", "--eval-html=page.html", *plugin_args)
    assert labels(run.tests) == [LABELS, ODD, {}]
    told = [line for line in run.result.outlines if line.startswith("labels ")]
    chile = 'labels     answer Santiago, topic capitals, critical true, sources ["atlas", 3]'
    assert sorted(told) == [r"labels      no name, score =1+1, a\x1b[31m \x07, __proto__ x, dspy_id 0", chile]
    page = data((labelled.path / "page.html").read_text(encoding="utf-8"))
    assert [one["labels"] for one in page["examples"]] == [LABELS, ODD, {}]
    cases = {one.get("name"): properties_of(one) for one in read_suite(labelled.path / "junit.xml").iter("testcase")}
    said = {name: value for name, value in cases["test_qa[chile]"].items() if name.startswith("pitcheval.label.")}
    assert said == {
        "pitcheval.label.answer": "Santiago",
        "pitcheval.label.topic": "capitals",
        "pitcheval.label.critical": "True",
    }
    assert cases["test_qa[odd]"]["pitcheval.label.a#x1B[31m"] == "#x07"
    shown = command("show", "last", "[chile]").lines
    question = shown.index("  question   question 0?")
    assert shown[question + 1 : question + 5] == [
        "  label answer Santiago",
        "  label topic capitals",
        "  label critical true",
        '  label sources ["atlas", 3]',
    ]
    assert shown[question + 5].startswith("  answer     ")


def test_labels_of_examples(suite: Suite) -> None:
    suite.write(
        "test_qa.py",
        "import dspy, pytest\n\n"
        "row = dspy.Example(question='question 0?', answer='42', level=1).with_inputs('question')\n\n"
        "@pytest.mark.evaluation([row], inputs=[])\ndef test_list(score): ...\n\n"
        "@pytest.fixture\ndef own():\n    return dspy.Example(question='?', topic='mine').with_inputs('question')\n\n"
        "class TestOwn:\n"
        "    @pytest.fixture\n    def example(self, own):\n        return own\n\n"
        "    def test_own(self, score): ...\n\n"
        "def test_none(record_score):\n    record_score(1)\n",
    )
    assert labels(suite.run().tests) == [{"answer": "42", "level": 1}, {"topic": "mine"}, {}]


def test_an_example_without_a_score_has_its_labels(labelled: Suite) -> None:
    labelled.add("conftest.py", "\n@pytest.fixture(scope='session')\ndef program():\n    raise OSError('no disk')\n")
    run = labelled.run()
    assert [test["status"] for test in run.tests] == ["error"] * 3
    assert labels(run.tests) == [LABELS, ODD, {}]


def test_labels_are_the_same_when_a_run_is_replayed_continued_and_merged(labelled: Suite, command: Command) -> None:
    labelled.run("--eval-json=whole.json")
    for number, part in enumerate(["chile", "odd or plain"]):
        labelled.run("-k", part, f"--eval-json=part-{number}.json")
    command("merge", "part-0.json", "part-1.json")
    merged = json.loads(max((labelled.path / ".pitcheval" / "runs").glob("*.json")).read_text(encoding="utf-8"))
    found = [labelled.run(f"--eval-{option}=whole.json").tests for option in ("replay", "resume")]
    assert [labels(tests) for tests in (*found, merged["tests"])] == [[LABELS, ODD, {}]] * 3


def test_credentials_in_labels_are_masked(labelled: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "sk-own-1122334455667788aabb"
    monkeypatch.setenv("SOME_API_KEY", secret)
    labelled.write("data.jsonl", json.dumps({"question": "question 0?", "note": f"use {secret}", secret: 1}))
    run = labelled.run("--junit-xml=junit.xml", "--eval-html=page.html")
    assert labels(run.tests) == [{"note": "use ***", secret: 1}], "names of columns are never masked"
    [line] = [line for line in run.result.outlines if line.startswith("labels ")]
    assert line.startswith("labels     note use ***, ")
    [case] = read_suite(labelled.path / "junit.xml").iter("testcase")
    assert properties_of(case)["pitcheval.label.note"] == "use ***"


def test_a_run_of_an_older_version_is_readable(labelled: Suite, command: Command) -> None:
    run = labelled.run()
    assert run.document is not None
    older = {**run.document, "schema_version": 1, "tests": [dict(test) for test in run.tests]}
    for test in older["tests"]:
        del test["labels"]
    labelled.write("older.json", json.dumps(older))
    shown = command("show", "older.json", "[chile]")
    assert shown.code == pytest.ExitCode.OK
    assert not any(line.startswith("  label") for line in shown.lines)
    assert command("report", "older.json", "-o", "page.html").code == pytest.ExitCode.OK
    assert command("compare", "older.json", "last").code == pytest.ExitCode.OK
    assert command("decide", "older.json").code == pytest.ExitCode.TESTS_FAILED
    assert len(labelled.run("--eval-replay=older.json").requests) == 0
