"""A program that makes no LM call is allowed, and never unnoticed."""

from __future__ import annotations

import pytest
from support.suite import Suite

from pytest_pitcheval.results.summaries.summary import NO_LM_CALL

PROGRAMS = """

class Echo(dspy.Module):
    def forward(self, question):
        return dspy.Prediction(answer=question)


@pytest.fixture(scope="session")
def program():
    return Echo()


@pytest.fixture(scope="session")
def metric():
    return lambda example, pred, trace=None: 1.0
"""

FREE = """
def test_free(record_score):
    record_score(1)
"""


@pytest.mark.parametrize("arguments", [[], ["-n2"]], ids=["alone", "n2"])
def test_no_lm_call_is_told_in_all_reports(suite: Suite, arguments: list[str]) -> None:
    suite.add("conftest.py", PROGRAMS)
    suite.write("test_free.py", FREE)
    run = suite.run(*arguments, "--eval-html=run.html", "--eval-markdown=run.md")
    assert run.result.ret == pytest.ExitCode.OK
    assert " ".join(run.text.split()).count(f"{NO_LM_CALL} [none]") == 1
    assert run.document is not None
    notes = {summary["test"]: summary["note"] for summary in run.document["summary"]}
    assert notes == {"test_free.py::test_free": "", "test_qa.py::test_qa": NO_LM_CALL}
    for name in ("run.html", "run.md"):
        assert (suite.path / name).read_text(encoding="utf-8").count(NO_LM_CALL) == 1


def test_a_judge_is_an_lm_call_and_so_is_a_replayed_one(suite: Suite) -> None:
    first = suite.run()
    assert first.document is not None
    replayed = suite.run(f"--eval-replay={first.document['run']['id']}")
    suite.add("conftest.py", PROGRAMS.rpartition("@pytest.fixture")[0])
    judged = suite.run()
    for run in (first, replayed, judged):
        assert run.result.ret == pytest.ExitCode.OK
        assert "no LM call" not in run.text
