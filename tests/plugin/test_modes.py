"""The same suite comes out the same, however pytest runs it."""

from __future__ import annotations

import json
import os
import re
from typing import Any

import pytest
from support.openai_server import Failure, OpenAIServer, Request, chat_format
from support.suite import INI, Run, Suite

PROGRAM = """

class Picky(dspy.Module):
    def __init__(self):
        super().__init__()
        self.ask = dspy.Predict("question -> answer")

    def forward(self, question):
        if question == "question 4?":
            raise ValueError("no four")
        return self.ask(question=question)


@pytest.fixture(scope="session")
def program():
    return Picky()
"""


def question(request: Request) -> int:
    found = re.search(r"question (\d+)\?", request.prompt)
    assert found, request.prompt
    return int(found[1])


def answer(request: Request) -> str:
    """Depends on the question alone; the judge scores question 2 low."""
    number = question(request)
    if request.model == "judge":
        return chat_format(score=0.1 if number == 2 else 0.5 + number / 100, feedback=f"feedback {number}")
    return chat_format(answer=f"answer to {number}")


def fail(request: Request) -> Failure | None:
    return Failure(message="no seven") if request.model == "generator" and question(request) == 7 else None


@pytest.fixture
def twelve(suite: Suite) -> Suite:
    """Twelve examples: the third scores low, in the fifth the program raises, in the eighth the LM fails."""
    suite.add("conftest.py", PROGRAM)
    suite.rows(12)
    suite.server.answer, suite.server.fail = answer, fail
    return suite


def comparable(run: Run) -> dict[str, Any]:
    """The run file without what must differ: times, and the rollout IDs that come from them."""
    assert run.document is not None, run.text
    document: dict[str, Any] = json.loads(json.dumps(run.document).replace(run.document["run"]["timestamp"], "TIME"))
    del document["run"]
    for part in (*document["tests"], *document["summary"]):
        part.pop("seconds")
        part.pop("rollout_key", None)
        part["metrics"].pop("seconds", None)
    document["tests"].sort(key=lambda test: test["nodeid"])
    for summary in document["summary"]:
        summary["unscored"].sort(key=lambda missing: missing["nodeid"])
    return document


@pytest.mark.parametrize(
    "arguments",
    ["-n0", "-n2", "-n4", "-n2 --dist=loadscope", "-n2 --dist=worksteal", "-p no:timeout"],
)
def test_the_same_records(twelve: Suite, arguments: str) -> None:
    plain = twelve.run("-p", "no:xdist")
    plain.result.assert_outcomes(passed=9, failed=2, errors=1)
    assert plain.result.ret == pytest.ExitCode.TESTS_FAILED
    statuses = {test["example_id"]: test["status"] for test in plain.tests}
    assert [name for name, status in statuses.items() if status != "passed"] == ["e2", "e4", "e7"]
    run = twelve.run(*arguments.split())
    run.result.assert_outcomes(passed=9, failed=2, errors=1)
    assert run.result.ret == plain.result.ret
    assert comparable(run) == comparable(plain)
    assert [test["nodeid"] for test in run.tests] == [test["nodeid"] for test in plain.tests]
    assert len(run.requests) == len(plain.requests) == 21  # 11 answers asked for, 10 given and judged


def test_the_order_of_the_tests_changes_nothing(twelve: Suite) -> None:
    plain = twelve.run()
    twelve.add("conftest.py", "\n\ndef pytest_collection_modifyitems(items):\n    items.reverse()\n")
    assert comparable(twelve.run()) == comparable(plain)


def test_some_tests_only(twelve: Suite) -> None:
    run = twelve.run("-k", "e1 and not e11")
    run.result.assert_outcomes(passed=2, deselected=10)
    assert [test["example_id"] for test in run.tests] == ["e1", "e10"]
    assert {question(request) for request in run.requests} == {1, 10}
    assert run.document is not None
    assert (run.document["summary"][0]["examples"], run.document["missing"]) == (2, [])


def test_the_last_failures(twelve: Suite) -> None:
    runner = twelve.pytester.runpytest_inprocess
    runner().assert_outcomes(passed=9, failed=2, errors=1)
    twelve.server.clear()
    runner("--lf").assert_outcomes(failed=2, errors=1)
    assert {question(request) for request in twelve.server.requests} == {2, 7}
    last = max((twelve.path / ".pitcheval" / "runs").iterdir())
    assert [test["example_id"] for test in json.loads(last.read_text(encoding="utf-8"))["tests"]] == ["e2", "e4", "e7"]


def test_stopping_at_the_first_failure(twelve: Suite) -> None:
    run = twelve.run("-x")
    run.result.assert_outcomes(passed=2, failed=1)
    assert [test["example_id"] for test in run.tests] == ["e0", "e1", "e2"]
    assert run.document is not None
    assert [(one["nodeid"], one["example_id"], one["reason"]) for one in run.document["missing"]] == [
        (f"test_qa.py::test_qa[e{n}]", f"e{n}", "not run") for n in range(3, 12)
    ]
    goes_on = f"--eval-resume={run.document['run']['id']} runs what is missing"
    run.result.stdout.fnmatch_lines(["  9 of 12 examples have no score *", "    test_qa?e3?: not run", goes_on])


COLLECTING_CONFTEST = """
import sys
from pathlib import Path
import pytest

@pytest.fixture(scope="session")
def program():
    import dspy
    return dspy.Predict("question -> answer")

@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: 1.0

def pytest_unconfigure(config):
    Path(config.rootpath, "modules.txt").write_text("\\n".join(sys.modules), encoding="utf-8")
"""


def test_collecting_asks_and_imports_and_writes_nothing(
    pytester: pytest.Pytester, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = pytester.mkdir("temporary")
    monkeypatch.setenv("TMPDIR", str(temporary))
    pytester.makeini(INI.format(url=server.url))
    pytester.makeconftest(COLLECTING_CONFTEST)
    pytester.makepyfile(
        test_qa="""
        import pytest

        @pytest.mark.evaluation("data.jsonl", inputs=["question"], threshold=0.5)
        def test_qa(score):
            assert score >= score.threshold
        """
    )
    data = pytester.path / "data.jsonl"
    data.write_text("".join(json.dumps({"id": f"e{n}", "question": f"question {n}?"}) + "\n" for n in range(3)))
    before = {path.name for path in pytester.path.iterdir()}
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    result = pytester.runpytest_subprocess("--collect-only", "-q", "-p", "no:cacheprovider")
    assert result.ret == pytest.ExitCode.OK
    assert result.stdout.lines[:3] == [f"test_qa.py::test_qa[e{n}]" for n in range(3)]
    assert "pitcheval" not in result.stdout.str()
    modules = (pytester.path / "modules.txt").read_text(encoding="utf-8").split()
    assert not {"dspy", "litellm", "mlflow", "scipy", "numpy"} & set(modules)
    assert "pytest_pitcheval.collection.parametrization" in modules
    new = {path.name for path in pytester.path.iterdir()} - before
    assert {name for name in new if not name.startswith(("stdout", "stderr", "runpytest"))} == {"modules.txt"}
    assert os.listdir(temporary) == []
    assert server.count == 0


def test_the_run_file_where_one_asks_for_it(twelve: Suite) -> None:
    run = twelve.run("--eval-json=out/run.json")
    document = json.loads((twelve.path / "out" / "run.json").read_text(encoding="utf-8"))
    assert document == run.document
    run.result.stdout.fnmatch_lines(["run file: .pitcheval/runs/*.json", "run file: out/run.json"])


def test_another_folder(twelve: Suite) -> None:
    run = twelve.run("--eval-dir=elsewhere/results")
    assert run.document is None
    assert not (twelve.path / ".pitcheval").exists()
    [path] = (twelve.path / "elsewhere" / "results" / "runs").iterdir()
    assert len(json.loads(path.read_text(encoding="utf-8"))["tests"]) == 12


def test_git_ignores_the_folder(suite: Suite) -> None:
    suite.run()
    ignored = (suite.path / ".pitcheval" / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert "*" in ignored
