"""xdist's workers on other machines, which share no folder with the controller nor with one another.

The ``ssh`` of these tests stays on this machine, but gives each worker a folder for temporary files of its own.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from support.suite import DYING, Suite

SSH = """\
#!/bin/sh
# ssh -C far COMMAND
TMPDIR=$(mktemp -d "$FAR/machine-XXXXXX") && export TMPDIR
exec sh -c "$3"
"""


@pytest.fixture
def far(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the folders for temporary files of the other machines are; this one's is ``near``."""
    folder = suite.path / "far"
    folder.mkdir()
    (suite.path / "near").mkdir()
    monkeypatch.setenv("TMPDIR", str(suite.path / "near"))
    suite.write("bin/ssh", SSH).chmod(0o755)
    monkeypatch.setenv("PATH", f"{suite.path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAR", str(folder))
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    return folder


def on_machines(suite: Suite, count: int) -> tuple[str, ...]:
    return f"--tx={count}*ssh=far//python={sys.executable}//chdir={suite.path}", "--dist=load"


def test_the_run_comes_out_the_same(suite: Suite, far: Path) -> None:
    """All records, the gates, what did not run; and each machine is left as it was."""
    suite.rows(12)
    run = suite.run(*on_machines(suite, 2), "--eval-min-mean=0.8", subprocess=True)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert run.document is not None
    assert sorted(test["example_id"] for test in run.tests) == sorted(f"e{n}" for n in range(12))
    assert [(group["examples"], group["scored"]) for group in run.document["summary"]] == [(12, 12)]
    assert [(gate["gate"], gate["status"]) for gate in run.document["gates"]] == [("min_mean", "failed")]
    assert len(run.requests) == 24
    machines = [suite.path / "near", *far.iterdir()]
    assert len(machines) == 3
    assert [path for machine in machines for path in machine.glob("pitcheval-*")] == []


def test_each_has_its_part_of_the_limits(suite: Suite, far: Path) -> None:
    suite.rows(12)
    suite.server.latency = 0.05
    limit = ("--eval-concurrency=2", "--eval-rate-limit=10/s")
    run = suite.run(*on_machines(suite, 2), *limit, subprocess=True)
    run.result.assert_outcomes(passed=12)
    assert suite.server.peak_in_flight <= 2
    times = sorted(request.started for request in run.requests)
    short = 0.5  # seconds: some take longer to arrive than others
    assert max(sum(start <= time < start + short for time in times) for start in times) <= 10


def test_each_has_its_part_of_the_cap(suite: Suite, far: Path) -> None:
    suite.rows(20)
    suite.server.latency = 0.02
    cap = ("--eval-price=openai/*=1000/1000", "--eval-max-cost=2", "--eval-concurrency=4")
    run = suite.run(*on_machines(suite, 2), *cap, subprocess=True)
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    assert run.document is not None
    assert {test["error"] for test in run.tests if test["left_out"]} == {
        "budget: $1.00 (a worker's part of $2.00) reached"
    }
    told = run.document["run"]["budget"]
    assert told["cost"] == pytest.approx(sum(test["cost"] for test in run.tests))
    assert 2 <= told["cost"] <= 3


def test_an_example_that_did_not_run_is_named(suite: Suite, far: Path) -> None:
    suite.rows(4)
    suite.add("conftest.py", "\n\ndef pytest_runtest_setup(item):\n    item.session.shouldstop = 'e1' in item.nodeid\n")
    run = suite.run(*on_machines(suite, 1), subprocess=True)
    assert run.document is not None
    assert 0 < len(run.document["missing"]) == 4 - len(run.tests)


def test_a_worker_that_dies_loses_one_record(suite: Suite, far: Path) -> None:
    suite.add("conftest.py", DYING)
    suite.rows(8)
    run = suite.run(*on_machines(suite, 2), subprocess=True)
    run.result.assert_outcomes(passed=7, failed=1)
    assert run.document is not None
    assert [one["nodeid"] for one in run.document["missing"]] == ["test_qa.py::test_qa[e2]"]
    assert {test["example_id"] for test in run.tests} == {f"e{n}" for n in range(8)} - {"e2"}


def test_a_slice_that_no_machine_finds_is_one_line(suite: Suite, far: Path) -> None:
    run = suite.run(*on_machines(suite, 2), "--eval-slice=topic=refunds", subprocess=True)
    assert run.result.ret == pytest.ExitCode.USAGE_ERROR
    [line] = [line for line in run.result.outlines if "eval-slice" in line]
    assert "no example has the label 'topic'; the rows have inputs alone" in line
    assert "INTERNALERROR" not in run.text
    assert run.requests == []
