"""Runs that only look at tests decide nothing, and a test that is named twice is one example."""

from __future__ import annotations

import pytest
from support.suite import Suite


@pytest.mark.parametrize("option", ["--collect-only", "--setup-plan", "--setup-only"])
def test_a_run_that_runs_no_test_decides_nothing(suite: Suite, option: str) -> None:
    run = suite.run(option, "--eval-update-baseline", "--eval-json=run.json", "--eval-html=run.html")
    assert run.result.ret == pytest.ExitCode.OK, run.text
    assert "= pitcheval =" not in run.text
    assert run.document is None
    written = {"run.json", "run.html", ".pitcheval/baseline.json", "pitcheval-baseline.json"}
    assert not [name for name in written if (suite.path / name).exists()]
    assert not list((suite.path / ".pitcheval" / "runs").glob("*"))
    assert bool(run.requests) == (option == "--setup-only")


@pytest.mark.parametrize(
    ("arguments", "runs"),
    [
        ("test_qa.py test_qa.py::test_qa", 3),
        ("test_qa.py::test_qa[e1] test_qa.py", 3),
        ("--keep-duplicates test_qa.py test_qa.py", 6),
        ("-n2 --keep-duplicates test_qa.py test_qa.py", 6),
    ],
)
def test_a_test_that_is_named_twice_is_one_example(suite: Suite, arguments: str, runs: int) -> None:
    run = suite.run(*arguments.split())
    run.result.assert_outcomes(passed=runs)
    assert run.result.ret == pytest.ExitCode.OK
    assert [test["example_id"] for test in run.tests] == ["e0", "e1", "e2"]
    assert run.document is not None
    [summary] = run.document["summary"]
    assert (summary["examples"], summary["scored"], summary["passed"]) == (3, 3, 3)
