"""The ``pitcheval`` command: what it says of runs, its exit codes, and that it asks no LM."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.command_line import Command
from support.openai_server import Failure, Request
from support.suite import TEST, Suite


def ids(suite: Suite) -> list[str]:
    """The runs' IDs, the oldest first."""
    return sorted(path.stem for path in (suite.path / ".pitcheval" / "runs").glob("*.json"))


def test_runs(suite: Suite, command: Command) -> None:
    suite.run()
    suite.server.fail = lambda request: Failure() if "question 1?" in request.prompt else None
    suite.run("--eval-min-mean=0.9")
    said = command("runs")
    assert said.code == pytest.ExitCode.OK
    first, second = ids(suite)
    assert [line.split() for line in said.lines] == [
        ["run", "tests", "passed", "failed", "errors", "fresh", "cost", "gates"],
        [first, "3", "3", "0", "0", "6", "-", "-"],
        [second, "3", "2", "0", "1", "5", "-", "1", "failed"],
    ]
    assert max(map(len, said.lines)) <= 80


def test_runs_that_are_killed_or_corrupt_stand_among_the_others(suite: Suite, command: Command) -> None:
    suite.run()
    [run_id] = ids(suite)
    runs = suite.path / ".pitcheval" / "runs"
    document = json.loads((runs / f"{run_id}.json").read_text(encoding="utf-8"))
    lines = [{"schema_version": 1, "run": {**document["run"], "id": "20990101T000000.000000Z"}}, document["tests"][0]]
    (runs / "20990101T000000.000000Z.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (runs / "20990102T000000.000000Z.json").write_text("{}")
    said = command("runs")
    assert said.code == pytest.ExitCode.OK
    assert said.lines[2].split() == ["20990101T000000.000000Z", "1", "1", "0", "0", "2", "-", "unfinished"]
    assert said.lines[3] == f"{runs / '20990102T000000.000000Z.json'}: schema_version None; expected 1, 2, 3 or 4"
    assert "--eval-resume=20990101T000000.000000Z continues it" in command("show", "20990101T000000.000000Z").lines[-1]


def test_no_runs(command: Command) -> None:
    said = command("runs")
    assert (said.code, said.lines) == (pytest.ExitCode.USAGE_ERROR, [])
    assert said.errors == [f"ERROR: no run in {Path.cwd() / '.pitcheval' / 'runs'} yet"]


def test_show_a_run(suite: Suite, command: Command) -> None:
    run = suite.run("--optimization=none,labeled", "--eval-min-mean=0.9")
    said = command("show", "last")
    assert said.code == pytest.ExitCode.OK
    start = run.result.outlines.index(said.lines[0])
    assert said.lines == run.result.outlines[start : start + len(said.lines)]
    assert run.result.outlines[start + len(said.lines)].startswith("run file: ")


def test_show_a_test(suite: Suite, command: Command) -> None:
    suite.scores(lambda request: 0.25)
    suite.run("--eval-rollouts=2")
    said = command("show", "last", "e1")
    assert said.code == pytest.ExitCode.OK
    assert said.lines[0] == "test_qa.py::test_qa[e1]"
    shown = {line[:12].strip(): line[13:] for line in said.lines[1:]}
    assert (shown["status"], shown["score"]) == ("failed", "0.250 (rollouts 0.25, 0.25), threshold 0.5")
    assert (shown["feedback"], shown["question"]) == ("as told", "question 1?")
    assert shown["calls"] == "4 fresh, 0 cached, 0 failed"
    assert shown["rollout"].endswith("Z/test_qa.py::test_qa[e1]")
    assert "answer" in shown


def test_compare(suite: Suite, command: Command) -> None:
    suite.rows(8)
    suite.run()
    suite.scores(lambda request: 0.25 if re.search(r"question [0-5]\?", request.prompt) else 0.8)
    suite.run()
    first, second = ids(suite)
    said = command("compare", first, second)
    assert said.code == pytest.ExitCode.OK
    assert said.lines[0] == "  test_qa.py::test_qa [none]: 0.750, now 0.388"
    assert said.lines[1].startswith("    dropped by 0.362 (95 % 0.15")
    assert said.lines[-2:] == [
        "    fell most: e0 -0.500, e1 -0.500, e2 -0.500, e3 -0.500, e4 -0.500",
        "    rose most: e7 +0.050, e6 +0.050",
    ]
    turned = command("compare", "last", first)
    assert turned.lines[1].startswith("    rose by 0.362 (95 % ")


def test_compare_with_a_baseline_file(suite: Suite, command: Command) -> None:
    suite.run("--eval-update-baseline")
    suite.rows(2)
    suite.run("-k", "e0")
    said = command("compare", "pitcheval-baseline.json", "last")
    assert said.lines[:2] == ["  test_qa.py::test_qa [none]: 0.750, now 0.750", "    1 removed: e2; 1 not run"]


def test_runs_without_a_common_test_are_not_compared(suite: Suite, command: Command) -> None:
    suite.run()
    suite.write("test_more.py", "def test_more(record_score):\n    record_score(0.75)\n")
    suite.run("test_more.py")
    first, second = ids(suite)
    said = command("compare", first, second)
    assert (said.code, said.lines) == (pytest.ExitCode.USAGE_ERROR, [])
    assert said.errors == [f"ERROR: {first!r} and {second!r} have no test in common"]


def test_compare_refuses_another_judge(suite: Suite, command: Command) -> None:
    suite.run()
    suite.run("--evaluator-model=openai/other")
    first, second = ids(suite)
    refused = command("compare", first, second)
    assert refused.lines[0] == "  test_qa.py::test_qa [none]: not compared"
    assert "judge 'openai/other " in " ".join(refused.lines)
    allowed = command("compare", "--eval-baseline-allow=judge", first, second)
    assert allowed.lines[0] == "  test_qa.py::test_qa [none]: 0.750, now 0.750"


def graded(request: Request) -> float:
    """0.2, 0.5 and 0.8."""
    [number] = set(re.findall(r"question (\d)\?", request.prompt))
    return 0.2 + 0.3 * int(number)


def test_decide_with_another_threshold(suite: Suite, command: Command) -> None:
    suite.scores(graded)
    suite.run().result.assert_outcomes(passed=2, failed=1)
    same = command("decide", "last")
    assert same.code == pytest.ExitCode.TESTS_FAILED
    lower = command("decide", "last", "--eval-threshold=0.1")
    assert (lower.code, lower.lines[-1]) == (pytest.ExitCode.OK, "passed, was failed: test_qa.py::test_qa[e0]")
    higher = command("decide", "last", "--eval-threshold=0.6")
    assert (higher.code, higher.lines[-1]) == (
        pytest.ExitCode.TESTS_FAILED,
        "failed, was passed: test_qa.py::test_qa[e1]",
    )


def test_decide_with_other_gates_from_options_and_the_ini(suite: Suite, command: Command) -> None:
    suite.write("test_qa.py", TEST.replace("0.5)", "0.5, min_mean=0.9)"))
    assert suite.run().result.ret == pytest.ExitCode.TESTS_FAILED
    assert command("decide", "last").code == pytest.ExitCode.TESTS_FAILED
    assert command("decide", "last", "--eval-min-mean=0.7").code == pytest.ExitCode.OK
    suite.add("pytest.ini", "eval_max_regression = 0.1\neval_baseline = last\n")
    suite.scores(lambda request: 0.6)
    suite.run("--eval-baseline=last")
    said = command("decide", ids(suite)[0], "--eval-min-mean=0.7")
    assert said.code == pytest.ExitCode.OK
    assert "ok   max_regression=0.1 test_qa.py::test_qa [none]: rose by 0.15 " in " ".join(said.lines)


def test_decide_against_another_baseline(suite: Suite, command: Command) -> None:
    suite.rows(6)
    suite.run("--eval-json=better.json")
    suite.scores(lambda request: 0.5)
    suite.run()
    assert command("decide", "last").code == pytest.ExitCode.OK
    worse = command("decide", "last", "--eval-baseline=better.json")
    assert worse.code == pytest.ExitCode.TESTS_FAILED
    assert any(line.startswith("FAIL max_regression=0.05 ") for line in worse.lines)


def test_a_run_that_was_paid_for_can_become_the_baseline(suite: Suite, command: Command) -> None:
    suite.run("--eval-update-baseline", "--eval-baseline=while-running.json")
    said = command("decide", "last", "--eval-update-baseline")
    assert said.code == pytest.ExitCode.OK
    assert said.lines[-1] == "baseline: pitcheval-baseline.json: 3 examples written, 0 kept, 0 removed"
    texts = [(suite.path / name).read_bytes() for name in ("while-running.json", "pitcheval-baseline.json")]
    assert texts[0] == texts[1]


def test_what_has_no_score_is_not_decided_away(suite: Suite, command: Command) -> None:
    suite.server.fail = lambda request: Failure() if "question 1?" in request.prompt else None
    suite.run()
    said = command("decide", "last", "--eval-threshold=0", "--eval-min-mean=0")
    assert said.code == pytest.ExitCode.TESTS_FAILED
    assert "FAIL min_mean=0 test_qa.py::test_qa [none]: 1 of 3 examples have no score" in said.lines


WRONG = [
    (["show", "last"], "ERROR: 'last': no run in {runs} yet"),
    (["show", "nothing"], "ERROR: 'nothing': expected a run ID of {runs}, a run file or 'last'"),
    (["decide", "pytest.ini"], "ERROR: 'pytest.ini': pytest.ini: not JSON: Expecting value: "),
    (["compare", "a.json", "b.json"], "ERROR: 'a.json': no such file; expected a baseline, a run (file, "),
    (["decide", "last", "--eval-min-mean=high"], "ERROR: --eval-min-mean: 'high': expected a score, 0 or more"),
    (["decide", "last", "--eval-gate=lax"], "ERROR: --eval-gate: 'lax': expected normal, established or strict"),
    (["decide"], "pitcheval decide: error: the following arguments are required: RUN"),
    (["decide", "last", "--eval-min=1"], "pitcheval: error: unrecognized arguments: --eval-min=1"),
    (["sing"], "pitcheval: error: argument COMMAND: invalid choice: 'sing' (choose from "),
    ([], "pitcheval: error: the following arguments are required: COMMAND"),
]


@pytest.mark.parametrize(("arguments", "line"), WRONG)
def test_what_is_wrong_is_one_line(command: Command, arguments: list[str], line: str) -> None:
    said = command(*arguments)
    assert said.code == pytest.ExitCode.USAGE_ERROR
    assert said.lines == []
    assert said.errors[-1].startswith(line.format(runs=Path.cwd() / ".pitcheval" / "runs"))
    assert [one for one in said.errors if "Traceback" in one] == []


@pytest.mark.parametrize("arguments", [[], ["runs"], ["show"], ["compare"], ["decide"]], ids=" ".join)
def test_help(command: Command, arguments: list[str]) -> None:
    said = command(*arguments, "--help")
    assert said.code == pytest.ExitCode.OK
    assert said.lines[0].startswith(" ".join(["usage: pitcheval", *arguments]))
    assert max(map(len, said.lines)) <= 80


def test_it_is_a_command_of_its_own(suite: Suite) -> None:
    suite.run()
    script = Path(sys.executable).with_name("pitcheval")
    done = subprocess.run([script, "runs"], cwd=suite.path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1].split()[0] == ids(suite)[0]


def test_it_loads_neither_a_conftest_nor_dspy(suite: Suite, command: Command) -> None:
    suite.run()
    suite.write("conftest.py", "raise SystemExit('loaded')")
    main = "from pytest_pitcheval.cli import main; main(['decide', 'last'])"
    code = f"import sys; {main}; print('dspy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=suite.path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False"


def test_another_folder_and_ini(suite: Suite, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    suite.add("pytest.ini", "eval_dir = evaluations\n")
    suite.run()
    assert command("runs").code == pytest.ExitCode.OK
    monkeypatch.chdir(suite.path.parent)
    assert command("runs", "--rootdir", str(suite.path), "-c", str(suite.path / "pytest.ini")).code == 0
    assert command("runs", "--eval-dir", str(suite.path / "evaluations")).code == pytest.ExitCode.OK
