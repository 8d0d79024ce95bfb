"""``--eval-resume`` continues a run: what was paid for is not paid for again."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.background import Background, wait_until
from support.openai_server import Failure, Request
from support.suite import Run, Suite

EXAMPLES = 60
CALLS = 2 * EXAMPLES
"""The program's and the judge's of each."""


def runs(suite: Suite) -> Path:
    return suite.path / ".pitcheval" / "runs"


def journal(suite: Suite) -> Path:
    [path] = runs(suite).glob("*.jsonl")
    return path


def journaled(suite: Suite) -> list[dict[str, Any]]:
    """The records in the journal, as far as they are written."""
    paths = list(runs(suite).glob("*.jsonl"))
    lines = paths[0].read_text(encoding="utf-8").splitlines()[1:] if paths else []
    return [json.loads(line) for line in lines]


def statuses(run: Run) -> dict[str, int]:
    names = [test["status"] for test in run.tests]
    return {name: names.count(name) for name in set(names)}


@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["one process", "two workers"])
def test_a_killed_run_is_continued(
    suite: Suite, background: Callable[..., Background], workers: tuple[str, ...], concurrency: int
) -> None:
    arguments = (*workers, f"--eval-concurrency={concurrency}")
    suite.rows(EXAMPLES)
    with suite.held(verdicts=EXAMPLES - 20):
        run = background(*arguments)
        wait_until(lambda: len(journaled(suite)) >= EXAMPLES // 2)
        os.killpg(run.process.pid, signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL
    wait_until(lambda: suite.server.in_flight == 0)
    killed, made = journaled(suite), len(suite.server.requests)
    assert len(killed) >= EXAMPLES // 2
    assert made < CALLS

    resumed = suite.run("--eval-resume=last", *arguments)
    resumed.result.assert_outcomes(passed=EXAMPLES)
    assert CALLS <= len(suite.server.requests) <= CALLS + concurrency
    assert [test["example_id"] for test in resumed.tests] == [f"e{n}" for n in range(EXAMPLES)]
    by_id = {test["nodeid"]: test for test in resumed.tests}
    for before in killed:
        after = by_id[before["nodeid"]]
        assert {name: after[name] for name in ("score", "samples", "prediction", "rollout_id", "rollout_key")} == {
            name: before[name] for name in ("score", "samples", "prediction", "rollout_id", "rollout_key")
        }
        assert after["lm_calls"] == {"fresh": 0, "cached": 2, "failed": 0}
    assert resumed.document is not None
    assert resumed.document["run"]["resume_of"] == journal(suite).stem


def test_calls_that_failed_are_made_again_and_no_others(suite: Suite) -> None:
    def one_judgement(request: Request) -> Failure | None:
        return Failure() if request.model == "judge" and "question 1?" in request.prompt else None

    suite.server.fail = one_judgement
    first = suite.run()
    first.result.assert_outcomes(passed=2, errors=1)
    suite.server.fail = lambda request: None
    again = suite.run("--eval-resume=last")
    again.result.assert_outcomes(passed=3)
    assert [request.model for request in again.requests] == ["judge"]
    assert {test["example_id"]: test["lm_calls"]["fresh"] for test in again.tests} == {"e0": 0, "e1": 1, "e2": 0}


def test_a_resumed_run_can_be_resumed_and_replayed(suite: Suite) -> None:
    first = suite.run("-k", "e0")
    second = suite.run("--eval-resume=last", "-k", "e0 or e1")
    third = suite.run("--eval-resume=last")
    replayed = suite.run("--eval-replay=last")
    assert [len(run.requests) for run in (first, second, third, replayed)] == [2, 2, 2, 0]
    tests = [test for run in (first, second, third, replayed) for test in run.tests]
    assert len({test["rollout_id"].partition("/")[0] for test in tests}) == 1


def test_more_rollouts_are_added_to_those_there_are(suite: Suite) -> None:
    suite.run()
    more = suite.run("--eval-resume=last", "--eval-rollouts=3")
    assert len(more.requests) == 3 * 2 * 2
    assert statuses(more) == {"passed": 3}


def test_a_finished_run_leaves_no_journal(suite: Suite, plugin_args: tuple[str, ...]) -> None:
    suite.run(*plugin_args)
    assert [path.suffix for path in runs(suite).iterdir()] == [".json"]


def test_a_run_that_cannot_write_its_file_keeps_the_journal(suite: Suite) -> None:
    suite.add("conftest.py", BLOCKS_THE_RUN_FILE)
    run = suite.run()
    assert run.result.ret == pytest.ExitCode.TESTS_FAILED
    run.result.stdout.fnmatch_lines(["the run file could not be written: *"])
    assert [record["example_id"] for record in journaled(suite)] == ["e0", "e1", "e2"]


BLOCKS_THE_RUN_FILE = """

@pytest.fixture(scope="session", autouse=True)
def block(request):
    yield
    from pathlib import Path
    [journal] = Path(".pitcheval/runs").glob("*.jsonl")
    journal.with_suffix(".json").mkdir()
"""


def test_no_secret_is_in_the_journal(suite: Suite) -> None:
    suite.add("conftest.py", BLOCKS_THE_RUN_FILE)
    suite.write("test_key.py", "def test_key(record_score):\n    record_score(1.0, feedback='sk-for-tests-only')\n")
    suite.run()
    text = journal(suite).read_text(encoding="utf-8")
    assert '"feedback": "***"' in text
    assert "sk-for-tests-only" not in text


def test_a_run_is_replayed_or_resumed(suite: Suite) -> None:
    suite.run()
    result = suite.run("--eval-replay=last", "--eval-resume=last").result
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.lines[0] == "ERROR: --eval-replay and --eval-resume: expected one of them"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a journal: nothing in it"),
        ('{"schema_version": 1, "run": {"id": "x", "timestamp": "y"}}\n{"nodeid": 3}\n', "2: expected 'test' in it"),
        ('{"schema_version": 9}\n', "schema_version 9; expected 1, 2, 3 or 4; a newer pytest-pitcheval wrote it"),
    ],
)
def test_a_journal_that_is_none_is_one_line(suite: Suite, text: str, reason: str) -> None:
    path = suite.write(".pitcheval/runs/20261122T234903.123456Z.jsonl", text)
    result = suite.run("--eval-resume=last").result
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    lines = [line for line in result.stderr.lines if line]
    assert len(lines) == 1
    assert lines[0].startswith(f"ERROR: --eval-resume: 'last': {path}:")
    assert lines[0].endswith(reason)
